/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traps that are no hypercalls.
 */
#ifndef CORE_FAULT_H
#define CORE_FAULT_H

#include "abi/system_page.h"
#include "arch/context.h"
#include "core/base/error.h"

/* struct trap_ops: handles what `c` did, or ends its VM for it. */
struct context *fault(struct context *c, const struct trap *t);

/* struct trap_ops: a physical interrupt came while `c` ran. */
struct context *interrupt(struct context *c);

/* Registers the interrupts of the timers. Boot CPU, interrupts started. */
enum err fault_init(void) MUST_USE;

/* The last fault for which a VM was killed, for the debug keys. */
struct last_fault {
    bool valid;
    char name[TOKLAT_NAME_BYTES];
    uint32_t instance;
    struct trap trap;
    struct context context;
};

extern struct last_fault last_fault;

#endif
