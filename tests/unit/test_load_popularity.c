/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tests/bench/popularity.c
/*
 * Zipf's law: how often each rank is drawn, against its probability; and the permutation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "tests/bench/popularity.h"
#include "tests/bench/random.h"

#define MANY 1000000u
#define DRAWS 2000000u

static double weight_of(uint32_t first, uint32_t last, double s)
{
    double sum = 0;
    for (uint32_t k = last; k >= first; k--) {
        sum += pow(k, -s);
    }
    return sum;
}

/* Ranks of one power of two after the other, counted together: within five standard deviations. */
static void check_frequencies(uint32_t count, double s)
{
    struct popularity p;
    assert_true(popularity_init(&p, count, s));
    uint64_t drawn[32] = {0}, random = 1;
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t rank = popularity_rank(&p, random_unit(&random));
        assert_true(rank < count);
        drawn[31 - __builtin_clz(rank + 1)]++;
    }
    double whole = weight_of(1, count, s);
    for (unsigned bit = 0; count >> bit; bit++) {
        uint32_t last = (2u << bit) - 1 < count ? (2u << bit) - 1 : count;
        double share = weight_of(1u << bit, last, s) / whole;
        double deviation = sqrt(DRAWS * share * (1 - share));
        assert_true(fabs((double)drawn[bit] - DRAWS * share) <= 5 * deviation + 1);
    }
    popularity_free(&p);
}

static void test_frequencies(void **state)
{
    (void)state;
    static const double exponents[] = {0, 0.5, 0.99, 1, 1.01, 2, 20};
    for (unsigned i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
        check_frequencies(MANY, exponents[i]);
        check_frequencies(10, exponents[i]);
    }
}

static void test_one_item(void **state)
{
    (void)state;
    for (double s = 0; s < 3; s++) {
        check_frequencies(1, s);
    }
}

/* The ends of what a random number may be, also where the weights vanish. */
static void test_edges(void **state)
{
    (void)state;
    static const double exponents[] = {0, 1, 100};
    for (unsigned i = 0; i < 3; i++) {
        struct popularity p;
        assert_true(popularity_init(&p, MANY, exponents[i]));
        assert_int_equal(popularity_rank(&p, 0), 0);
        assert_true(popularity_rank(&p, 1 - 0x1p-53) < MANY);
        popularity_free(&p);
    }
    struct popularity p;
    assert_true(popularity_init(&p, 3, 1)); /* 6/11, 3/11, 2/11 */
    assert_int_equal(popularity_rank(&p, 0.545), 0);
    assert_int_equal(popularity_rank(&p, 0.546), 1);
    assert_int_equal(popularity_rank(&p, 0.818), 1);
    assert_int_equal(popularity_rank(&p, 0.819), 2);
    popularity_free(&p);
}

static void test_items_are_a_fixed_permutation(void **state)
{
    (void)state;
    struct popularity p, q;
    assert_true(popularity_init(&p, MANY, 1));
    assert_true(popularity_init(&q, MANY, 0.5));
    uint8_t *seen = calloc(MANY, 1);
    unsigned neighbours = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        assert_true(p.item_of_rank[i] < MANY);
        assert_int_equal(p.item_of_rank[i], q.item_of_rank[i]);
        assert_int_equal(seen[p.item_of_rank[i]]++, 0);
        neighbours += i > 0 && p.item_of_rank[i] == p.item_of_rank[i - 1] + 1;
    }
    assert_true(neighbours < 20);
    assert_int_equal(popularity_item(&p, 0), p.item_of_rank[0]);
    free(seen);
    popularity_free(&p);
    popularity_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frequencies),
        cmocka_unit_test(test_one_item),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_items_are_a_fixed_permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
