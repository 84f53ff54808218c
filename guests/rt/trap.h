/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What start.S calls.
 */
#ifndef GUESTS_RT_TRAP_H
#define GUESTS_RT_TRAP_H

#include <stdint.h>

/* First C code of the VM: checks the ABI's version, runs guest_main(), exits with its result. */
_Noreturn void rt_start(void);

/* The exception that EL2 fabricates for pending events. */
void rt_upcall(void);

/* Any other exception: one line on the console, then exit with RT_EXIT_FAULT. `vector` is the
 * entry's number in the vector table, 0 to 15 (Arm ARM, D1.3.1). */
_Noreturn void rt_fault(uint64_t vector, uint64_t esr, uint64_t elr, uint64_t far);

#endif
