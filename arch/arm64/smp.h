/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPUs of the machine, numbered: the boot CPU is 0, the others follow as the device tree has
 * them.
 */
#ifndef ARCH_ARM64_SMP_H
#define ARCH_ARM64_SMP_H

#include "core/base/types.h"

/* Of each CPU, as MPIDR_EL1 has it; of none: UINT64_MAX. arch/arm64/head.S knows it. */
extern uint64_t cpu_affinity[CPUS_MAX];

/* Numbers the CPUs, at most CPUS_MAX, and returns how many. Boot CPU, MMU off. */
unsigned smp_find(const void *fdt);

/* Does not return after machine_halt(). */
void smp_halt_if_told(void);

#endif
