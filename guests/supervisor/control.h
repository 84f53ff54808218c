/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm_control (abi/control.h) as functions. Tests put a machine of their own behind control().
 */
#ifndef GUESTS_SUPERVISOR_CONTROL_H
#define GUESTS_SUPERVISOR_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/control.h"
#include "abi/hypercall.h"

struct control_more {
    uint64_t x1;
    uint64_t x2;
};

/* One call: result or TOKLAT_E_*, and what x1 and x2 hold afterwards. */
int64_t control(uint64_t operation, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                struct control_more *more);

static inline int64_t control_simple(uint64_t operation, uint64_t a, uint64_t b, uint64_t c)
{
    struct control_more more;
    return control(operation, a, b, c, 0, &more);
}

/* Up to `count` VMs from number `first` on; `next` is the number to go on from, 0 at the end. A
 * refusal counts as the end. */
static inline uint32_t control_read(uint32_t first, void *to, uint32_t count, uint64_t flags,
                                    uint32_t *next)
{
    struct control_more more;
    int64_t n = control(TOKLAT_VM_READ, first, (uintptr_t)to, count, flags, &more);
    *next = n < 0 ? 0 : (uint32_t)more.x1;
    return n < 0 ? 0 : (uint32_t)n;
}

static inline bool control_read_one(uint32_t number, struct toklat_vm *vm, uint64_t flags)
{
    uint32_t next;
    return control_read(number, vm, 1, flags, &next) == 1 && vm->brief.number == number;
}

#endif
