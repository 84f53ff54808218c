/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The histogram. Invariant: `count` is the sum of all slots.
 */
#include "tests/bench/histogram.h"

#include <math.h>

#define ROUNDING 1e-12 /* of doubles: 99.9 % of 1,000 is to be 999 */

/* How far a value is shifted so that 11 bits of it are left. */
static unsigned shift_of(uint64_t value)
{
    unsigned bits = value ? 64 - (unsigned)__builtin_clzll(value) : 0;
    return bits > HISTOGRAM_SPLIT_BITS + 1 ? bits - HISTOGRAM_SPLIT_BITS - 1 : 0;
}

static unsigned slot_of(uint64_t value)
{
    unsigned shift = shift_of(value);
    return (shift << HISTOGRAM_SPLIT_BITS) + (unsigned)(value >> shift);
}

static uint64_t last_of(unsigned slot)
{
    unsigned shift = slot >> HISTOGRAM_SPLIT_BITS;
    shift -= shift > 0; /* the first 2,048 slots are one stretch */
    uint64_t part = slot - (shift << HISTOGRAM_SPLIT_BITS);
    return ((part + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->slots[slot_of(value < HISTOGRAM_LARGEST ? value : HISTOGRAM_LARGEST)]++;
    h->count++;
    h->sum += value;
    h->max = value > h->max ? value : h->max;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    double exact = percent / 100 * (double)h->count;
    uint64_t wanted = (uint64_t)ceil(exact - exact * ROUNDING);
    uint64_t seen = 0;
    wanted = wanted ? wanted : 1;
    for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++) {
        seen += h->slots[i];
        if (seen >= wanted) {
            uint64_t last = last_of(i);
            return last < h->max && last < HISTOGRAM_LARGEST ? last : h->max;
        }
    }
    return h->max;
}

double histogram_mean(const struct histogram *h)
{
    return h->count ? (double)h->sum / (double)h->count : 0;
}
