/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each CPU does once, and the end of the boot. Other CPUs may be late, so none of it is BOOT.
 *
 * Invariant: whoever calls start_running() does not return to, and nobody points to, what it gives
 * back.
 */
#include "core/start.h"
#include "arch/cpu.h"
#include "arch/machine.h"
#include "core/base/log.h"
#include "core/fault.h"
#include "core/hypercall.h"
#include "core/move.h"
#include "core/run.h"

static const struct trap_ops traps = {hypercall, interrupt, fault};

void start_need(enum err e, const char *what)
{
    if (e != OK) {
        log_error("%s: %s; the machine stops", what, err_name(e));
        cpu_halt();
    }
}

void start_this_cpu(void)
{
    run_init();
    trap_set_ops(&traps);
    start_need(fault_init(), "timers");
    start_need(move_init(), "interrupts between CPUs");
}

void machine_secondary(void)
{
    start_this_cpu();
    /* All that is its own is there; partner: whoever reads `online`. */
    __atomic_store_n(&run_this()->online, true, __ATOMIC_RELEASE);
    context_enter(run_next());
}

void start_running(void)
{
    struct machine_range boot = machine_release_boot();
    frame_release_range((struct frame_range){PA(boot.base), boot.bytes});
    context_enter(run_next());
}
