/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The residents of one CPU, as the gatekeeper sees them: who is busy, and since when in order; who
 * idles, and until when by powers of two. Constant time, but for gate_first.
 */
#ifndef SCHED_GATE_POOL_H
#define SCHED_GATE_POOL_H

#include "core/base/list.h"
#include "core/base/types.h"

/* Of the idle, by the leading zeros of the ticks that remain: the furthest first. TICKS_NEVER is in
 * the first, with all from 2^63. */
#define GATE_CLASSES 64

#define GATE_STEPS_MAX 64 /* of eviction at a time */

/* A resident VM's part. Zeroed: not under the gatekeeper's eyes (never evicted). */
struct gate_resident {
    struct list link;  /* in `busy` or one of `idle`, while it is that */
    uint64_t deadline; /* physical ticks, while it is idle; TICKS_NEVER */
    uint32_t frames;   /* that are free when it has left; the owner's to change until it leaves */
    uint8_t state;     /* enum gate_residence */
    bool spared;       /* while it moves: it was GATE_SPARED */
};

/* gate_idle has something to do for all above GATE_MOVING, gate_wake for all above GATE_BUSY. */
enum gate_residence {
    GATE_APART,
    GATE_LEAVING,
    GATE_MOVING, /* between two pools */
    GATE_BUSY,
    GATE_IDLE,
    GATE_SPARED, /* evict said GATE_NEVER, and it has neither woken nor idled since */
};

/* The residents of one CPU. */
struct gate_pool {
    struct list idle[GATE_CLASSES], busy; /* in order of becoming that */
    uint64_t idle_classes; /* a bit for each list that is perhaps not empty; all CPUs may read it */
    bool hungry;           /* the gatekeeper looked for somebody to evict, and found nobody */
    bool due;              /* it has something to look at */
};

static inline struct gate_resident *gate_first_of(const struct list *l)
{
    return list_first(l, struct gate_resident, link);
}

void gate_pool_init(struct gate_pool *p);

/* `r`, which is in no list, is busy from now on, and the last of those who are. */
void gate_push_busy(struct gate_pool *p, struct gate_resident *r);

/* gate_idle and gate_wake for one that is concerned. */
void gate_make_idle(struct gate_pool *p, struct gate_resident *r, uint64_t deadline, uint64_t now);
void gate_make_busy(struct gate_pool *p, struct gate_resident *r);

/* A resident VM of this CPU idles until `deadline`, TICKS_NEVER: until an event; or has woken.
 * Neither does anything for one that is not under the gatekeeper's eyes, or that leaves. */
static inline void gate_idle(struct gate_pool *p, struct gate_resident *r, uint64_t deadline,
                             uint64_t now)
{
    if (r->state > GATE_MOVING) {
        gate_make_idle(p, r, deadline, now);
    }
}

static inline void gate_wake(struct gate_pool *p, struct gate_resident *r)
{
    if (r->state > GATE_BUSY) {
        gate_make_busy(p, r);
    }
}

/* A resident leaves this CPU's pool, and joins another's, busy or spared. Neither does anything for
 * one that is not under the gatekeeper's eyes. Not while it leaves for the store. */
void gate_quit(struct gate_resident *r);
void gate_join(struct gate_pool *p, struct gate_resident *r);

/* Who should leave this CPU's pool first, of the idle or the busy; NULL: nobody just now. */
struct gate_resident *gate_first(struct gate_pool *p, bool busy, uint64_t now);

/* The first of the furthest class, for which empty classes are dropped and whom time has brought
 * nearer is sorted in again. NULL: nobody idles, or `steps` are used up. */
struct gate_resident *gate_first_idle(struct gate_pool *p, uint64_t now, unsigned steps);

/* Whether anybody else than `r`, or NULL, is busy. Any CPU may ask, but only the pool's own with an
 * `r`; false when there is no pool. */
bool gate_has_busy(const struct gate_pool *p, const struct gate_resident *r);

#endif
