/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zipf's law by a table of cumulative weights and binary search: exact for every s, 12 bytes an
 * item. Invariant: `cumulative` never falls.
 */
#include "tests/bench/popularity.h"

#include <math.h>
#include <stdlib.h>

#include "tests/bench/random.h"

#define PERMUTATION_SEED 20021209u

/* Fisher and Yates. */
static void permute(uint32_t *items, uint32_t count)
{
    uint64_t state = PERMUTATION_SEED + count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = (uint32_t)(random_next(&state) % (i + 1));
        items[i] = items[j];
        items[j] = i;
    }
}

bool popularity_init(struct popularity *p, uint32_t count, double s)
{
    *p = (struct popularity){.count = count};
    p->item_of_rank = calloc(count, sizeof(*p->item_of_rank));
    p->cumulative = s > 0 ? calloc(count, sizeof(*p->cumulative)) : NULL;
    if (!p->item_of_rank || (s > 0 && !p->cumulative)) {
        popularity_free(p);
        return false;
    }
    permute(p->item_of_rank, count);
    double sum = 0;
    for (uint32_t i = 0; p->cumulative && i < count; i++) {
        sum += pow(i + 1.0, -s);
        p->cumulative[i] = sum;
    }
    return true;
}

void popularity_free(struct popularity *p)
{
    free(p->item_of_rank);
    free(p->cumulative);
    *p = (struct popularity){0};
}

uint32_t popularity_rank(const struct popularity *p, double unit)
{
    if (!p->cumulative) {
        return (uint32_t)(unit * p->count);
    }
    double wanted = unit * p->cumulative[p->count - 1];
    uint32_t low = 0, high = p->count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->cumulative[middle] > wanted) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

uint32_t popularity_item(const struct popularity *p, double unit)
{
    return p->item_of_rank[popularity_rank(p, unit)];
}
