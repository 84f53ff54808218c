/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs of the process that plays a machine: a thread plays the one that it says it is.
 */
#include "arch/cpu.h"
#include "arch/host/host.h"

#include <stdlib.h>

static _Thread_local unsigned current;

void host_cpu_set(unsigned index)
{
    if (index >= CPUS_MAX) {
        abort();
    }
    current = index;
}

unsigned cpu_index(void)
{
    return current;
}

void cpu_halt(void)
{
    abort();
}

static void *locals[CPUS_MAX];

void cpu_set_local(void *local)
{
    locals[cpu_index()] = local;
}

void *cpu_local(void)
{
    return locals[cpu_index()];
}
