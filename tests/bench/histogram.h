/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A log-linear histogram of microseconds: every power of two is divided into 1,024 equal parts, so
 * what is read out is never more than a thousandth above what was put in. Values to 134 s; larger
 * ones count as the largest, but for the maximum, which is exact.
 *
 *   0 1 2 ... 2047 | 2048 2050 ... 4094 | 4096 4100 ... | ...
 *    exact            steps of 2           steps of 4
 */
#ifndef TESTS_BENCH_HISTOGRAM_H
#define TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS 27       /* of the largest value */
#define HISTOGRAM_SPLIT_BITS 10 /* of the parts of a power of two */
#define HISTOGRAM_LARGEST ((UINT64_C(1) << HISTOGRAM_BITS) - 1)
#define HISTOGRAM_SLOTS ((HISTOGRAM_BITS - HISTOGRAM_SPLIT_BITS + 1) << HISTOGRAM_SPLIT_BITS)

/* Zeroed: empty. */
struct histogram {
    uint64_t count, max, sum;
    uint64_t slots[HISTOGRAM_SLOTS];
};

void histogram_add(struct histogram *h, uint64_t value);

/* The smallest recorded value, rounded up to its slot's last, that at least `percent` (0 to 100) of
 * all values do not exceed; 0 when there are none. */
uint64_t histogram_percentile(const struct histogram *h, double percent);

double histogram_mean(const struct histogram *h);

#endif
