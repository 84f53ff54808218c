/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tests/bench/histogram.c
/*
 * The histogram against sorted values: never below the true percentile, never more than a
 * thousandth above it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/histogram.h"
#include "tests/bench/random.h"

#define VALUES 20000u
#define BEYOND ((UINT64_C(1) << 40) + 3)

static struct histogram h;

static int setup(void **state)
{
    (void)state;
    memset(&h, 0, sizeof(h));
    return 0;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void test_nothing(void **state)
{
    (void)state;
    assert_int_equal(histogram_percentile(&h, 50), 0);
    assert_true(histogram_mean(&h) == 0);
}

/* Each value alone: it comes back as itself below 2,048, and as the maximum above. */
static void test_every_slot_in_order(void **state)
{
    (void)state;
    unsigned used = 0;
    for (uint64_t v = 0; v <= HISTOGRAM_LARGEST; v += v < 4096 ? 1 : 1 + v / 3000) {
        histogram_add(&h, v);
        used++;
    }
    assert_int_equal(h.count, used);
    for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++) {
        assert_true(h.slots[i] > 0);
    }
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < 2048; v++) {
        histogram_add(&h, v);
    }
    histogram_add(&h, 5000);
    for (unsigned i = 0; i < 2048; i++) {
        assert_int_equal(h.slots[i], 1);
    }
    assert_int_equal(histogram_percentile(&h, 50), 1024);
    assert_int_equal(histogram_percentile(&h, 0), 0);
    assert_int_equal(histogram_percentile(&h, 100), 5000);
}

static void test_values_beyond_the_largest(void **state)
{
    (void)state;
    histogram_add(&h, BEYOND);
    histogram_add(&h, 7);
    assert_int_equal(h.max, BEYOND);
    assert_int_equal(histogram_percentile(&h, 100), BEYOND);
    assert_int_equal(histogram_percentile(&h, 50), 7);
}

static void check_percentile(const uint64_t *sorted, double percent)
{
    size_t rank = (size_t)(percent / 100 * VALUES + 0.999999);
    uint64_t truth = sorted[rank ? rank - 1 : 0];
    uint64_t said = histogram_percentile(&h, percent);
    assert_true(said >= truth);
    assert_true(said <= truth + truth / 1000 + 1);
}

static void test_percentiles_of_many_magnitudes(void **state)
{
    (void)state;
    static uint64_t values[VALUES];
    uint64_t random = 1, sum = 0;
    for (unsigned i = 0; i < VALUES; i++) {
        values[i] = random_next(&random) >> (64 - 1 - random_next(&random) % HISTOGRAM_BITS);
        values[i] &= HISTOGRAM_LARGEST;
        sum += values[i];
        histogram_add(&h, values[i]);
    }
    qsort(values, VALUES, sizeof(values[0]), ascending);
    static const double percents[] = {0.5, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 100};
    for (unsigned i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        check_percentile(values, percents[i]);
    }
    assert_int_equal(h.max, values[VALUES - 1]);
    assert_true(histogram_mean(&h) == (double)sum / VALUES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing, setup),
        cmocka_unit_test_setup(test_every_slot_in_order, setup),
        cmocka_unit_test_setup(test_small_values_are_exact, setup),
        cmocka_unit_test_setup(test_values_beyond_the_largest, setup),
        cmocka_unit_test_setup(test_percentiles_of_many_magnitudes, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
