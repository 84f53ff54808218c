/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first few of very many, by a key: a heap of fixed size whose root is the last of them.
 */
#ifndef GUESTS_SUPERVISOR_TOP_H
#define GUESTS_SUPERVISOR_TOP_H

#include <stdbool.h>
#include <stdint.h>

#define TOP_MAX 1000

struct top_entry {
    uint64_t key;
    uint32_t number; /* of equal keys the smaller number comes first */
};

struct top {
    uint32_t wanted; /* at most TOP_MAX */
    uint32_t count;
    struct top_entry at[TOP_MAX];
};

void top_begin(struct top *t, uint32_t wanted);
void top_add(struct top *t, uint64_t key, uint32_t number);

/* Puts the largest key first. Nothing may be added then. */
void top_sort(struct top *t);

#endif
