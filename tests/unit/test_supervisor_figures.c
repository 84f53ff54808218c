/* SPDX-License-Identifier: BSD-2-Clause */
// sources: guests/supervisor/top.c guests/supervisor/spread.c guests/supervisor/histogram.c
// sources: guests/supervisor/keys.c guests/supervisor/ranges.c guests/supervisor/out.c
// sources: guests/supervisor/utf8.c guests/rt/http.c
/*
 * Figures over very many values in little memory, each compared with what sorting all of them
 * says; and the memory of idempotency keys.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "guests/supervisor/histogram.h"
#include "guests/supervisor/keys.h"
#include "guests/supervisor/spread.h"
#include "guests/supervisor/top.h"

#define VALUES 5000

static uint64_t values[VALUES];
static uint64_t seed = 1;

static uint64_t random_below(uint64_t limit)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % limit;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void check_spread(size_t count, unsigned passes_max)
{
    static uint64_t sorted[VALUES];
    struct spread s;
    unsigned passes = 0;
    spread_begin(&s);
    do {
        for (size_t i = 0; i < count; i++) {
            spread_add(&s, values[i]);
        }
        passes++;
    } while (spread_again(&s));
    memcpy(sorted, values, sizeof(sorted));
    qsort(sorted, count, sizeof(sorted[0]), ascending);
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    assert_int_equal(s.count, count);
    assert_int_equal(s.sum, sum);
    assert_int_equal(s.min, count > 0 ? sorted[0] : 0);
    assert_int_equal(s.max, count > 0 ? sorted[count - 1] : 0);
    assert_int_equal(s.median, count > 0 ? sorted[(count + 1) / 2 - 1] : 0);
    assert_true(passes <= passes_max);
}

static void spreads(void **state)
{
    (void)state;
    check_spread(0, 1);
    for (size_t count = 1; count < 200; count++) {
        for (size_t i = 0; i < count; i++) {
            values[i] = random_below(1 + count);
        }
        check_spread(count, 3);
    }
    for (unsigned shift = 1; shift < 32; shift += 5) {
        for (size_t i = 0; i < VALUES; i++) {
            values[i] = random_below(1ull << shift);
        }
        check_spread(VALUES, SPREAD_PASSES);
    }
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = (5 + random_below(20)) * 4096 + 1024;
    }
    check_spread(VALUES, 2); /* as VMs are: few different sizes, each a page apart */
}

static void the_first_few(void **state)
{
    static struct top top;
    (void)state;
    for (uint32_t wanted = 0; wanted < 40; wanted += 3) {
        top_begin(&top, wanted);
        for (uint32_t i = 0; i < VALUES; i++) {
            values[i] = random_below(500);
            top_add(&top, values[i], i + 1);
        }
        top_sort(&top);
        assert_int_equal(top.count, wanted);
        for (uint32_t i = 0; i < wanted; i++) {
            uint32_t before = 0;
            const struct top_entry *e = &top.at[i];
            for (uint32_t v = 0; v < VALUES; v++) {
                before += values[v] > e->key || (values[v] == e->key && v + 1 < e->number);
            }
            assert_int_equal(before, i);
            assert_int_equal(values[e->number - 1], e->key);
        }
    }
    top_begin(&top, 10);
    top_add(&top, 1, 1);
    top_add(&top, 2, 2);
    top_sort(&top);
    assert_int_equal(top.count, 2);
    assert_int_equal(top.at[0].number, 2);
}

static void histograms(void **state)
{
    static struct histogram h;
    (void)state;
    histogram_add(&h, 0);
    histogram_add(&h, 1023);
    histogram_add(&h, 1024);
    histogram_add(&h, 1087);
    histogram_add(&h, 1088);
    histogram_add(&h, UINT64_MAX);
    assert_int_equal(h.count[0], 1);
    assert_int_equal(h.count[1023], 1);
    assert_int_equal(h.count[1024], 2);
    assert_int_equal(histogram_pages(1024), 1024);
    assert_int_equal(histogram_pages(1025), 1088);
    assert_int_equal(h.count[HISTOGRAM_BUCKETS - 1], 1);
}

static void idempotency_keys(void **state)
{
    const struct key_entry *entry = NULL;
    struct ranges made = {0};
    (void)state;
    ranges_add(&made, 7);
    assert_int_equal(keys_begin(1, 100, &entry), KEY_NEW);
    assert_int_equal(keys_begin(1, 100, &entry), KEY_PENDING);
    assert_int_equal(keys_begin(1, 101, &entry), KEY_OTHER);
    keys_end(1, 3, &made);
    assert_int_equal(keys_begin(1, 100, &entry), KEY_DONE);
    assert_int_equal(entry->group, 3);
    assert_int_equal(entry->made.at[0].first, 7);
    assert_int_equal(keys_begin(2, 100, &entry), KEY_NEW);
    keys_end(2, 0, NULL);
    assert_int_equal(keys_begin(2, 100, &entry), KEY_NEW);
    for (uint64_t key = 10; key < 10 + KEYS_MAX - 1; key++) { /* 1 is the oldest, 2 is pending */
        assert_int_equal(keys_begin(key, 5, &entry), KEY_NEW);
        keys_end(key, 0, &made);
    }
    assert_int_equal(keys_begin(2, 100, &entry), KEY_PENDING);
    assert_int_equal(keys_begin(11, 5, &entry), KEY_DONE);
    assert_int_equal(keys_begin(1, 100, &entry), KEY_NEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spreads),
        cmocka_unit_test(the_first_few),
        cmocka_unit_test(histograms),
        cmocka_unit_test(idempotency_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
