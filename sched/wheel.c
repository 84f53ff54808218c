/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hierarchical timing wheel. Read a granule number as digits of 6 bits; a timeout waits on the
 * level of the highest digit in which its granule differs from now, in the slot of its own digit:
 *
 *      level      7 ... 2  1  0
 *      now        0 ... 0  5  9
 *      granule    0 ... 0  7 60     differs on level 1: slots[1][7]
 *
 * Invariants: on a level below the top, every occupied slot lies after now's digit (level 0: or at
 * it), so all that waits on one level is due before anything on the next. The top level is a ring:
 * what is too far away for it waits in its last slot and is sorted in again from there. A slot's
 * bit in `occupied` is set exactly while the slot's list is not empty, so any leap of time costs
 * one step for each occupied slot, not for each granule.
 */
#include "sched/wheel.h"

#define DIGIT_BITS 6
#define DIGIT_MASK (WHEEL_SLOTS - 1u)
#define TOP (WHEEL_LEVELS - 1u)

_Static_assert(WHEEL_SLOTS == 1 << DIGIT_BITS, "a digit selects a slot");

/* Where the earliest timeout waits. */
struct place {
    unsigned level;
    unsigned slot;
    uint64_t granule; /* the slot's first */
};

void wheel_init(struct wheel *w, uint64_t now_ticks, uint64_t granule_ticks)
{
    *w = (struct wheel){.next = UINT64_MAX};
    if (granule_ticks > 1) {
        w->granule_shift = 63u - (unsigned)__builtin_clzll(granule_ticks);
    }
    w->now = now_ticks >> w->granule_shift;
}

static unsigned level_of(uint64_t now, uint64_t granule)
{
    uint64_t differ = (now ^ granule) | 1;
    unsigned level = (63u - (unsigned)__builtin_clzll(differ)) / DIGIT_BITS;
    return MIN(level, TOP);
}

static uint64_t ticks_of(const struct wheel *w, uint64_t granule)
{
    return granule > UINT64_MAX >> w->granule_shift ? UINT64_MAX : granule << w->granule_shift;
}

/* Puts `t` where its deadline belongs, seen from now. */
static void sort_in(struct wheel *w, struct timeout *t)
{
    uint64_t partial = (1ull << w->granule_shift) - 1;
    uint64_t granule = (t->deadline >> w->granule_shift) + ((t->deadline & partial) != 0);
    granule = MAX(granule, w->now);

    unsigned level = level_of(w->now, granule);
    unsigned shift = level * DIGIT_BITS;
    uint64_t ahead = (granule >> shift) - (w->now >> shift);
    ahead = MIN(ahead, DIGIT_MASK);
    uint64_t digits = (w->now >> shift) + ahead;
    unsigned slot = (unsigned)digits & DIGIT_MASK;

    struct timeout **head = &w->slots[level][slot];
    t->next = *head;
    t->link = head;
    if (t->next) {
        t->next->link = &t->next;
    }
    *head = t;
    w->occupied[level] |= 1ull << slot;
    w->next = MIN(w->next, ticks_of(w, digits << shift));
}

void wheel_add(struct wheel *w, struct timeout *t, uint64_t deadline)
{
    t->deadline = deadline;
    sort_in(w, t);
}

void wheel_cancel(struct wheel *w, struct timeout *t)
{
    struct timeout **link = t->link;
    if (!link) {
        return;
    }
    t->link = NULL;
    *link = t->next;
    if (t->next) {
        t->next->link = link;
        return;
    }
    uintptr_t slot = ((uintptr_t)link - (uintptr_t)w->slots) / sizeof(*link);
    if (slot < WHEEL_LEVELS * WHEEL_SLOTS) { /* it was the first of its slot, and the last */
        w->occupied[slot / WHEEL_SLOTS] &= ~(1ull << (slot % WHEEL_SLOTS));
    }
}

static uint64_t rotate_right(uint64_t v, unsigned n)
{
    return v >> (n & 63) | v << (-n & 63);
}

static bool find_earliest(const struct wheel *w, struct place *p)
{
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        if (w->occupied[level] == 0) {
            continue;
        }
        unsigned shift = level * DIGIT_BITS;
        uint64_t digits = w->now >> shift;
        uint64_t ahead_of_now = rotate_right(w->occupied[level], (unsigned)digits & DIGIT_MASK);
        digits += (unsigned)__builtin_ctzll(ahead_of_now);
        p->level = level;
        p->slot = (unsigned)digits & DIGIT_MASK;
        p->granule = digits << shift;
        return true;
    }
    return false;
}

/* Sorts all of a slot in again, one level down or more: now has come to it. */
static void move_down(struct wheel *w, const struct place *p)
{
    struct timeout *t = w->slots[p->level][p->slot];
    w->slots[p->level][p->slot] = NULL;
    w->occupied[p->level] &= ~(1ull << p->slot);
    while (t) {
        struct timeout *next = t->next;
        sort_in(w, t);
        t = next;
    }
}

struct timeout *wheel_expire(struct wheel *w, uint64_t now_ticks)
{
    uint64_t target = now_ticks >> w->granule_shift;
    struct place p;
    while (find_earliest(w, &p) && p.granule <= target) {
        w->now = MAX(w->now, p.granule);
        if (p.level == 0) {
            struct timeout *t = w->slots[0][p.slot];
            wheel_cancel(w, t);
            return t;
        }
        move_down(w, &p);
    }
    w->now = MAX(w->now, target);
    w->next = find_earliest(w, &p) ? ticks_of(w, p.granule) : UINT64_MAX;
    return NULL;
}
