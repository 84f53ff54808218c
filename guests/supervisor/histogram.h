/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many VMs have how many pages: exact below HISTOGRAM_EXACT pages, above it in steps.
 */
#ifndef GUESTS_SUPERVISOR_HISTOGRAM_H
#define GUESTS_SUPERVISOR_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_EXACT 1024
#define HISTOGRAM_STEP 64
#define HISTOGRAM_STEPS 128 /* up to 9,216 pages; a VM has at most 8,192, tables beside */
#define HISTOGRAM_BUCKETS (HISTOGRAM_EXACT + HISTOGRAM_STEPS)

struct histogram {
    uint32_t count[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t pages);

/* The least number of pages that this bucket counts. */
uint32_t histogram_pages(uint32_t bucket);

#endif
