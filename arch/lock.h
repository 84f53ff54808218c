/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contract: a spinlock, for the slow paths that CPUs share. EL2 runs with interrupts masked, so a
 * holder is never preempted. No lock is taken on a fast path, and none is held across a call out
 * of its file.
 */
#ifndef ARCH_LOCK_H
#define ARCH_LOCK_H

#include "core/base/types.h"

struct lock {
    uint32_t held;
    uint32_t taken; /* how often, for the debug keys */
};

static inline void lock_take(struct lock *l)
{
    while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE)) { /* partner: lock_release */
    }
    l->taken++;
}

static inline void lock_release(struct lock *l)
{
    __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE); /* partner: lock_take */
}

#endif
