/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Circular doubly-linked lists threaded through their elements. Every operation is constant time.
 * An element that is in no list points to itself.
 */
#ifndef CORE_BASE_LIST_H
#define CORE_BASE_LIST_H

#include "core/base/types.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_between(struct list *e, struct list *prev, struct list *next)
{
    e->prev = prev;
    e->next = next;
    prev->next = e;
    next->prev = e;
}

static inline void list_push_front(struct list *l, struct list *e)
{
    list_insert_between(e, l, l->next);
}

static inline void list_push_back(struct list *l, struct list *e)
{
    list_insert_between(e, l->prev, l);
}

/* Takes `e` out of whatever list it is in; harmless when it is in none. */
static inline void list_remove(struct list *e)
{
    e->prev->next = e->next;
    e->next->prev = e->prev;
    list_init(e);
}

/* Takes the first element out of a list that is not empty. */
static inline struct list *list_pop(struct list *l)
{
    struct list *e = l->next;
    struct list *next = e->next;
    l->next = next;
    next->prev = l;
    list_init(e);
    return e;
}

#define list_first(l, type, member) container_of((l)->next, type, member)

#define list_for_each(e, l) for (struct list *e = (l)->next; e != (l); e = e->next)

#endif
