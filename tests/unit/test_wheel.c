// SPDX-License-Identifier: BSD-2-Clause
// sources: sched/wheel.c
/*
 * The wheel against a plain table of deadlines: nothing early, nothing late by a granule or more,
 * nothing lost, whatever time does.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/types.h"
#include "sched/wheel.h"

#define TIMEOUTS 300

struct model {
    struct wheel wheel;
    struct timeout timeouts[TIMEOUTS];
    uint64_t deadlines[TIMEOUTS];
    bool waiting[TIMEOUTS];
    uint64_t now;
    uint64_t granule;
    unsigned expired;
};

static struct model m;
static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Spread evenly over magnitudes: as many below 2^10 as above 2^54. */
static uint64_t random_magnitude(unsigned max_bits)
{
    return next_random() >> (64 - 1 - next_random() % max_bits);
}

static void model_init(uint64_t now, uint64_t granule)
{
    m = (struct model){.now = now, .granule = granule};
    wheel_init(&m.wheel, now, granule);
}

/* The first tick at which a deadline is due: rounded up to a granule. */
static bool due(uint64_t deadline)
{
    uint64_t up = deadline / m.granule + (deadline % m.granule != 0);
    return up <= m.now / m.granule;
}

static void advance(uint64_t ticks);

static void check_next(void)
{
    advance(0); /* forgets what was cancelled */
    uint64_t earliest = UINT64_MAX;
    for (unsigned i = 0; i < TIMEOUTS; i++) {
        if (m.waiting[i] && m.deadlines[i] < earliest) {
            earliest = m.deadlines[i];
        }
    }
    uint64_t next = wheel_next(&m.wheel);
    if (earliest == UINT64_MAX) {
        assert_true(next == UINT64_MAX);
    } else if (next != UINT64_MAX) {
        uint64_t room = UINT64_MAX - earliest;
        assert_true(next <= MAX(m.now, earliest + MIN(room, m.granule - 1)));
    }
}

static void advance(uint64_t ticks)
{
    m.now = ticks > UINT64_MAX - m.now ? UINT64_MAX : m.now + ticks;
    struct timeout *t;
    while ((t = wheel_expire(&m.wheel, m.now)) != NULL) {
        unsigned i = (unsigned)(t - m.timeouts);
        assert_true(m.waiting[i]);
        assert_false(timeout_waiting(t));
        assert_true(due(m.deadlines[i]));
        m.waiting[i] = false;
        m.expired++;
    }
    for (unsigned i = 0; i < TIMEOUTS; i++) {
        assert_true(m.waiting[i] == timeout_waiting(&m.timeouts[i]));
        assert_false(m.waiting[i] && due(m.deadlines[i]));
    }
}

static void add(unsigned i, uint64_t deadline)
{
    m.waiting[i] = true;
    m.deadlines[i] = deadline;
    wheel_add(&m.wheel, &m.timeouts[i], deadline);
}

static void random_step(unsigned max_bits)
{
    unsigned i = (unsigned)(next_random() % TIMEOUTS);
    switch (next_random() % 8) {
    case 0:
        advance(random_magnitude(max_bits));
        break;
    case 1:
        advance(0);
        break;
    case 2:
        wheel_cancel(&m.wheel, &m.timeouts[i]);
        m.waiting[i] = false;
        break;
    default:
        if (!m.waiting[i]) {
            uint64_t ahead = random_magnitude(max_bits);
            add(i, ahead >= UINT64_MAX - m.now ? UINT64_MAX - 1 : m.now + ahead);
        }
        break;
    }
    check_next();
}

static void against_reference(uint64_t start, uint64_t granule, unsigned max_bits)
{
    model_init(start, granule);
    for (unsigned i = 0; i < 30000; i++) {
        random_step(max_bits);
    }
    assert_true(m.expired > 100);
}

static void test_random(void **state)
{
    (void)state;
    random_state = 88172645463325252ull;
    against_reference(0, 1, 20);
    against_reference(12345, 64, 30);
    against_reference(1ull << 40, 4096, 40);
    against_reference(UINT64_MAX / 2 + 99, 1, 44);
}

/* Magnitudes up to all 64 bits, with a fresh wheel each round because time ends. */
static void test_random_whole_range(void **state)
{
    (void)state;
    random_state = 1234567;
    for (unsigned round = 0; round < 300; round++) {
        model_init(random_magnitude(63), 1ull << (round % 20));
        for (unsigned i = 0; i < 400; i++) {
            random_step(63);
        }
    }
}

static void test_past_deadline_expires_at_once(void **state)
{
    (void)state;
    model_init(100000, 1024);
    advance(5000);
    add(0, 7);
    add(1, m.now - 1024);
    advance(0);
    assert_int_equal(m.expired, 2);
    add(2, m.now - 1); /* in the granule that has begun: with the next one */
    advance(1023);
    assert_int_equal(m.expired, 3);
}

static void test_granule_is_rounded_down(void **state)
{
    (void)state;
    struct wheel w;
    wheel_init(&w, 0, 3125);
    assert_int_equal(w.granule_shift, 11);
    wheel_init(&w, 0, 0);
    assert_int_equal(w.granule_shift, 0);
}

static void test_next_is_exact_when_near(void **state)
{
    (void)state;
    model_init(0, 16);
    assert_true(wheel_next(&m.wheel) == UINT64_MAX);
    add(0, 161);
    assert_int_equal(wheel_next(&m.wheel), 176);
    add(1, 160);
    assert_int_equal(wheel_next(&m.wheel), 160);
    wheel_cancel(&m.wheel, &m.timeouts[1]);
    m.waiting[1] = false;
    advance(0); /* forgets what was cancelled */
    assert_int_equal(wheel_next(&m.wheel), 176);
    advance(175);
    assert_int_equal(m.expired, 0);
    advance(1);
    assert_int_equal(m.expired, 1);
}

/* Precision does not suffer from having been idle for long. */
static void test_next_is_exact_after_a_pause(void **state)
{
    (void)state;
    model_init(0, 16);
    advance(1000000);
    add(0, 1000400);
    assert_int_equal(wheel_next(&m.wheel), 1000400);
}

/* A leap over every level costs a step for each timeout and level, not for each granule: with
 * granules of one tick, 2^60 of them would never end. */
static void test_leap(void **state)
{
    (void)state;
    model_init(3, 1);
    for (unsigned i = 0; i < 60; i++) {
        add(i, 3 + (1ull << i));
    }
    advance(1ull << 60);
    assert_int_equal(m.expired, 60);
}

static void test_beyond_the_top_level(void **state)
{
    (void)state;
    model_init((1ull << 63) + 77, 1);
    add(0, UINT64_MAX - 1);
    for (unsigned i = 0; i < 1000; i++) {
        advance(1ull << 52);
        assert_int_equal(m.expired, 0);
    }
    advance(UINT64_MAX - 2 - m.now);
    assert_int_equal(m.expired, 0);
    advance(1);
    assert_int_equal(m.expired, 1);
}

static void test_cancel_anywhere_in_a_slot(void **state)
{
    (void)state;
    model_init(0, 1);
    for (unsigned i = 0; i < 3; i++) {
        add(i, 50);
    }
    static const unsigned order[] = {1, 0, 2};
    for (unsigned i = 0; i < 3; i++) {
        wheel_cancel(&m.wheel, &m.timeouts[order[i]]);
        wheel_cancel(&m.wheel, &m.timeouts[order[i]]);
        m.waiting[order[i]] = false;
        check_next();
    }
    assert_true(wheel_next(&m.wheel) == UINT64_MAX);
    advance(100);
    assert_int_equal(m.expired, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_random_whole_range),
        cmocka_unit_test(test_past_deadline_expires_at_once),
        cmocka_unit_test(test_granule_is_rounded_down),
        cmocka_unit_test(test_next_is_exact_when_near),
        cmocka_unit_test(test_next_is_exact_after_a_pause),
        cmocka_unit_test(test_leap),
        cmocka_unit_test(test_beyond_the_top_level),
        cmocka_unit_test(test_cancel_anywhere_in_a_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
