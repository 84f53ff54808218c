/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The multiplexer: which runnable VM a CPU runs next, and for how long.
 *
 * Round robin; a quantum is wall time (physical ticks) times weight / SCHED_WEIGHT_NORMAL. A VM
 * that idles before its quantum ends keeps the rest as credit: when it wakes it runs before those
 * that used theirs up, for as long as the credit lasts (Denali's compensation, section 3.3 of the
 * paper). Credit comes back with the VM's turn in the ordinary queue, so no VM gets more than one
 * quantum a round.
 *
 * One multiplexer for each CPU; only that CPU touches it and its entries. All constant time.
 */
#ifndef SCHED_MUX_H
#define SCHED_MUX_H

#include "core/base/list.h"
#include "core/base/types.h"

#define SCHED_WEIGHT_NORMAL 256
/* A background entry runs while nobody else can; otherwise for this part of a quantum, and of all
 * time for no more than one in BACKGROUND_SHARE. */
#define BACKGROUND_SLICE 20
#define BACKGROUND_SHARE 25

#define SCHED_WEIGHT_MIN 1
#define SCHED_WEIGHT_MAX 65535

enum sched_state { SCHED_BLOCKED, SCHED_READY, SCHED_RUNNING };

/* A VM's part in scheduling, its virtual clock included. */
struct sched_entry {
    struct list link;
    uint64_t credit;        /* ticks of the quantum not yet used */
    uint64_t virtual_ticks; /* CNTVCT when it last stopped: the CPU time that it has used */
    uint64_t voffset;       /* CNTVOFF while it runs: physical minus virtual */
    uint16_t weight;
    uint8_t state;
    uint8_t cpu; /* home */
    bool background;
};

struct mux {
    struct list boosted; /* awake with credit left */
    struct list ready;   /* round robin */
    struct list background;
    struct sched_entry *current;
    uint64_t quantum;   /* ticks at normal weight */
    uint64_t slice_end; /* of current; meaningful while others are ready */
    uint64_t started;   /* when current was given the CPU, or, without one, was last looked for */
    uint64_t background_due; /* when it has its next turn though others are ready */
    uint64_t turns;          /* times that an entry was given the CPU */
    uint64_t idle_ticks;
    uint32_t ready_count;  /* in all queues */
    bool background_waits; /* `background` is not empty */
    bool compensate;       /* switchable, to measure what it is worth */
};

void mux_init(struct mux *m, uint64_t quantum_ticks);
void sched_entry_init(struct sched_entry *e, uint16_t weight, uint8_t cpu);

/* Makes a blocked entry runnable; harmless when it is runnable already. */
void mux_wake(struct mux *m, struct sched_entry *e);

/* As mux_wake, and puts it before all others and ends the current slice: the synchronous variant
 * of event delivery, for comparison with batching. An entry whose quantum is used up waits for its
 * turn all the same, so that two that wake each other cannot starve the rest. */
void mux_wake_now(struct mux *m, struct sched_entry *e, uint64_t now);

/* The current entry stops at `now`: it waits for an event; it gave way but is still runnable; its
 * slice ended. Stops its virtual clock and charges it. */
enum mux_stop { MUX_BLOCK, MUX_YIELD, MUX_PREEMPT };
void mux_stop(struct mux *m, enum mux_stop why, uint64_t now);

/* Chooses and starts the next entry: sets its voffset and the slice. NULL: none is runnable.
 * There must be no current one. */
struct sched_entry *mux_start(struct mux *m, uint64_t now);

/* The same while nobody waits in the background and the CPU has not slept: the common case. */
struct sched_entry *mux_start_foreground(struct mux *m, uint64_t now);

static inline bool mux_has_background(const struct mux *m)
{
    return m->background_waits;
}

/* Whether current must give way at `now`: its slice is over and another is ready. */
bool mux_slice_over(const struct mux *m, uint64_t now);

/* When the slice must be looked at next: slice_end, or UINT64_MAX when nobody else is ready. */
uint64_t mux_deadline(const struct mux *m);

/* Takes an entry out for good, current or not; it is blocked afterwards. */
void mux_remove(struct mux *m, struct sched_entry *e, uint64_t now);

#endif
