/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zipf's law: of n items, that of rank k is chosen with a probability proportional to k^-s. Ranks
 * are spread over the items by a permutation that depends on n alone, so that the favourites are
 * the same whatever the seed of a run is, and are no neighbours.
 */
#ifndef TESTS_BENCH_POPULARITY_H
#define TESTS_BENCH_POPULARITY_H

#include <stdbool.h>
#include <stdint.h>

struct popularity {
    uint32_t count;
    double *cumulative;     /* of the weights up to each rank; NULL: all are alike */
    uint32_t *item_of_rank; /* a permutation */
};

/* For `count` items, at least 1, and s >= 0; 0: uniform. False: no memory. */
bool popularity_init(struct popularity *p, uint32_t count, double s);
void popularity_free(struct popularity *p);

/* The rank, from 0, that `unit`, from 0 to below 1, falls on; and its item. */
uint32_t popularity_rank(const struct popularity *p, double unit);
uint32_t popularity_item(const struct popularity *p, double unit);

#endif
