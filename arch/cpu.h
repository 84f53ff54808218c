/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contract: this CPU.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "core/base/types.h"

/* Index of this CPU in boot order, 0 to CPUS_MAX - 1. */
unsigned cpu_index(void);

/* What the floors above keep for this CPU. */
void cpu_set_local(void *local);
void *cpu_local(void);

/* Waits until an interrupt is pending (WFI); may return early. Interrupts stay masked. */
void cpu_wait(void);

/* Stops this CPU for good. */
void cpu_halt(void) NORETURN;

#endif
