// SPDX-License-Identifier: BSD-2-Clause
// sources: sched/gatekeeper.c sched/gate_pool.c
/*
 * The gatekeeper, one promise a test. The owner is a row of VMs of known sizes on a machine of
 * 1,000 frames; it notes who was asked for, and answers as the test says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/time.h"
#include "sched/gatekeeper.h"

#define VMS 200

struct fake_vm {
    struct gate_waiter w;
    struct gate_resident r;
};

static struct fake_vm vms[VMS];
static struct gate gate;
static uint64_t free_frames, now;
static enum gate_answer admit_answer, evict_answer;
static bool at_once; /* what is asked for is finished before the answer */
static unsigned admitted[1000], admitted_count, evicted[1000], evicted_count;

static uint64_t fake_free(void)
{
    return free_frames;
}

static void arrive(unsigned i)
{
    uint32_t frames = vms[i].w.frames;
    free_frames -= frames;
    gate_arrived(&gate, &vms[i].w, &vms[i].r, frames);
}

static void leave(unsigned i)
{
    free_frames += vms[i].r.frames;
    gate_left(&gate, &vms[i].r);
}

static enum gate_answer fake_admit(struct gate_waiter *w)
{
    unsigned i = (unsigned)(container_of(w, struct fake_vm, w) - vms);
    admitted[admitted_count++] = i;
    if (at_once && admit_answer == GATE_STARTED) {
        arrive(i);
    }
    return admit_answer;
}

static enum gate_answer fake_evict(struct gate_resident *r)
{
    unsigned i = (unsigned)(container_of(r, struct fake_vm, r) - vms);
    evicted[evicted_count++] = i;
    if (at_once && evict_answer == GATE_STARTED) {
        leave(i);
    }
    return evict_answer;
}

static const struct gate_ops ops = {fake_free, fake_admit, fake_evict, NULL};

static const struct gate_limits limits = {
    .floor = 100, .low = 150, .high = 200, .transit = 100, .arriving = 4, .patience = 50};

static int start(void **state)
{
    (void)state;
    memset(vms, 0, sizeof(vms));
    free_frames = 1000;
    now = 1000;
    admit_answer = evict_answer = GATE_STARTED;
    at_once = false;
    admitted_count = evicted_count = 0;
    gate_init(&gate, &ops, &limits);
    return 0;
}

static void want(unsigned i, uint32_t frames)
{
    gate_want(&gate, &vms[i].w, frames, now);
}

static void run(void)
{
    gate_run(&gate, now);
}

static void run_while_due(void)
{
    for (unsigned n = 0; gate.own.due; n++) {
        assert_true(n < 100);
        run();
    }
}

/* Residents `first` to `end` of `frames` frames each, busy. */
static void enter(unsigned first, unsigned end, uint32_t frames)
{
    for (unsigned i = first; i < end; i++) {
        free_frames -= frames;
        gate_enter(&gate, &vms[i].r, frames);
    }
}

static void idle(unsigned i, uint64_t deadline)
{
    gate_idle(&gate.own, &vms[i].r, deadline, now);
}

#define ASSERT_LIST(list, ...)                                                                     \
    do {                                                                                           \
        const unsigned expected[] = {__VA_ARGS__};                                                 \
        assert_int_equal(list##_count, ARRAY_SIZE(expected));                                      \
        assert_memory_equal(list, expected, sizeof(expected));                                     \
    } while (0)

static void first_in_first_out(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        want(5 - i, 10);
    }
    want(5, 10);
    assert_int_equal(gate.counters.wanted, 6);
    assert_int_equal(gate.waiting_count, 6);
    run();
    ASSERT_LIST(admitted, 5, 4, 3, 2);
    assert_true(gate.own.due); /* no more than limits.arriving in a run */
    run();
    assert_false(gate.own.due);
    assert_int_equal(admitted_count, 4);
    assert_int_equal(vms[1].w.why, GATE_TRANSIT);
    assert_int_equal(vms[0].w.why, GATE_ORDER);
    want(5, 10); /* arrives: harmless */
    now += 7;
    arrive(3);
    assert_true(gate.own.due);
    run();
    ASSERT_LIST(admitted, 5, 4, 3, 2, 1);
    assert_int_equal(gate.counters.waited_longest, 7);
    assert_int_equal(gate.counters.waited_ticks, 7);
    assert_int_equal(gate.counters.admitted, 5);
    assert_int_equal(gate.counters.arrived, 1);
    assert_int_equal(gate.waiting_count, 1);
}

static void floor_is_left(void **state)
{
    (void)state;
    free_frames = 160;
    want(0, 30);
    want(1, 31);
    want(2, 1);
    run();
    ASSERT_LIST(admitted, 0); /* 2 would fit, but it is not its turn */
    assert_int_equal(vms[1].w.why, GATE_FRAMES);
    assert_int_equal(gate.counters.held[GATE_FRAMES], 1);
    free_frames++;
    run();
    ASSERT_LIST(admitted, 0, 1);
}

static void transit_in_frames(void **state)
{
    (void)state;
    want(0, 60);
    want(1, 41);
    want(2, 150);
    run();
    ASSERT_LIST(admitted, 0);
    assert_int_equal(vms[1].w.why, GATE_TRANSIT);
    arrive(0);
    run();
    ASSERT_LIST(admitted, 0, 1);
    arrive(1);
    run();
    ASSERT_LIST(admitted, 0, 1, 2); /* one that is larger goes alone */
    assert_int_equal(gate.arriving_frames, 150);
}

static void one_at_least_may_arrive(void **state)
{
    (void)state;
    struct gate_limits none = limits;
    none.arriving = 0;
    gate_init(&gate, &ops, &none);
    want(0, 10);
    run_while_due();
    ASSERT_LIST(admitted, 0);
}

static void admission_later(void **state)
{
    (void)state;
    admit_answer = GATE_LATER;
    want(0, 10);
    want(1, 10);
    run();
    run();
    ASSERT_LIST(admitted, 0);
    assert_int_equal(vms[0].w.why, GATE_ADMIT);
    assert_int_equal(gate.counters.held[GATE_ADMIT], 2);
    assert_int_equal(gate.counters.admitted, 0);
    assert_int_equal(gate.waiting_count, 2);
    assert_int_equal(gate.arriving_count + gate.arriving_frames, 0);
    admit_answer = GATE_STARTED;
    gate_poke(&gate);
    run_while_due();
    ASSERT_LIST(admitted, 0, 0, 1);
}

static void failure_to_arrive(void **state)
{
    (void)state;
    want(0, 10);
    run();
    gate_arrived(&gate, &vms[0].w, NULL, 0);
    assert_int_equal(gate.counters.failed, 1);
    assert_int_equal(gate.arriving_count + gate.arriving_frames + gate.resident_count, 0);
    assert_int_equal(vms[0].w.state, GATE_OUT);
    want(0, 10);
    run();
    ASSERT_LIST(admitted, 0, 0);
}

static void forgotten(void **state)
{
    (void)state;
    free_frames = 0;
    enter(9, 10, 0);
    want(0, 10);
    want(1, 10);
    gate_want_ahead(&gate, &vms[2].w, 10, now);
    gate_forget(&gate, &vms[0].w);
    gate_forget(&gate, &vms[2].w);
    gate_forget(&gate, &vms[3].w);
    assert_int_equal(gate.waiting_count, 1);
    free_frames = 1000;
    run();
    ASSERT_LIST(admitted, 1);
    gate_forget(&gate, &vms[1].w); /* too late */
    assert_int_equal(gate.arriving_count, 1);
    arrive(1);
}

static void ahead_of_need(void **state)
{
    (void)state;
    free_frames = 169;
    enter(9, 10, 0);
    gate_want_ahead(&gate, &vms[0].w, 10, now);
    gate_want_ahead(&gate, &vms[1].w, 10, now);
    gate_want_ahead(&gate, &vms[1].w, 10, now);
    run();
    ASSERT_LIST(admitted, 0); /* `low` would not be kept */
    assert_int_equal(gate.counters.wanted_ahead, 2);
    assert_int_equal(gate.counters.admitted_ahead, 1);
    free_frames = 155;
    want(2, 90);
    run();
    free_frames = 400;
    admit_answer = GATE_LATER;
    run();
    ASSERT_LIST(admitted, 0, 2); /* while somebody waits, nobody is read ahead */
    admit_answer = GATE_STARTED;
    want(1, 12);
    assert_int_equal(vms[1].w.state, GATE_QUEUED);
    assert_int_equal(vms[1].w.frames, 12);
    gate_want_ahead(&gate, &vms[1].w, 10, now);
    assert_int_equal(gate.waiting_count, 2);
}

static void idle_ones_leave_first(void **state)
{
    (void)state;
    enter(0, 8, 100); /* 200 frames are free */
    idle(3, now + 1000);
    idle(1, TICKS_NEVER);
    idle(4, now + 9000);
    idle(5, TICKS_NEVER);
    idle(6, now);
    idle(7, now + 2000);
    gate_wake(&gate.own, &vms[5].r);
    idle(0, TICKS_NEVER);
    idle(5, TICKS_NEVER);
    gate.limits.transit = 1000;
    want(10, 750);
    run();
    ASSERT_LIST(evicted, 1, 0, 5, 4, 7, 3, 6);
    assert_int_equal(gate.counters.evicted_idle, 3);
    assert_int_equal(gate.counters.evicted_timed, 4);
    assert_int_equal(gate.leaving_frames, 700);
    assert_int_equal(gate.resident_count, 8);
    leave(4);
    assert_int_equal(gate.resident_count, 7);
    assert_int_equal(gate.leaving_count, 6);
    assert_int_equal(vms[4].r.state, GATE_APART);
}

static void promised_frames_are_made_free(void **state)
{
    (void)state;
    enter(0, 8, 100);
    idle(1, TICKS_NEVER);
    idle(2, TICKS_NEVER);
    gate.limits.low = gate.limits.high = 0;
    want(10, 60);
    want(11, 60); /* 200 are free, of which 60 are promised and 100 are to be left */
    run();
    ASSERT_LIST(admitted, 10);
    ASSERT_LIST(evicted, 1);
}

static void time_brings_deadlines_nearer(void **state)
{
    (void)state;
    enter(0, 3, 300);
    idle(0, now + 1000);
    idle(1, now + 1010);
    now += 990;
    idle(2, now + 100);
    want(10, 50);
    run();
    ASSERT_LIST(evicted, 2);
    assert_false(gate.own.due);
}

static void transit_while_leaving(void **state)
{
    (void)state;
    enter(0, 15, 60);
    for (unsigned i = 0; i < 15; i++) {
        idle(i, TICKS_NEVER);
    }
    want(50, 400);
    run();
    ASSERT_LIST(evicted, 0);
    leave(0);
    run();
    ASSERT_LIST(evicted, 0, 1);
    gate.limits.transit = 180;
    run();
    ASSERT_LIST(evicted, 0, 1, 2, 3);
    assert_int_equal(gate.leaving_frames, 180);
}

static void low_and_high(void **state)
{
    (void)state;
    enter(0, 85, 10); /* 150 are free */
    for (unsigned i = 0; i < 85; i++) {
        idle(i, TICKS_NEVER);
    }
    run();
    assert_int_equal(evicted_count, 0);
    free_frames--;
    at_once = true;
    gate_poke(&gate);
    run_while_due();
    assert_int_equal(evicted_count, 6); /* 209 */
    free_frames = 150;
    gate_poke(&gate);
    run_while_due();
    assert_int_equal(evicted_count, 6);
    assert_int_equal(gate.deadline, TICKS_NEVER);
}

static void busy_ones_after_patience(void **state)
{
    (void)state;
    enter(0, 9, 100);
    gate_wake(&gate.own, &vms[0].r); /* is busy already, and stays the first */
    want(10, 50);
    run();
    assert_int_equal(gate_deadline(&gate), now + 50);
    now += 49;
    run();
    assert_int_equal(evicted_count, 0);
    assert_int_equal(gate_deadline(&gate), now + 1);
    now++;
    run();
    ASSERT_LIST(evicted, 0); /* and no more than the first of the queue needs */
    assert_int_equal(gate.counters.evicted_busy, 1);
    assert_int_equal(gate_deadline(&gate), TICKS_NEVER);
    leave(0);
    run();
    ASSERT_LIST(admitted, 10);
    want(11, 100); /* evicts nobody who has just come */
    now += 49;
    arrive(10);
    now += 1;
    run();
    assert_int_equal(evicted_count, 1);
    assert_int_equal(gate_deadline(&gate), now + 50);
    now += 50;
    run();
    ASSERT_LIST(evicted, 0, 1);
}

static void patience_only_for_the_queue(void **state)
{
    (void)state;
    enter(0, 9, 100);
    run();
    now += 1000;
    run();
    assert_int_equal(evicted_count, 0); /* low, but nobody waits */
    assert_int_equal(gate_deadline(&gate), TICKS_NEVER);
    assert_false(gate.own.due);
    idle(4, now + 1);
    assert_true(gate.own.due); /* somebody was looked for */
    run();
    ASSERT_LIST(evicted, 4);
    idle(5, now + 1);
    assert_false(gate.own.due); /* somebody was found */
}

/* Who is resident and has no frame to go on with is waited for as whoever is out. */
static void starving_ones_are_fed(void **state)
{
    (void)state;
    enter(0, 9, 100);
    free_frames = 0;
    run();
    gate_starve(&gate, 30, now);
    assert_true(gate.own.due);
    run();
    assert_int_equal(evicted_count, 0);
    assert_int_equal(gate_deadline(&gate), now + limits.patience);
    now += limits.patience - 1;
    gate_starve(&gate, 30, now); /* another: the patience has begun */
    run();
    assert_int_equal(evicted_count, 0);
    now++;
    run();
    ASSERT_LIST(evicted, 0); /* the longest busy; one is enough */
    leave(0);
    run_while_due();
    ASSERT_LIST(evicted, 0);
    gate_fed(&gate);
    free_frames = 0;
    now += 2 * limits.patience;
    run();
    ASSERT_LIST(evicted, 0); /* low, but nobody starves */
    gate_starve(&gate, 30, now);
    idle(5, now + 1);
    run();
    ASSERT_LIST(evicted, 0, 5); /* who idles leaves at once */
}

/* Calls `f`, after which gate_run has something to look at. */
#define ASSERT_MAKES_DUE(f)                                                                        \
    do {                                                                                           \
        run_while_due();                                                                           \
        f;                                                                                         \
        assert_true(gate.own.due);                                                                 \
    } while (0)

static void changes_make_due(void **state)
{
    (void)state;
    assert_false(gate.own.due);
    ASSERT_MAKES_DUE(enter(0, 9, 90));
    ASSERT_MAKES_DUE(want(10, 300));
    ASSERT_MAKES_DUE(gate_want_ahead(&gate, &vms[11].w, 10, now));
    ASSERT_MAKES_DUE(gate_forget(&gate, &vms[10].w));
    assert_int_equal(vms[11].w.state, GATE_AHEAD);
    ASSERT_MAKES_DUE(arrive(11));
    ASSERT_MAKES_DUE(gate_remove(&gate, &vms[11].r));
    ASSERT_MAKES_DUE(gate_poke(&gate));
    idle(0, TICKS_NEVER);
    ASSERT_MAKES_DUE(want(10, 300));
    ASSERT_MAKES_DUE(leave(0));
}

static void eviction_never(void **state)
{
    (void)state;
    enter(0, 9, 100);
    idle(1, TICKS_NEVER);
    idle(2, TICKS_NEVER);
    evict_answer = GATE_NEVER;
    want(10, 50);
    run_while_due();
    ASSERT_LIST(evicted, 1, 2);
    assert_int_equal(gate.counters.refused, 2);
    assert_int_equal(gate.leaving_count + gate.leaving_frames, 0);
    evict_answer = GATE_STARTED;
    gate_poke(&gate);
    run_while_due();
    ASSERT_LIST(evicted, 1, 2); /* not asked for again */
    gate_wake(&gate.own, &vms[2].r);
    assert_true(gate.own.due);
    run_while_due();
    idle(2, TICKS_NEVER);
    run_while_due();
    ASSERT_LIST(evicted, 1, 2, 2);
    gate_remove(&gate, &vms[1].r);
    assert_int_equal(gate.resident_count, 8);
}

static void eviction_later(void **state)
{
    (void)state;
    enter(0, 9, 100);
    idle(1, TICKS_NEVER);
    idle(2, TICKS_NEVER);
    evict_answer = GATE_LATER;
    want(10, 50);
    run_while_due();
    run();
    ASSERT_LIST(evicted, 1);
    assert_int_equal(gate.leaving_count + gate.leaving_frames, 0);
    assert_int_equal(gate.counters.evicted_idle, 0);
    evict_answer = GATE_STARTED;
    gate_poke(&gate);
    run_while_due();
    ASSERT_LIST(evicted, 1, 1);
}

static void kept_ones_are_busy(void **state)
{
    (void)state;
    enter(0, 9, 100);
    idle(1, TICKS_NEVER);
    want(10, 50);
    run_while_due();
    gate_wake(&gate.own, &vms[1].r); /* neither does anything while it leaves */
    idle(1, TICKS_NEVER);
    assert_int_equal(vms[1].r.state, GATE_LEAVING);
    gate_kept(&gate, &vms[1].r);
    assert_int_equal(vms[1].r.state, GATE_BUSY);
    assert_int_equal(gate.counters.kept, 1);
    assert_int_equal(gate.leaving_count + gate.leaving_frames, 0);
    assert_int_equal(gate.resident_count, 9);
    now += 50;
    run_while_due();
    ASSERT_LIST(evicted, 1, 0); /* it is the last of the busy now */
}

static void too_large_for_the_machine(void **state)
{
    (void)state;
    at_once = true;
    enter(0, 2, 450);
    idle(0, TICKS_NEVER);
    want(10, 5000);
    want(11, 10);
    run_while_due();
    ASSERT_LIST(evicted, 0);
    assert_int_equal(admitted_count, 0);
    at_once = false;
    now = gate_deadline(&gate);
    run();
    ASSERT_LIST(evicted, 0, 1);
    assert_int_equal(admitted_count, 0);
    leave(1);
    run_while_due();
    ASSERT_LIST(admitted, 10);
    gate_arrived(&gate, &vms[10].w, NULL, 0);
    run_while_due();
    ASSERT_LIST(admitted, 10, 11);
}

static void runs_are_short(void **state)
{
    (void)state;
    at_once = true;
    gate.limits.high = 990;
    enter(0, 180, 5);
    for (unsigned i = 0; i < 180; i++) {
        idle(i, now + 1000);
    }
    run();
    assert_int_equal(evicted_count, 64);
    assert_true(gate.own.due);
    now += 900; /* everybody is sorted in again first */
    run();
    assert_int_equal(evicted_count, 64);
    assert_true(gate.own.due);
    run_while_due();
    assert_int_equal(free_frames, 990);
    for (unsigned i = 190; i < 200; i++) {
        want(i, 1);
    }
    run();
    assert_int_equal(admitted_count, 4);
    assert_true(gate.own.due);
    run_while_due();
    assert_int_equal(admitted_count, 10);
}

static void who_is_apart(void **state)
{
    (void)state;
    idle(0, TICKS_NEVER);
    gate_wake(&gate.own, &vms[0].r);
    gate_remove(&gate, &vms[0].r);
    assert_int_equal(vms[0].r.state, GATE_APART);
    assert_int_equal(gate.own.idle_classes | gate.resident_count, 0);
    enter(0, 1, 950);
    idle(0, TICKS_NEVER);
    gate_remove(&gate, &vms[0].r);
    assert_int_equal(gate.resident_count, 0);
    run_while_due();
    assert_int_equal(evicted_count, 0);
}

/* Every VM is busy for ever and fills half of what there is; so do those that wait. Arriving takes
 * 5 ticks, leaving 10. */
static void waiting_is_bounded(void **state)
{
    (void)state;
    unsigned done_admitted = 0, done_evicted = 0;
    uint64_t arrives = 0, leaves = 0, asked = now + 1;
    gate.limits.transit = 1000;
    enter(0, 2, 450);
    for (unsigned i = 10; i < 60; i++) {
        want(i, 450);
    }
    for (now++; done_admitted < 50; now++) {
        if (admitted_count > done_admitted) {
            arrives = arrives ? arrives : now + 5;
            if (now == arrives) {
                arrive(admitted[done_admitted++]);
                arrives = 0;
            }
        }
        if (evicted_count > done_evicted) {
            leaves = leaves ? leaves : now + 10;
            if (now == leaves) {
                leave(evicted[done_evicted++]);
                leaves = 0;
            }
        }
        if (gate.own.due || now >= gate_deadline(&gate)) {
            run();
        }
        assert_true(now <= asked + (admitted_count + 1) * (limits.patience + 5 + 10 + 4));
    }
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(admitted[i], 10 + i);
    }
    /* and nobody was asked to go who had just come */
    assert_true(now >= asked + 49 * limits.patience);
    assert_int_equal(evicted_count, 50);
}

#define TEST(f) cmocka_unit_test_setup(f, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_in_first_out),
        TEST(floor_is_left),
        TEST(transit_in_frames),
        TEST(one_at_least_may_arrive),
        TEST(admission_later),
        TEST(failure_to_arrive),
        TEST(forgotten),
        TEST(ahead_of_need),
        TEST(idle_ones_leave_first),
        TEST(promised_frames_are_made_free),
        TEST(time_brings_deadlines_nearer),
        TEST(transit_while_leaving),
        TEST(low_and_high),
        TEST(busy_ones_after_patience),
        TEST(patience_only_for_the_queue),
        TEST(starving_ones_are_fed),
        TEST(changes_make_due),
        TEST(eviction_never),
        TEST(eviction_later),
        TEST(kept_ones_are_busy),
        TEST(too_large_for_the_machine),
        TEST(runs_are_short),
        TEST(who_is_apart),
        TEST(waiting_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
