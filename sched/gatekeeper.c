/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gatekeeper.
 *
 * Invariants: a resident is in `busy` or in one of `idle` exactly while its state says so, a waiter
 * in `waiting` or `ahead` likewise, and in no list otherwise. Nobody idles in a nearer class than
 * the time that remains: as it passes, the class is left too far. So whoever comes first in the
 * furthest class, and still belongs there, remains idle for at least half as long as anyone. Before
 * the owner is asked for a VM it counts as on its way, so the owner may finish at once.
 */
#include "sched/gatekeeper.h"

#include "arch/time.h"

#define STEPS_MAX 64 /* of eviction in a run */

void gate_init(struct gate *g, const struct gate_ops *ops, const struct gate_limits *limits)
{
    *g = (struct gate){.ops = ops, .limits = *limits, .deadline = TICKS_NEVER};
    g->limits.arriving = MAX(limits->arriving, 1u);
    list_init(&g->waiting);
    list_init(&g->ahead);
    list_init(&g->busy);
    for (unsigned class = 0; class < GATE_CLASSES; class ++) {
        list_init(&g->idle[class]);
    }
}

static struct gate_waiter *first_waiter(const struct list *queue)
{
    return list_first(queue, struct gate_waiter, link);
}

static struct gate_resident *first_resident(const struct list *l)
{
    return list_first(l, struct gate_resident, link);
}

static void enqueue(struct list *queue, struct gate_waiter *w, uint32_t frames, uint64_t now)
{
    w->frames = frames;
    w->since = now;
    w->why = GATE_ORDER;
    list_push_back(queue, &w->link);
}

void gate_want(struct gate *g, struct gate_waiter *w, uint32_t frames, uint64_t now)
{
    if (w->state == GATE_QUEUED || w->state == GATE_ARRIVING) {
        return;
    }
    if (w->state == GATE_AHEAD) {
        list_remove(&w->link);
    }
    if (list_empty(&g->waiting)) {
        g->patience_from = now;
    }
    enqueue(&g->waiting, w, frames, now);
    w->state = GATE_QUEUED;
    g->waiting_count++;
    g->counters.wanted++;
    g->due = true;
}

void gate_want_ahead(struct gate *g, struct gate_waiter *w, uint32_t frames, uint64_t now)
{
    if (w->state != GATE_OUT) {
        return;
    }
    enqueue(&g->ahead, w, frames, now);
    w->state = GATE_AHEAD;
    g->counters.wanted_ahead++;
    g->due = true;
}

void gate_forget(struct gate *g, struct gate_waiter *w)
{
    if (w->state != GATE_QUEUED && w->state != GATE_AHEAD) {
        return;
    }
    g->waiting_count -= w->state == GATE_QUEUED;
    list_remove(&w->link);
    w->state = GATE_OUT;
    g->due = true;
}

static void push_busy(struct gate *g, struct gate_resident *r)
{
    r->state = GATE_BUSY;
    list_push_back(&g->busy, &r->link);
}

void gate_enter(struct gate *g, struct gate_resident *r, uint32_t frames)
{
    r->frames = frames;
    push_busy(g, r);
    g->resident_count++;
    g->due = true;
}

void gate_arrived(struct gate *g, struct gate_waiter *w, struct gate_resident *r, uint32_t frames)
{
    w->state = GATE_OUT;
    g->arriving_count--;
    g->arriving_frames -= w->frames;
    g->due = true;
    if (!r) {
        g->counters.failed++;
        return;
    }
    g->arrived = true;
    g->counters.arrived++;
    gate_enter(g, r, frames);
}

void gate_remove(struct gate *g, struct gate_resident *r)
{
    if (r->state == GATE_APART) {
        return;
    }
    list_remove(&r->link);
    r->state = GATE_APART;
    g->resident_count--;
    g->due = true;
}

static unsigned class_of(uint64_t deadline, uint64_t now)
{
    uint64_t remains = deadline > now ? deadline - now : 0;
    return (unsigned)__builtin_clzll(remains | 1);
}

/* As list_remove and list_push_back, in fewer instructions. */
static void move(struct list *e, struct list *to)
{
    struct list *next = e->next, *prev = e->prev;
    prev->next = next;
    next->prev = prev;
    list_push_back(to, e);
}

static void move_to_idle(struct gate *g, struct gate_resident *r, unsigned class)
{
    move(&r->link, &g->idle[class]);
    g->idle_classes |= 1ull << class;
}

void gate_make_idle(struct gate *g, struct gate_resident *r, uint64_t deadline, uint64_t now)
{
    move_to_idle(g, r, class_of(deadline, now));
    r->deadline = deadline;
    r->state = GATE_IDLE;
    if (unlikely(g->hungry)) {
        g->due = true;
    }
}

void gate_make_busy(struct gate *g, struct gate_resident *r)
{
    move(&r->link, &g->busy);
    r->state = GATE_BUSY;
    if (unlikely(g->hungry)) {
        g->due = true;
    }
}

static void end_leaving(struct gate *g, const struct gate_resident *r)
{
    g->leaving_count--;
    g->leaving_frames -= r->frames;
    g->due = true;
}

void gate_left(struct gate *g, struct gate_resident *r)
{
    end_leaving(g, r);
    r->state = GATE_APART;
    g->resident_count--;
}

void gate_kept(struct gate *g, struct gate_resident *r)
{
    end_leaving(g, r);
    push_busy(g, r);
    g->counters.kept++;
}

void gate_poke(struct gate *g)
{
    g->admit_later = g->evict_later = false;
    g->due = true;
}

/* Whether so many frames are free that are promised to nobody. */
static bool has_free(const struct gate *g, uint64_t frames)
{
    return g->ops->free_frames() >= frames + g->arriving_frames;
}

static bool will_have_free(const struct gate *g, uint64_t frames)
{
    return g->ops->free_frames() + g->leaving_frames >= frames + g->arriving_frames;
}

static enum gate_reason why_not(const struct gate *g, const struct gate_waiter *w, uint64_t keep)
{
    if (g->arriving_count && (g->arriving_count >= g->limits.arriving ||
                              g->arriving_frames + w->frames > g->limits.transit)) {
        return GATE_TRANSIT;
    }
    bool alone = g->resident_count == 0 && g->arriving_count == 0;
    if (!has_free(g, keep + w->frames) && !alone) {
        return GATE_FRAMES;
    }
    return g->admit_later ? GATE_ADMIT : GATE_NO_REASON;
}

/* Asks for the first of a queue; false: it is the first still. `w` may be anything afterwards. */
static bool admit(struct gate *g, struct list *queue)
{
    struct gate_waiter *w = first_waiter(queue);
    uint8_t state = w->state;
    uint32_t frames = w->frames;
    list_remove(&w->link);
    w->state = GATE_ARRIVING;
    g->arriving_count++;
    g->arriving_frames += frames;
    if (g->ops->admit(w) == GATE_STARTED) {
        return true;
    }
    g->arriving_count--;
    g->arriving_frames -= frames;
    w->state = state;
    list_push_front(queue, &w->link);
    g->admit_later = true;
    return false;
}

static void admit_waiting(struct gate *g, uint32_t *left, uint64_t now)
{
    enum gate_reason why = GATE_NO_REASON;
    while (!list_empty(&g->waiting)) {
        struct gate_waiter *w = first_waiter(&g->waiting);
        uint64_t waited = now - MIN(w->since, now); /* it may have come since */
        why = *left ? why_not(g, w, g->limits.floor) : GATE_TRANSIT;
        if (why) {
            w->why = (uint8_t)why;
            g->counters.held[why]++;
            return;
        }
        if (admit(g, &g->waiting)) {
            --*left;
            g->waiting_count--;
            g->patience_from = now;
            g->counters.admitted++;
            g->counters.waited_ticks += waited;
            g->counters.waited_longest = MAX(g->counters.waited_longest, waited);
        }
    }
}

static void admit_ahead(struct gate *g, uint32_t *left)
{
    while (*left && list_empty(&g->waiting) && !list_empty(&g->ahead) &&
           has_free(g, g->limits.low + first_waiter(&g->ahead)->frames) &&
           !why_not(g, first_waiter(&g->ahead), g->limits.floor) && admit(g, &g->ahead)) {
        --*left;
        g->counters.admitted_ahead++;
    }
}

/* Asks the first of `from` to leave; false: nobody can just now. */
static bool evict(struct gate *g, struct list *from, uint64_t *counter)
{
    struct gate_resident *r = first_resident(from);
    if (g->leaving_count && g->leaving_frames + r->frames > g->limits.transit) {
        return false;
    }
    uint8_t state = r->state;
    list_remove(&r->link);
    r->state = GATE_LEAVING;
    g->leaving_count++;
    g->leaving_frames += r->frames;
    enum gate_answer answer = g->ops->evict(r);
    if (answer == GATE_STARTED) {
        ++*counter;
        return true;
    }
    g->leaving_count--;
    g->leaving_frames -= r->frames;
    if (answer == GATE_NEVER) {
        r->state = GATE_SPARED;
        g->counters.refused++;
        return true;
    }
    r->state = state;
    list_push_front(from, &r->link);
    g->evict_later = true;
    return false;
}

/* One step towards an eviction from the furthest class: drops an empty class, sorts in again whom
 * time has brought nearer, or asks. */
static bool evict_idle(struct gate *g, uint64_t now)
{
    unsigned class = (unsigned)__builtin_ctzll(g->idle_classes);
    struct list *l = &g->idle[class];
    if (list_empty(l)) {
        g->idle_classes &= g->idle_classes - 1;
        return true;
    }
    struct gate_resident *r = first_resident(l);
    unsigned belongs = class_of(r->deadline, now);
    if (belongs > class) {
        move_to_idle(g, r, belongs);
        return true;
    }
    return evict(g, l, class ? &g->counters.evicted_timed : &g->counters.evicted_idle);
}

/* False: enough are leaving, or nobody can. */
static bool evict_step(struct gate *g, uint64_t now)
{
    bool wanted = !list_empty(&g->waiting) &&
                  !will_have_free(g, g->limits.floor + first_waiter(&g->waiting)->frames);
    bool low = g->evicting && !will_have_free(g, g->limits.high);
    if (g->evict_later || !(wanted || low)) {
        return false;
    }
    if (g->idle_classes) {
        return evict_idle(g, now);
    }
    uint64_t waited = now - MIN(g->patience_from, now);
    if (wanted && waited < g->limits.patience) {
        g->deadline = now + (g->limits.patience - waited);
    } else if (wanted && !list_empty(&g->busy)) {
        return evict(g, &g->busy, &g->counters.evicted_busy);
    }
    g->hungry = true;
    return false;
}

void gate_run(struct gate *g, uint64_t now)
{
    uint32_t left = g->limits.arriving;
    g->due = g->hungry = false;
    g->deadline = TICKS_NEVER;
    if (g->arrived) {
        g->patience_from = now;
        g->arrived = false;
    }
    admit_waiting(g, &left, now);
    admit_ahead(g, &left);
    g->evicting = !has_free(g, g->evicting ? g->limits.high : g->limits.low);
    unsigned steps = 0;
    while (steps < STEPS_MAX && evict_step(g, now)) {
        steps++;
    }
    g->due |= left == 0 || steps == STEPS_MAX;
}
