// SPDX-License-Identifier: BSD-2-Clause
// sources: sched/mux.c
/*
 * The multiplexer, on a virtual clock: shares, latency and accounts of VMs that behave well, badly
 * and in between.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sched/mux.h"

#define QUANTUM 10000u
#define VMS_MAX 64

/* A VM that works for `burst` ticks, sleeps for `sleep`, and so on; sleep 0: never idles. */
struct simulated {
    struct sched_entry entry;
    uint64_t burst, sleep;
    uint64_t work_left;
    uint64_t wake_at;       /* while blocked */
    uint64_t woken_at;      /* when it last became runnable */
    uint64_t worst_latency; /* from wake to run */
    uint64_t total_latency;
    uint64_t wakes;
    bool latency_pending;
};

static struct mux mux;
static struct simulated vms[VMS_MAX];
static unsigned vm_count;
static uint64_t now;

static void setup(void)
{
    mux_init(&mux, QUANTUM);
    vm_count = 0;
    now = 1000;
}

static struct simulated *add_vm(uint16_t weight, uint64_t burst, uint64_t sleep)
{
    struct simulated *vm = &vms[vm_count++];
    *vm = (struct simulated){.burst = burst, .sleep = sleep, .work_left = burst};
    sched_entry_init(&vm->entry, weight, 0);
    mux_wake(&mux, &vm->entry);
    return vm;
}

static uint64_t wake_the_due(void)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < vm_count; i++) {
        struct simulated *vm = &vms[i];
        if (vm->entry.state != SCHED_BLOCKED) {
            continue;
        }
        if (vm->wake_at <= now) {
            mux_wake(&mux, &vm->entry);
            vm->woken_at = now;
            vm->latency_pending = true;
            vm->wakes++;
        } else {
            next = MIN(next, vm->wake_at);
        }
    }
    return next;
}

static void note_latency(struct simulated *vm)
{
    if (vm->latency_pending) {
        uint64_t latency = now - vm->woken_at;
        vm->worst_latency = MAX(vm->worst_latency, latency);
        vm->total_latency += latency;
        vm->latency_pending = false;
    }
}

static void run_current(uint64_t next_wake, uint64_t end)
{
    struct simulated *vm = container_of(mux.current, struct simulated, entry);
    uint64_t work_end = vm->sleep ? now + vm->work_left : UINT64_MAX;
    uint64_t stop = MIN(MIN(next_wake, mux_deadline(&mux)), MIN(work_end, end));
    stop = MAX(stop, now);
    vm->work_left -= MIN(vm->work_left, stop - now);
    now = stop;
    if (vm->sleep && vm->work_left == 0) {
        mux_stop(&mux, MUX_BLOCK, now);
        vm->wake_at = now + vm->sleep;
        vm->work_left = vm->burst;
    } else if (mux_slice_over(&mux, now)) {
        mux_stop(&mux, MUX_PREEMPT, now);
    }
}

static void simulate(uint64_t duration)
{
    uint64_t end = now + duration;
    while (now < end) {
        uint64_t next_wake = wake_the_due();
        struct sched_entry *e = mux.current ? mux.current : mux_start(&mux, now);
        if (!e) {
            now = MIN(next_wake, end);
            continue;
        }
        note_latency(container_of(e, struct simulated, entry));
        run_current(next_wake, end);
    }
    if (mux.current) {
        mux_stop(&mux, MUX_PREEMPT, now);
    }
}

static double share(const struct simulated *vm, uint64_t duration)
{
    return (double)vm->entry.virtual_ticks / (double)duration;
}

static void assert_share(const struct simulated *vm, uint64_t duration, double expected)
{
    double got = share(vm, duration);
    if (got < expected * 0.97 || got > expected * 1.03) {
        fail_msg("share %f, expected %f", got, expected);
    }
}

static uint64_t sum_of_virtual_ticks(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < vm_count; i++) {
        sum += vms[i].entry.virtual_ticks;
    }
    return sum;
}

static void test_equal_hogs_share_equally(void **state)
{
    (void)state;
    setup();
    for (unsigned i = 0; i < 10; i++) {
        add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    }
    uint64_t duration = QUANTUM * 1000ull;
    simulate(duration);
    for (unsigned i = 0; i < 10; i++) {
        assert_share(&vms[i], duration, 0.1);
    }
    assert_int_equal(sum_of_virtual_ticks(), duration);
}

static void test_weights_are_proportions(void **state)
{
    (void)state;
    setup();
    add_vm(128, 1, 0);
    add_vm(256, 1, 0);
    add_vm(512, 1, 0);
    add_vm(1024, 1, 0);
    uint64_t duration = QUANTUM * 3000ull;
    simulate(duration);
    for (unsigned i = 0; i < 4; i++) {
        assert_share(&vms[i], duration, (double)(1u << i) / 15);
    }
}

static void test_lightest_beside_heaviest(void **state)
{
    (void)state;
    setup();
    struct simulated *light = add_vm(0, 1, 0); /* 0 counts as the minimum */
    struct simulated *heavy = add_vm(SCHED_WEIGHT_MAX, 1, 0);
    uint64_t duration = QUANTUM * 256ull * 50;
    simulate(duration);
    assert_true(light->entry.virtual_ticks >= 49 * (QUANTUM / 256));
    assert_true(share(heavy, duration) > 0.999);
}

/* Idlers that ask for little get all that they ask for, at once; hogs share the rest. */
static void mixed_load(void)
{
    setup();
    for (unsigned i = 0; i < 8; i++) {
        add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        add_vm(SCHED_WEIGHT_NORMAL, QUANTUM / 50, QUANTUM * 3 + i * 77);
    }
    simulate(QUANTUM * 20000ull);
}

static uint64_t mean_latency_of_idlers(void)
{
    uint64_t total = 0, wakes = 0;
    for (unsigned i = 8; i < 12; i++) {
        total += vms[i].total_latency;
        wakes += vms[i].wakes;
    }
    return total / wakes;
}

static void test_early_idlers_are_compensated(void **state)
{
    (void)state;
    mixed_load();
    uint64_t compensated = mean_latency_of_idlers();
    uint64_t worst = 0;
    for (unsigned i = 8; i < 12; i++) {
        worst = MAX(worst, vms[i].worst_latency);
    }
    /* About what is left of the running hog's quantum; seldom a turn of all eight hogs. */
    assert_true(compensated < QUANTUM);
    assert_true(worst <= 13 * QUANTUM);
    for (unsigned i = 0; i < 8; i++) {
        double hogs = 1.0 - 4 * share(&vms[8], QUANTUM * 20000ull);
        assert_share(&vms[i], QUANTUM * 20000ull, hogs / 8);
    }
}

static void test_without_compensation_idlers_queue(void **state)
{
    (void)state;
    mixed_load();
    uint64_t compensated = mean_latency_of_idlers();
    setup();
    mux.compensate = false;
    for (unsigned i = 0; i < 8; i++) {
        add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        add_vm(SCHED_WEIGHT_NORMAL, QUANTUM / 50, QUANTUM * 3 + i * 77);
    }
    simulate(QUANTUM * 20000ull);
    assert_true(mean_latency_of_idlers() > 5 * compensated);
}

/* A VM that idles just before its quantum ends, to come back with a little credit, and VMs that
 * sleep for a moment all the time: none gets more than its share, and no hog is starved. */
static void test_idling_wins_no_share(void **state)
{
    (void)state;
    setup();
    for (unsigned i = 0; i < 4; i++) {
        add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    }
    add_vm(SCHED_WEIGHT_NORMAL, QUANTUM - 1, 1);
    add_vm(SCHED_WEIGHT_NORMAL, QUANTUM / 3, 1);
    add_vm(SCHED_WEIGHT_NORMAL, 7, 1);
    uint64_t duration = QUANTUM * 20000ull;
    simulate(duration);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(share(&vms[i], duration) > 0.97 / 7);
    }
    for (unsigned i = 4; i < 7; i++) {
        assert_true(share(&vms[i], duration) < 1.03 * share(&vms[0], duration));
    }
}

static void test_random_mixes_starve_nobody(void **state)
{
    (void)state;
    srand(7);
    for (unsigned round = 0; round < 30; round++) {
        setup();
        unsigned n = 2 + (unsigned)rand() % 30;
        struct simulated *hog = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
        for (unsigned i = 1; i < n; i++) {
            add_vm(SCHED_WEIGHT_NORMAL, 1 + (uint64_t)rand() % (2 * QUANTUM),
                   (uint64_t)rand() % 3 ? (uint64_t)rand() % (5 * QUANTUM) : 0);
        }
        uint64_t duration = QUANTUM * 3000ull;
        simulate(duration);
        assert_true(share(hog, duration) > 0.97 / n);
        assert_int_equal(sum_of_virtual_ticks() + mux.idle_ticks, duration);
    }
}

static void test_idle_time_is_counted(void **state)
{
    (void)state;
    setup();
    add_vm(SCHED_WEIGHT_NORMAL, 100, 900);
    simulate(1000000);
    assert_int_equal(vms[0].entry.virtual_ticks, 100000);
    struct sched_entry *none = mux_start(&mux, now); /* closes the account */
    assert_null(none);
    assert_int_equal(mux.idle_ticks, 900000);
}

static void test_virtual_clock_stands_still_outside(void **state)
{
    (void)state;
    setup();
    struct simulated *a = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    assert_ptr_equal(mux_start(&mux, 5000), &a->entry);
    assert_int_equal(5000 - a->entry.voffset, 0);
    mux_stop(&mux, MUX_BLOCK, 5300);
    assert_int_equal(a->entry.virtual_ticks, 300);
    mux_wake(&mux, &a->entry);
    assert_ptr_equal(mux_start(&mux, 1000000), &a->entry);
    assert_int_equal(1000000 - a->entry.voffset, 300);
    assert_int_equal(mux.turns, 2);
    assert_int_equal(mux.idle_ticks, 1000000 - 5300);
}

static void test_deadline_only_with_company(void **state)
{
    (void)state;
    setup();
    struct simulated *a = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    assert_ptr_equal(mux_start(&mux, now), &a->entry);
    assert_true(mux_deadline(&mux) == UINT64_MAX);
    assert_false(mux_slice_over(&mux, now + 100 * QUANTUM));
    struct simulated *b = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    assert_int_equal(mux_deadline(&mux), now + QUANTUM);
    assert_false(mux_slice_over(&mux, now + QUANTUM - 1));
    assert_true(mux_slice_over(&mux, now + QUANTUM));
    mux_stop(&mux, MUX_YIELD, now + 10);
    assert_ptr_equal(mux_start(&mux, now + 10), &b->entry);
}

static void test_wake_is_idempotent(void **state)
{
    (void)state;
    setup();
    struct simulated *a = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    mux_wake(&mux, &a->entry);
    assert_int_equal(mux.ready_count, 1);
    assert_ptr_equal(mux_start(&mux, now), &a->entry);
    mux_wake(&mux, &a->entry);
    mux_wake_now(&mux, &a->entry, now);
    assert_int_equal(mux.ready_count, 0);
    assert_int_equal(a->entry.state, SCHED_RUNNING);
}

static void test_wake_now_cuts_in(void **state)
{
    (void)state;
    setup();
    struct simulated *sleeper = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    assert_ptr_equal(mux_start(&mux, now), &sleeper->entry);
    mux_stop(&mux, MUX_BLOCK, now + 100);
    struct simulated *a = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    struct simulated *b = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    now += 100;
    assert_ptr_equal(mux_start(&mux, now), &a->entry);
    now += 1000;
    mux_wake_now(&mux, &sleeper->entry, now);
    assert_true(mux_slice_over(&mux, now));
    mux_stop(&mux, MUX_PREEMPT, now);
    assert_ptr_equal(mux_start(&mux, now), &sleeper->entry);
    mux_stop(&mux, MUX_BLOCK, now + 50);
    /* the interrupted one goes on with what was left of its quantum */
    assert_ptr_equal(mux_start(&mux, now + 50), &a->entry);
    assert_int_equal(mux_deadline(&mux), now + 50 + QUANTUM - 1000);
    (void)b;
}

/* Two VMs that wake each other synchronously for ever: a third still gets its turn. */
static void test_wake_now_cannot_starve(void **state)
{
    (void)state;
    setup();
    struct simulated *a = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    struct simulated *b = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    struct simulated *third = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    uint64_t end = now + 3000ull * QUANTUM;
    uint64_t start = now;
    while (now < end) {
        struct sched_entry *e = mux_start(&mux, now);
        assert_non_null(e);
        if (e == &third->entry) {
            now = MAX(now, mux_deadline(&mux) == UINT64_MAX ? now + QUANTUM : mux_deadline(&mux));
            mux_stop(&mux, MUX_PREEMPT, now);
            mux_wake(&mux, &a->entry);
            continue;
        }
        now += 100;
        mux_wake_now(&mux, e == &a->entry ? &b->entry : &a->entry, now);
        mux_stop(&mux, MUX_BLOCK, now);
    }
    assert_true(share(third, now - start) > 0.3);
}

static void test_remove(void **state)
{
    (void)state;
    setup();
    struct simulated *a = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    struct simulated *b = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    struct simulated *c = add_vm(SCHED_WEIGHT_NORMAL, 1, 0);
    assert_ptr_equal(mux_start(&mux, now), &a->entry);
    mux_remove(&mux, &a->entry, now + 10);
    assert_null(mux.current);
    assert_int_equal(a->entry.virtual_ticks, 10);
    mux_remove(&mux, &b->entry, now + 10);
    mux_remove(&mux, &b->entry, now + 10);
    assert_int_equal(mux.ready_count, 1);
    assert_ptr_equal(mux_start(&mux, now + 10), &c->entry);
    mux_remove(&mux, &c->entry, now + 20);
    assert_null(mux_start(&mux, now + 20));
    mux_wake(&mux, &c->entry); /* another VM may get the memory of one that is gone */
    assert_ptr_equal(mux_start(&mux, now + 30), &c->entry);
}

/* However much work it has, it gets its share beside others, and all that they leave. */
static void test_background_gets_its_share_and_the_rest(void **state)
{
    (void)state;
    setup();
    struct simulated *back = add_vm(256, 0, 0);
    back->entry.background = true;
    mux_remove(&mux, &back->entry, now);
    mux_wake(&mux, &back->entry);
    simulate(100 * QUANTUM);
    assert_int_equal(back->entry.virtual_ticks, 100 * QUANTUM); /* alone */

    struct simulated *chatty = add_vm(256, 100, 100), *other = add_vm(256, 100, 100);
    uint64_t before = back->entry.virtual_ticks;
    simulate(1000 * QUANTUM);
    uint64_t most = 1000 * QUANTUM / BACKGROUND_SHARE;
    assert_in_range(back->entry.virtual_ticks - before, most * 3 / 4, most * 5 / 4);
    assert_true(chatty->worst_latency <= QUANTUM / BACKGROUND_SLICE + 200);
    (void)other;

    add_vm(256, 0, 0); /* computes; its slice is not cut short */
    before = back->entry.virtual_ticks;
    simulate(1000 * QUANTUM);
    assert_in_range(back->entry.virtual_ticks - before, most / 4, most * 5 / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_hogs_share_equally),
        cmocka_unit_test(test_weights_are_proportions),
        cmocka_unit_test(test_lightest_beside_heaviest),
        cmocka_unit_test(test_early_idlers_are_compensated),
        cmocka_unit_test(test_without_compensation_idlers_queue),
        cmocka_unit_test(test_idling_wins_no_share),
        cmocka_unit_test(test_random_mixes_starve_nobody),
        cmocka_unit_test(test_idle_time_is_counted),
        cmocka_unit_test(test_virtual_clock_stands_still_outside),
        cmocka_unit_test(test_deadline_only_with_company),
        cmocka_unit_test(test_wake_is_idempotent),
        cmocka_unit_test(test_wake_now_cuts_in),
        cmocka_unit_test(test_wake_now_cannot_starve),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_background_gets_its_share_and_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
