/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The multiplexer.
 *
 *      woken, credit left ----> boosted --+
 *                                         +--> current ---> blocked
 *      woken, none left ------> ready ----+      |
 *      woken, background -> background ---+      |
 *                                 ^   new quantum|
 *                                 +--------------+ slice over, or gave way
 *
 * Invariants: an entry is in `boosted` or `ready` exactly while its state is SCHED_READY, and
 * ready_count counts those. Only a turn taken from `ready` refills credit, and `ready` is served
 * in order whenever `boosted` is empty; between two such turns an entry spends at most one quantum.
 * So nobody waits for longer than one quantum of every other entry. `background` is served when
 * both are empty, and otherwise for no more than its share.
 */
#include "sched/mux.h"

void mux_init(struct mux *m, uint64_t quantum_ticks)
{
    *m = (struct mux){.quantum = MAX(quantum_ticks, (uint64_t)SCHED_WEIGHT_NORMAL),
                      .compensate = true};
    list_init(&m->boosted);
    list_init(&m->ready);
    list_init(&m->background);
}

void sched_entry_init(struct sched_entry *e, uint16_t weight, uint8_t cpu)
{
    *e = (struct sched_entry){.weight = MAX(weight, (uint16_t)SCHED_WEIGHT_MIN), .cpu = cpu};
    list_init(&e->link);
}

static void enqueue(struct mux *m, struct sched_entry *e, struct list *queue)
{
    e->state = SCHED_READY;
    m->ready_count++;
    list_push_back(queue, &e->link);
}

/* The queue, of which one is to be. */
static struct list *background(struct mux *m)
{
    m->background_waits = true;
    return &m->background;
}

static void dequeue(struct mux *m, struct sched_entry *e)
{
    m->ready_count--;
    list_remove(&e->link);
    m->background_waits = !list_empty(&m->background);
}

void mux_wake(struct mux *m, struct sched_entry *e)
{
    if (e->state != SCHED_BLOCKED) {
        return;
    }
    struct list *queue = m->compensate && e->credit ? &m->boosted : &m->ready;
    if (unlikely(e->background)) {
        queue = background(m);
    }
    enqueue(m, e, queue);
}

void mux_wake_now(struct mux *m, struct sched_entry *e, uint64_t now)
{
    if (e == m->current || e->credit == 0 || e->background) {
        mux_wake(m, e);
        return;
    }
    if (e->state == SCHED_READY) {
        dequeue(m, e);
    }
    e->state = SCHED_READY;
    m->ready_count++;
    list_push_front(&m->boosted, &e->link);
    m->slice_end = MIN(m->slice_end, now);
}

/* Where a stopped entry goes that can still run. One whose slice was cut short by mux_wake_now
 * keeps the rest of its quantum; one that gave way has given it up. */
static struct list *queue_after(struct mux *m, const struct sched_entry *e, enum mux_stop why)
{
    if (unlikely(e->background)) {
        return background(m);
    }
    return why == MUX_PREEMPT && e->credit ? &m->boosted : &m->ready;
}

/* On the path of every switch: to be made part of its callers. */
inline void mux_stop(struct mux *m, enum mux_stop why, uint64_t now)
{
    struct sched_entry *e = m->current;
    uint64_t used = now - m->started;
    e->credit -= MIN(e->credit, used);
    e->virtual_ticks = now - e->voffset;
    m->current = NULL;
    m->started = now;
    if (why == MUX_BLOCK) {
        e->state = SCHED_BLOCKED;
    } else {
        enqueue(m, e, queue_after(m, e, why));
    }
}

/* The next entry, out of its queue and with credit; NULL: none. */
static inline struct sched_entry *choose(struct mux *m)
{
    struct list *queue = list_empty(&m->boosted) ? &m->ready : &m->boosted;
    if (unlikely(list_empty(queue))) {
        return NULL;
    }
    m->ready_count--;
    struct sched_entry *e = container_of(list_pop(queue), struct sched_entry, link);
    if (queue == &m->ready) {
        e->credit = m->quantum * e->weight / SCHED_WEIGHT_NORMAL; /* not 0: see mux_init */
    }
    return e;
}

static inline struct sched_entry *start(struct mux *m, struct sched_entry *e, uint64_t now)
{
    m->current = e;
    m->slice_end = now + e->credit;
    m->turns++;
    e->state = SCHED_RUNNING;
    e->voffset = now - e->virtual_ticks;
    return e;
}

/* The first of `background`, if it is its turn, or who comes otherwise. */
static struct sched_entry *start_beside_background(struct mux *m, uint64_t now)
{
    bool alone = list_empty(&m->boosted) && list_empty(&m->ready);
    if (!alone && now < m->background_due) {
        return start(m, choose(m), now);
    }
    struct sched_entry *e = container_of(m->background.next, struct sched_entry, link);
    dequeue(m, e);
    e->credit = m->quantum / BACKGROUND_SLICE;
    m->background_due = now + e->credit * BACKGROUND_SHARE;
    return start(m, e, now);
}

/* Since the last stop, nobody ran. */
static inline void count_idle(struct mux *m, uint64_t now)
{
    if (unlikely(now != m->started)) {
        m->idle_ticks += m->started ? now - m->started : 0;
        m->started = now;
    }
}

struct sched_entry *mux_start_foreground(struct mux *m, uint64_t now)
{
    m->started = now;
    struct sched_entry *e = choose(m);
    return likely(e) ? start(m, e, now) : NULL;
}

struct sched_entry *mux_start(struct mux *m, uint64_t now)
{
    count_idle(m, now);
    return mux_has_background(m) ? start_beside_background(m, now) : mux_start_foreground(m, now);
}

bool mux_slice_over(const struct mux *m, uint64_t now)
{
    return m->ready_count && now >= m->slice_end;
}

uint64_t mux_deadline(const struct mux *m)
{
    return m->ready_count ? m->slice_end : UINT64_MAX;
}

void mux_remove(struct mux *m, struct sched_entry *e, uint64_t now)
{
    if (e == m->current) {
        mux_stop(m, MUX_BLOCK, now);
    } else if (e->state == SCHED_READY) {
        dequeue(m, e);
    }
    e->state = SCHED_BLOCKED;
}
