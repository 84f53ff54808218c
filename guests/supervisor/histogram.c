/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A histogram of pages.
 */
#include "guests/supervisor/histogram.h"

void histogram_add(struct histogram *h, uint64_t pages)
{
    uint64_t bucket = pages;
    if (pages >= HISTOGRAM_EXACT) {
        bucket = HISTOGRAM_EXACT + (pages - HISTOGRAM_EXACT) / HISTOGRAM_STEP;
    }
    h->count[bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1]++;
}

uint32_t histogram_pages(uint32_t bucket)
{
    return bucket < HISTOGRAM_EXACT ? bucket
                                    : HISTOGRAM_EXACT + (bucket - HISTOGRAM_EXACT) * HISTOGRAM_STEP;
}
