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
    uint32_t waited; /* how often it was held by another CPU */
    uint64_t taken;  /* how often it was taken; for the debug keys */
};

/* Takes it, or gives up after so many tries. */
static inline bool lock_try(struct lock *l, uint64_t tries)
{
    uint64_t left = tries;
    while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE)) { /* partner: lock_release */
        if (--left == 0) {
            return false;
        }
    }
    l->taken++;
    l->waited += left != tries;
    return true;
}

static inline void lock_take(struct lock *l)
{
    (void)lock_try(l, UINT64_MAX);
}

static inline void lock_release(struct lock *l)
{
    __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE); /* partner: lock_take */
}

#endif
