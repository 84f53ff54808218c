/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gatekeeper: which VMs are resident (Denali, section 3.3 of the paper: who is not admitted
 * waits, and costs nothing).
 *
 *       out --gate_want--> waiting --admit--> arriving --gate_arrived--> busy <--> idle
 *        ^                  (FIFO)                                         |        |
 *        +------------------- gate_left <--- leaving <------- evict -------+--------+
 *
 * Admission is first in, first out, while the frames that a VM needs are free above a floor.
 * Eviction takes the idle first: those that wait for no time, the longest idle ones before others;
 * then those whose deadline is furthest away, up to a factor of two in what remains. When nobody is
 * idle and the first of the queue lacks frames, or a resident does (it starves), the VM that has
 * been busy for the longest goes, once `patience` has passed since nobody waited for frames, since
 * the first of the queue was admitted and since the last arrival. So whoever has arrived and does
 * not idle may work for `patience`, and a waiter with n before it is admitted within
 *
 *       (n + 1) * (patience + the time that one takes to arrive and its victims take to leave)
 *
 * while evictions are not refused and come to an end, those that live do not grow, and none enters
 * past the queue.
 * A VM that needs more than can be free does not stop the queue: it is admitted, below the floor,
 * when nobody else is resident or arriving.
 *
 * What arrives and leaves at a time is bounded, so that the machine always does more work than
 * moving (no thrashing). Frames are promised to a VM until it has arrived; what it has taken of
 * them by then counts twice, which errs on the side of caution.
 *
 * Residents are in the pool of their home CPU, which is the only one to touch it. The gatekeeper is
 * one CPU's; from another's pool it asks for whoever should go, who then joins its own.
 *
 * Nothing here knows what a VM or a frame is: it counts. All but gate_run are constant time.
 * Whatever is called, `own.due` says whether gate_run has something to look at; only a fall of the
 * free frames below `low` it has to be told of.
 */
#ifndef SCHED_GATEKEEPER_H
#define SCHED_GATEKEEPER_H

#include "sched/gate_pool.h"

/* A VM that is out and wants in. */
struct gate_waiter {
    struct list link;
    uint64_t since;  /* physical ticks */
    uint32_t frames; /* that it needs */
    uint8_t state;   /* enum gate_waiting */
    uint8_t why;     /* enum gate_reason, while it is queued */
};

enum gate_waiting { GATE_OUT, GATE_QUEUED, GATE_AHEAD, GATE_ARRIVING };

/* Why the first of the queue waits. */
enum gate_reason {
    GATE_NO_REASON,
    GATE_FRAMES,  /* too few are free */
    GATE_TRANSIT, /* enough is arriving */
    GATE_ADMIT,   /* whoever admits has no means just now */
    GATE_ORDER,   /* others came before */
    GATE_REASONS,
};

enum gate_answer {
    GATE_STARTED, /* it goes on; gate_arrived or gate_left will be called, perhaps already was */
    GATE_LATER,   /* not just now: ask again when gate_poke was called */
    GATE_NEVER,   /* evict only: not this one; not asked for again until it wakes or idles */
};

/* Those with answers may call back whatever belongs to the VM that they are asked for, and
 * gate_want. */
struct gate_ops {
    uint64_t (*free_frames)(void);
    enum gate_answer (*admit)(struct gate_waiter *w);
    enum gate_answer (*evict)(struct gate_resident *r);
    /* Asks CPU `cpu` for the first of its pool, the idle or the busy. GATE_STARTED: gate_given will
     * be called; GATE_LATER. NULL when there is one CPU. */
    enum gate_answer (*ask)(unsigned cpu, bool busy);
};

/* What a VM that another CPU was asked for is thought to free, and how many each is asked for. */
#define GATE_ASKED_FRAMES 24u
#define GATE_ASKED_MAX 16u

struct gate_limits {
    uint64_t floor;     /* free frames that admission leaves to those that live */
    uint64_t low, high; /* below `low` free frames eviction begins, and goes on up to `high` */
    uint64_t transit;   /* frames that may be arriving, as many that may be leaving; or one VM */
    uint32_t arriving;  /* VMs that may be arriving; 0 is 1 */
    uint64_t patience;  /* ticks, below 2^63 */
};

struct gate_counters {
    uint64_t wanted, wanted_ahead, admitted, admitted_ahead, arrived, failed;
    uint64_t evicted_idle, evicted_timed, evicted_busy;
    uint64_t kept;                         /* evictions that were taken back */
    uint64_t refused;                      /* GATE_NEVER */
    uint64_t held[GATE_REASONS];           /* runs that left the first waiting, by reason */
    uint64_t waited_ticks, waited_longest; /* from gate_want to admission */
};

struct gate {
    struct gate_pool own;              /* of the CPU that this is on, CPU 0 */
    struct gate_pool *pools[CPUS_MAX]; /* of all; NULL: there is no such CPU */
    struct list waiting, ahead;
    const struct gate_ops *ops;
    struct gate_limits limits;
    uint32_t waiting_count, arriving_count;
    uint32_t leaving_count;  /* with those that other CPUs were asked for */
    uint32_t resident_count; /* with those that leave */
    uint32_t asked[CPUS_MAX];
    uint32_t starving;  /* frames without which a resident cannot go on, or 0 */
    unsigned busy_from; /* the CPU that is asked for somebody busy next */
    uint64_t arriving_frames, leaving_frames;
    uint64_t patience_from; /* nobody waited or starved, or `waiting` moved, or somebody arrived */
    uint64_t deadline;
    bool evicting;    /* `low` was met, `high` not yet */
    bool arrived;     /* somebody has, since gate_run looked */
    bool admit_later; /* GATE_LATER was the answer, and gate_poke was not called since */
    bool evict_later;
    struct gate_counters counters;
};

void gate_init(struct gate *g, const struct gate_ops *ops, const struct gate_limits *limits);

/* The residents of CPU `cpu` will be in `p`. The gatekeeper's CPU. */
void gate_add_pool(struct gate *g, unsigned cpu, struct gate_pool *p);

/* A VM that is out wants in, for which `frames` are needed. Harmless when it is queued already or
 * arrives; one that was to be read ahead joins the queue. */
void gate_want(struct gate *g, struct gate_waiter *w, uint32_t frames, uint64_t now);

/* The same for one that will want in soon: admitted only while nobody waits and `low` is kept.
 * Nobody is evicted for it. */
void gate_want_ahead(struct gate *g, struct gate_waiter *w, uint32_t frames, uint64_t now);

/* It no longer wants in. Does nothing when it is not queued: one that arrives goes on. */
void gate_forget(struct gate *g, struct gate_waiter *w);

/* What was admitted is there and becomes `r`, of `frames` frames, busy; NULL: it cannot come.
 * Either way it is out of the gatekeeper's hands as a waiter. */
void gate_arrived(struct gate *g, struct gate_waiter *w, struct gate_resident *r, uint32_t frames);

/* A VM that never was out is resident from now on, and busy. */
void gate_enter(struct gate *g, struct gate_resident *r, uint32_t frames);

/* It ends, or is to be let alone: it is not under the gatekeeper's eyes any more. Not while it
 * leaves. Harmless when it is not. */
void gate_remove(struct gate *g, struct gate_resident *r);

/* CPU `cpu`, which was asked, has given `r` up, which has joined the gatekeeper's own pool; if it
 * is busy it is asked to leave at once. Or nobody, NULL. */
void gate_given(struct gate *g, unsigned cpu, struct gate_resident *r);

/* What was to leave is out (`r` is gone after the call), or stays after all, busy. */
void gate_left(struct gate *g, struct gate_resident *r);
void gate_kept(struct gate *g, struct gate_resident *r);

/* A resident cannot go on until `frames` are free: somebody leaves for it, as for the first of the
 * queue, until gate_fed is called. Not 0, and not above `low`. */
void gate_starve(struct gate *g, uint32_t frames, uint64_t now);

static inline void gate_fed(struct gate *g)
{
    g->starving = 0;
}

/* Whether there may be somebody beside `r`, on whatever CPU, who can be asked to leave: now, or
 * when it has been busy for long enough. */
bool gate_others_can_leave(const struct gate *g, const struct gate_resident *r);

/* Frames or means have changed: gate_run has something to do again. */
void gate_poke(struct gate *g);

/* Admits and evicts as far as it can now. Bounded: it starts no more than `limits.arriving`
 * admissions, and makes 64 steps of eviction, each of which asks for one VM or sorts one in again;
 * `due` says whether more is to be done. */
void gate_run(struct gate *g, uint64_t now);

/* When gate_run must be called although nothing changed: the end of somebody's patience; or
 * TICKS_NEVER. Never a time at which it has run already. */
static inline uint64_t gate_deadline(const struct gate *g)
{
    return g->deadline;
}

#endif
