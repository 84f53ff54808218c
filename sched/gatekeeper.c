/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gatekeeper.
 *
 * Invariants: a waiter is in `waiting` or `ahead` exactly while its state says so, and in no list
 * otherwise. Before the owner is asked for a VM it counts as on its way, so the owner may finish at
 * once.
 *
 * What is read of another CPU's pool may have changed since: it says whom to ask, and whoever is
 * asked looks again. A pool that becomes useful just as `hungry` is set is found at the end of the
 * first waiter's patience at the latest.
 */
#include "sched/gatekeeper.h"

#include "arch/time.h"

void gate_add_pool(struct gate *g, unsigned cpu, struct gate_pool *p)
{
    gate_pool_init(p);
    g->pools[cpu] = p;
}

void gate_init(struct gate *g, const struct gate_ops *ops, const struct gate_limits *limits)
{
    *g = (struct gate){.ops = ops, .limits = *limits, .deadline = TICKS_NEVER};
    g->limits.arriving = MAX(limits->arriving, 1u);
    list_init(&g->waiting);
    list_init(&g->ahead);
    gate_add_pool(g, 0, &g->own);
}

static struct gate_waiter *first_waiter(const struct list *queue)
{
    return list_first(queue, struct gate_waiter, link);
}

static void enqueue(struct list *queue, struct gate_waiter *w, uint32_t frames, uint64_t now)
{
    w->frames = frames;
    w->since = now;
    w->why = GATE_ORDER;
    list_push_back(queue, &w->link);
}

/* Somebody will wait for frames. */
static void begin_patience(struct gate *g, uint64_t now)
{
    if (list_empty(&g->waiting) && !g->starving) {
        g->patience_from = now;
    }
}

void gate_want(struct gate *g, struct gate_waiter *w, uint32_t frames, uint64_t now)
{
    if (w->state == GATE_QUEUED || w->state == GATE_ARRIVING) {
        return;
    }
    if (w->state == GATE_AHEAD) {
        list_remove(&w->link);
    }
    begin_patience(g, now);
    enqueue(&g->waiting, w, frames, now);
    w->state = GATE_QUEUED;
    g->waiting_count++;
    g->counters.wanted++;
    g->own.due = true;
}

void gate_want_ahead(struct gate *g, struct gate_waiter *w, uint32_t frames, uint64_t now)
{
    if (w->state != GATE_OUT) {
        return;
    }
    enqueue(&g->ahead, w, frames, now);
    w->state = GATE_AHEAD;
    g->counters.wanted_ahead++;
    g->own.due = true;
}

void gate_forget(struct gate *g, struct gate_waiter *w)
{
    if (w->state != GATE_QUEUED && w->state != GATE_AHEAD) {
        return;
    }
    g->waiting_count -= w->state == GATE_QUEUED;
    list_remove(&w->link);
    w->state = GATE_OUT;
    g->own.due = true;
}

void gate_enter(struct gate *g, struct gate_resident *r, uint32_t frames)
{
    r->frames = frames;
    gate_push_busy(&g->own, r);
    g->resident_count++;
    g->own.due = true;
}

void gate_arrived(struct gate *g, struct gate_waiter *w, struct gate_resident *r, uint32_t frames)
{
    w->state = GATE_OUT;
    g->arriving_count--;
    g->arriving_frames -= w->frames;
    g->own.due = true;
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
    g->own.due = true;
}

static void end_leaving(struct gate *g, uint32_t frames)
{
    g->leaving_count--;
    g->leaving_frames -= frames;
    g->own.due = true;
}

void gate_left(struct gate *g, struct gate_resident *r)
{
    end_leaving(g, r->frames);
    r->state = GATE_APART;
    g->resident_count--;
}

void gate_kept(struct gate *g, struct gate_resident *r)
{
    end_leaving(g, r->frames);
    gate_push_busy(&g->own, r);
    g->counters.kept++;
}

void gate_starve(struct gate *g, uint32_t frames, uint64_t now)
{
    begin_patience(g, now);
    g->starving = frames;
    gate_poke(g);
}

void gate_poke(struct gate *g)
{
    g->admit_later = g->evict_later = false;
    g->own.due = true;
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

/* Asks `r`, which is in `from`, to leave; false: nobody can just now. */
static bool evict(struct gate *g, struct gate_resident *r, struct list *from, uint64_t *counter)
{
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

/* Asks another CPU for somebody; false: enough are leaving, or were asked for. */
static bool ask(struct gate *g, unsigned cpu, bool busy)
{
    if ((g->leaving_count && g->leaving_frames + GATE_ASKED_FRAMES > g->limits.transit) ||
        g->asked[cpu] == GATE_ASKED_MAX || g->ops->ask(cpu, busy) != GATE_STARTED) {
        return false;
    }
    g->asked[cpu]++;
    g->leaving_count++;
    g->leaving_frames += GATE_ASKED_FRAMES;
    return true;
}

void gate_given(struct gate *g, unsigned cpu, struct gate_resident *r)
{
    g->asked[cpu]--;
    end_leaving(g, GATE_ASKED_FRAMES);
    if (r && r->state == GATE_BUSY) { /* whoever idles is found by gate_run */
        (void)evict(g, r, &g->own.busy, &g->counters.evicted_busy);
    }
}

/* One step towards an eviction from the own pool: sorts, or asks. */
static bool evict_idle(struct gate *g, uint64_t now)
{
    if (!gate_first_idle(&g->own, now, 1)) {
        return true;
    }
    unsigned class = (unsigned)__builtin_ctzll(g->own.idle_classes);
    struct list *l = &g->own.idle[class];
    return evict(g, gate_first_of(l), l,
                 class ? &g->counters.evicted_timed : &g->counters.evicted_idle);
}

/* The CPU whose pool has somebody in the furthest class of all, the gatekeeper's own before others;
 * CPUS_MAX: nobody idles. */
static unsigned idlest(const struct gate *g)
{
    unsigned best = CPUS_MAX, furthest = GATE_CLASSES;
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        const struct gate_pool *p = g->pools[cpu];
        uint64_t classes = p ? __atomic_load_n(&p->idle_classes, __ATOMIC_RELAXED) : 0;
        if (classes && g->asked[cpu] < GATE_ASKED_MAX &&
            (unsigned)__builtin_ctzll(classes) < furthest) {
            furthest = (unsigned)__builtin_ctzll(classes);
            best = cpu;
        }
    }
    return best;
}

bool gate_others_can_leave(const struct gate *g, const struct gate_resident *r)
{
    bool can = gate_has_busy(&g->own, r) || idlest(g) < CPUS_MAX;
    for (unsigned cpu = 1; cpu < CPUS_MAX; cpu++) {
        can |= gate_has_busy(g->pools[cpu], NULL);
    }
    return can;
}

/* Asks for whoever has been busy for the longest on a CPU: on each in turn. */
static bool evict_busy(struct gate *g)
{
    for (unsigned i = 0; i < CPUS_MAX; i++) {
        unsigned cpu = (g->busy_from + i) % CPUS_MAX;
        if (gate_has_busy(g->pools[cpu], NULL)) {
            g->busy_from = cpu + 1;
            return cpu ? ask(g, cpu, true)
                       : evict(g, gate_first_of(&g->own.busy), &g->own.busy,
                               &g->counters.evicted_busy);
        }
    }
    return false;
}

static void set_hungry(struct gate *g, bool hungry)
{
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        if (g->pools[cpu]) {
            __atomic_store_n(&g->pools[cpu]->hungry, hungry, __ATOMIC_RELAXED);
        }
    }
}

/* False: enough are leaving, or nobody can. */
static bool evict_step(struct gate *g, uint64_t now)
{
    uint64_t frames = g->starving;
    if (!list_empty(&g->waiting)) {
        frames = MAX(frames, g->limits.floor + first_waiter(&g->waiting)->frames);
    }
    bool wanted = frames && !will_have_free(g, frames);
    bool low = g->evicting && !will_have_free(g, g->limits.high);
    if (g->evict_later || !(wanted || low)) {
        return false;
    }
    unsigned from = idlest(g);
    if (from < CPUS_MAX) {
        return from ? ask(g, from, false) : evict_idle(g, now);
    }
    uint64_t waited = now - MIN(g->patience_from, now);
    if (wanted && waited < g->limits.patience) {
        g->deadline = now + (g->limits.patience - waited);
    } else if (wanted && evict_busy(g)) {
        return true;
    }
    set_hungry(g, true);
    return false;
}

void gate_run(struct gate *g, uint64_t now)
{
    uint32_t left = g->limits.arriving;
    g->own.due = false;
    set_hungry(g, false);
    g->deadline = TICKS_NEVER;
    if (g->arrived) {
        g->patience_from = now;
        g->arrived = false;
    }
    admit_waiting(g, &left, now);
    admit_ahead(g, &left);
    g->evicting = !has_free(g, g->evicting ? g->limits.high : g->limits.low);
    unsigned steps = 0;
    while (steps < GATE_STEPS_MAX && evict_step(g, now)) {
        steps++;
    }
    g->own.due |= left == 0 || steps == GATE_STEPS_MAX;
}
