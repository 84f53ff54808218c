/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tests/bench/plan.c tests/bench/popularity.c
/*
 * The plan: the open loop's times are drawn beforehand and do not care for who is slow; the others
 * keep to their number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "tests/bench/plan.h"

#define SECOND 1000000000u

static const struct options open_options = {
    .mode = LOAD_OPEN, .first = 5, .last = 104, .rate = 1000, .seconds = 20, .seed = 1};

static void test_constant_distances(void **state)
{
    (void)state;
    struct options o = open_options;
    struct plan plan;
    struct request r;
    o.constant = true;
    o.seconds = 0.0105;
    assert_true(plan_init(&plan, &o));
    assert_false(plan_take(&plan, 999999, 0, &r));
    for (unsigned i = 1; i <= 10; i++) {
        assert_true(plan_take(&plan, 100 * SECOND, 1000, &r));
        assert_int_equal(r.due_ns, i * 1000000);
    }
    assert_false(plan_take(&plan, 100 * SECOND, 0, &r));
    assert_true(plan_done(&plan, 0));
    plan_free(&plan);
}

/* Mean and standard deviation of the distances are both that of an exponential distribution. */
static void test_poisson(void **state)
{
    (void)state;
    struct plan plan;
    struct request r;
    double count = 0, squares = 0;
    uint64_t last = 0;
    assert_true(plan_init(&plan, &open_options));
    while (plan_take(&plan, PLAN_NEVER - 1, 0, &r)) {
        assert_true(r.due_ns >= last);
        assert_true(r.vm >= 5 && r.vm <= 104);
        squares += pow((double)(r.due_ns - last), 2);
        last = r.due_ns;
        count++;
    }
    double mean = (double)last / count;
    assert_true(fabs(count - 20000) < 5 * sqrt(20000));
    assert_true(fabs(sqrt(squares / count - mean * mean) / mean - 1) < 0.05);
    plan_free(&plan);
}

/* Taken late or in time, one at a time or all at once: the same requests. */
static void test_times_do_not_depend_on_the_taker(void **state)
{
    (void)state;
    struct plan a, b;
    struct request r, s;
    assert_true(plan_init(&a, &open_options));
    assert_true(plan_init(&b, &open_options));
    while (plan_take(&a, PLAN_NEVER - 1, 0, &r)) {
        assert_false(plan_take(&b, r.due_ns - 1, 0, &s));
        assert_true(plan_take(&b, r.due_ns, 77, &s));
        assert_int_equal(r.vm, s.vm);
        assert_int_equal(r.due_ns, s.due_ns);
    }
    plan_free(&a);
    plan_free(&b);
}

static void test_seeds_differ(void **state)
{
    (void)state;
    struct options o = open_options;
    struct plan a, b;
    o.seed = 2;
    assert_true(plan_init(&a, &open_options));
    assert_true(plan_init(&b, &o));
    assert_true(a.due_ns != b.due_ns);
    plan_free(&a);
    plan_free(&b);
}

static void test_so_many_requests(void **state)
{
    (void)state;
    struct options o = open_options;
    struct plan plan;
    struct request r;
    unsigned taken = 0;
    o.seconds = 0;
    o.requests = 17;
    assert_true(plan_init(&plan, &o));
    while (plan_take(&plan, PLAN_NEVER - 1, 0, &r)) {
        taken++;
    }
    assert_int_equal(taken, 17);
    assert_int_equal(plan_total(&plan), 17);
    plan_free(&plan);
}

static void test_closed_keeps_to_its_number(void **state)
{
    (void)state;
    const struct options o = {
        .mode = LOAD_CLOSED, .first = 1, .last = 10, .concurrency = 4, .seconds = 2};
    struct plan plan;
    struct request r;
    assert_true(plan_init(&plan, &o));
    assert_false(plan_take(&plan, 7, 4, &r));
    assert_true(plan_take(&plan, 7, 3, &r));
    assert_int_equal(r.due_ns, 7);
    assert_false(plan_done(&plan, 2u * SECOND - 1));
    assert_true(plan_done(&plan, 2u * SECOND));
    assert_false(plan_take(&plan, 2u * SECOND, 0, &r));
    plan_free(&plan);
}

static void test_touch_asks_each_once(void **state)
{
    (void)state;
    const struct options o = {.mode = LOAD_TOUCH, .first = 3, .last = 7, .concurrency = 2};
    struct plan plan;
    struct request r;
    assert_true(plan_init(&plan, &o));
    for (uint32_t vm = 3; vm <= 7; vm++) {
        assert_false(plan_take(&plan, 0, 2, &r));
        assert_true(plan_take(&plan, 0, 1, &r));
        assert_int_equal(r.vm, vm);
    }
    assert_true(plan_done(&plan, 0));
    assert_false(plan_take(&plan, 0, 0, &r));
    plan_free(&plan);
}

static void test_touch_for_so_long(void **state)
{
    (void)state;
    const struct options o = {
        .mode = LOAD_TOUCH, .first = 1, .last = 9, .concurrency = 2, .seconds = 1};
    struct plan plan;
    struct request r;
    assert_true(plan_init(&plan, &o));
    assert_true(plan_take(&plan, SECOND - 1, 0, &r));
    assert_false(plan_done(&plan, SECOND - 1));
    assert_true(plan_done(&plan, SECOND));
    plan_free(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_distances),
        cmocka_unit_test(test_poisson),
        cmocka_unit_test(test_times_do_not_depend_on_the_taker),
        cmocka_unit_test(test_seeds_differ),
        cmocka_unit_test(test_so_many_requests),
        cmocka_unit_test(test_closed_keeps_to_its_number),
        cmocka_unit_test(test_touch_asks_each_once),
        cmocka_unit_test(test_touch_for_so_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
