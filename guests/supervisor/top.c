/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A binary heap; its root is what goes when something better comes.
 */
#include "guests/supervisor/top.h"

void top_begin(struct top *t, uint32_t wanted)
{
    t->wanted = wanted < TOP_MAX ? wanted : TOP_MAX;
    t->count = 0;
}

static bool before(const struct top_entry *a, const struct top_entry *b)
{
    return a->key != b->key ? a->key > b->key : a->number < b->number;
}

static void sink(struct top *t, uint32_t i, uint32_t count)
{
    struct top_entry moved = t->at[i];
    for (uint32_t child = 2 * i + 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && before(&t->at[child], &t->at[child + 1])) {
            child++;
        }
        if (!before(&moved, &t->at[child])) {
            break;
        }
        t->at[i] = t->at[child];
        i = child;
    }
    t->at[i] = moved;
}

static void rise(struct top *t, uint32_t i)
{
    struct top_entry moved = t->at[i];
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;
        if (!before(&t->at[parent], &moved)) {
            break;
        }
        t->at[i] = t->at[parent];
        i = parent;
    }
    t->at[i] = moved;
}

void top_add(struct top *t, uint64_t key, uint32_t number)
{
    struct top_entry entry = {key, number};
    if (t->count < t->wanted) {
        t->at[t->count] = entry;
        rise(t, t->count++);
    } else if (t->count > 0 && before(&entry, &t->at[0])) {
        t->at[0] = entry;
        sink(t, 0, t->count);
    }
}

void top_sort(struct top *t)
{
    for (uint32_t end = t->count; end > 1; end--) {
        struct top_entry last = t->at[0];
        t->at[0] = t->at[end - 1];
        t->at[end - 1] = last;
        sink(t, 0, end - 1);
    }
}
