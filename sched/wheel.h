/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timeouts in constant time at any number: a hierarchical timing wheel (Varghese and Lauck, 1987).
 *
 * WHEEL_LEVELS levels of 64 slots; a slot of level n spans 64^n granules. A timeout moves down at
 * most WHEEL_LEVELS - 1 times. Deadlines are physical ticks and expire never early, late by less
 * than a granule. One wheel for each CPU; only that CPU touches it.
 */
#ifndef SCHED_WHEEL_H
#define SCHED_WHEEL_H

#include "core/base/types.h"

#define WHEEL_LEVELS 8
#define WHEEL_SLOTS 64

/* Embedded in what waits; 24 bytes, so that a VM that is not resident can wait as well. */
struct timeout {
    struct timeout *next;
    struct timeout **link; /* the pointer that points here; NULL: not waiting */
    uint64_t deadline;
};

struct wheel {
    uint64_t next;          /* ticks: nothing is due before */
    uint64_t now;           /* granules: everything before it has expired */
    unsigned granule_shift; /* ticks in a granule, as a power of two */
    uint64_t occupied[WHEEL_LEVELS];
    struct timeout *slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

/* `granule_ticks` is rounded down to a power of two, at least 1. */
void wheel_init(struct wheel *w, uint64_t now_ticks, uint64_t granule_ticks);

/* Starts `t`, which must not be waiting. A deadline whose granule, rounded up, has begun expires at
 * the next wheel_expire; TICKS_NEVER must not be added. */
void wheel_add(struct wheel *w, struct timeout *t, uint64_t deadline);

/* Stops `t` if it is waiting. */
void wheel_cancel(struct wheel *w, struct timeout *t);

/* Takes one timeout whose deadline has passed, or NULL when there is none (left) at `now`. */
struct timeout *wheel_expire(struct wheel *w, uint64_t now_ticks);

/* The earliest tick at which wheel_expire may have something to do, or UINT64_MAX: exact to a slot
 * of the level where the earliest timeout waits; one that was cancelled since wheel_expire last
 * found nothing may count as well. */
static inline uint64_t wheel_next(const struct wheel *w)
{
    return w->next;
}

static inline bool timeout_waiting(const struct timeout *t)
{
    return t->link;
}

#endif
