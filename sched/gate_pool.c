/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The residents of one CPU.
 *
 * Invariants: a resident is in `busy` or in one of `idle` exactly while its state says so, and in
 * no list otherwise. Nobody idles in a nearer class than the time that remains: as it passes, the
 * class is left too far. So whoever comes first in the furthest class, and still belongs there,
 * remains idle for at least half as long as anyone.
 */
#include "sched/gate_pool.h"

void gate_pool_init(struct gate_pool *p)
{
    *p = (struct gate_pool){0};
    list_init(&p->busy);
    for (unsigned class = 0; class < GATE_CLASSES; class ++) {
        list_init(&p->idle[class]);
    }
}

void gate_push_busy(struct gate_pool *p, struct gate_resident *r)
{
    r->state = GATE_BUSY;
    list_push_back(&p->busy, &r->link);
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

static void move_to_idle(struct gate_pool *p, struct gate_resident *r, unsigned class)
{
    move(&r->link, &p->idle[class]);
    p->idle_classes |= 1ull << class;
}

void gate_make_idle(struct gate_pool *p, struct gate_resident *r, uint64_t deadline, uint64_t now)
{
    move_to_idle(p, r, class_of(deadline, now));
    r->deadline = deadline;
    r->state = GATE_IDLE;
    if (unlikely(p->hungry)) {
        p->due = true;
    }
}

void gate_make_busy(struct gate_pool *p, struct gate_resident *r)
{
    move(&r->link, &p->busy);
    r->state = GATE_BUSY;
    if (unlikely(p->hungry)) {
        p->due = true;
    }
}

void gate_quit(struct gate_resident *r)
{
    if (r->state > GATE_MOVING) {
        list_remove(&r->link);
        r->spared = r->state == GATE_SPARED;
        r->state = GATE_MOVING;
    }
}

void gate_join(struct gate_pool *p, struct gate_resident *r)
{
    if (r->state == GATE_MOVING && r->spared) {
        r->state = GATE_SPARED;
    } else if (r->state == GATE_MOVING) {
        gate_push_busy(p, r);
    }
}

struct gate_resident *gate_first_idle(struct gate_pool *p, uint64_t now, unsigned steps)
{
    for (; p->idle_classes && steps > 0; steps--) {
        unsigned class = (unsigned)__builtin_ctzll(p->idle_classes);
        struct list *l = &p->idle[class];
        if (list_empty(l)) {
            p->idle_classes &= p->idle_classes - 1;
            continue;
        }
        struct gate_resident *r = gate_first_of(l);
        unsigned belongs = class_of(r->deadline, now);
        if (belongs <= class) {
            return r;
        }
        move_to_idle(p, r, belongs);
    }
    return NULL;
}

struct gate_resident *gate_first(struct gate_pool *p, bool busy, uint64_t now)
{
    struct gate_resident *r = gate_first_idle(p, now, GATE_STEPS_MAX);
    return r || !busy || list_empty(&p->busy) ? r : gate_first_of(&p->busy);
}

bool gate_has_busy(const struct gate_pool *p, const struct gate_resident *r)
{
    if (!p) {
        return false;
    }
    const struct list *first = __atomic_load_n(&p->busy.next, __ATOMIC_RELAXED);
    if (r && first == &r->link) {
        first = first->next;
    }
    return first != &p->busy;
}
