/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls as functions (abi/hypercall.h has their contracts), and the system page.
 */
#ifndef GUESTS_RT_HYPERCALL_H
#define GUESTS_RT_HYPERCALL_H

#include <stdint.h>

#include "abi/hypercall.h"
#include "abi/system_page.h"

static inline struct toklat_system_page *system_page(void)
{
    return (struct toklat_system_page *)TOKLAT_SYSTEM_PAGE;
}

/* What x1 to x3 hold after a call; x4 to x30 are preserved. */
struct hypercall_more {
    uint64_t x1, x2, x3;
};

static inline int64_t hypercall_with_more(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3,
                                          uint64_t a4, uint64_t a5, struct hypercall_more *more)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a1;
    register uint64_t x2 __asm__("x2") = a2;
    register uint64_t x3 __asm__("x3") = a3;
    register uint64_t x4 __asm__("x4") = a4;
    register uint64_t x5 __asm__("x5") = a5;
    __asm__ volatile("hvc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     : "r"(x4), "r"(x5)
                     : "memory");
    *more = (struct hypercall_more){x1, x2, x3};
    return (int64_t)x0;
}

static inline int64_t hypercall(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3,
                                uint64_t a4, uint64_t a5)
{
    struct hypercall_more more;
    return hypercall_with_more(function, a1, a2, a3, a4, a5, &more);
}

/* Sleeps until an unmasked event or for `timeout_ns` of wall time; returns the events, cleared. */
static inline uint64_t idle(uint64_t timeout_ns)
{
    return (uint64_t)hypercall(TOKLAT_IDLE, timeout_ns, 0, 0, 0, 0);
}

_Noreturn static inline void exit_vm(uint64_t status)
{
    hypercall(TOKLAT_EXIT, status, 0, 0, 0, 0);
    __builtin_unreachable();
}

/* Returns the instance number, in every clone; the identity in the system page is then new. */
static inline int64_t checkpoint(void)
{
    return hypercall(TOKLAT_CHECKPOINT, 0, 0, 0, 0, 0);
}

static inline int64_t queue_setup(unsigned queue, unsigned size, void *desc, void *avail,
                                  void *used)
{
    return hypercall(TOKLAT_QUEUE_SETUP, queue, size, (uintptr_t)desc, (uintptr_t)avail,
                     (uintptr_t)used);
}

static inline int64_t doorbell(uint64_t queue_mask)
{
    return hypercall(TOKLAT_DOORBELL, queue_mask, 0, 0, 0, 0);
}

#endif
