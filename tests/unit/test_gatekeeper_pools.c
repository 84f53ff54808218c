/* SPDX-License-Identifier: BSD-2-Clause */
// sources: sched/gatekeeper.c sched/gate_pool.c
/*
 * The gatekeeper and the residents of other CPUs: whom it asks for, and what it makes of answers.
 * The machine has 1,000 frames and three CPUs; VM i is at home on CPU i % 3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/time.h"
#include "sched/gatekeeper.h"

#define VMS 60
#define POOLS 3u

struct fake_vm {
    struct gate_waiter w;
    struct gate_resident r;
};

static struct fake_vm vms[VMS];
static struct gate gate;
static struct gate_pool others[POOLS]; /* [0] is gate.own */
static uint64_t free_frames, now;
static enum gate_answer ask_answer, evict_answer;
static unsigned evicted[100], evicted_count, admitted_count;
static struct question {
    unsigned cpu;
    bool busy;
} asked[100];
static unsigned asked_count;

static uint64_t fake_free(void)
{
    return free_frames;
}

static enum gate_answer fake_admit(struct gate_waiter *w)
{
    admitted_count++;
    free_frames -= w->frames;
    struct fake_vm *vm = container_of(w, struct fake_vm, w);
    gate_arrived(&gate, w, &vm->r, w->frames);
    return GATE_STARTED;
}

static enum gate_answer fake_evict(struct gate_resident *r)
{
    evicted[evicted_count++] = (unsigned)(container_of(r, struct fake_vm, r) - vms);
    return evict_answer;
}

static enum gate_answer fake_ask(unsigned cpu, bool busy)
{
    if (ask_answer == GATE_STARTED) {
        asked[asked_count++] = (struct question){cpu, busy};
    }
    return ask_answer;
}

static const struct gate_ops ops = {fake_free, fake_admit, fake_evict, fake_ask};
static const struct gate_limits limits = {
    .floor = 100, .low = 150, .high = 400, .transit = 1000, .arriving = 4, .patience = 50};

static struct gate_pool *pool(unsigned cpu)
{
    return cpu ? &others[cpu] : &gate.own;
}

static void begin(const struct gate_limits *l)
{
    memset(vms, 0, sizeof(vms));
    free_frames = 1000;
    now = 1000;
    ask_answer = evict_answer = GATE_STARTED;
    evicted_count = asked_count = admitted_count = 0;
    gate_init(&gate, &ops, l);
    gate_add_pool(&gate, 1, &others[1]);
    gate_add_pool(&gate, 2, &others[2]);
}

static int start(void **state)
{
    (void)state;
    begin(&limits);
    return 0;
}

/* VM i is resident, of 10 frames, and busy at home. */
static void enter(unsigned i)
{
    free_frames -= 10;
    gate_enter(&gate, &vms[i].r, 10);
    gate_quit(&vms[i].r);
    gate_join(pool(i % POOLS), &vms[i].r);
}

static void enter_all(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        enter(i);
    }
}

static void idle(unsigned i, uint64_t deadline)
{
    gate_idle(pool(i % POOLS), &vms[i].r, deadline, now);
}

static void run(void)
{
    gate_run(&gate, now);
}

/* CPU `cpu` gives up its first. */
static struct gate_resident *give(unsigned cpu, bool busy)
{
    struct gate_resident *r = gate_first(pool(cpu), busy, now);
    if (r) {
        gate_quit(r);
        gate_join(&gate.own, r);
    }
    gate_given(&gate, cpu, r);
    return r;
}

static void asks_where_somebody_idles(void **state)
{
    (void)state;
    enter_all(6);
    idle(1, now + 1000);
    idle(2, TICKS_NEVER);
    free_frames = 140;
    run();
    assert_int_equal(evicted_count, 0);
    assert_true(asked_count > 0);
    assert_int_equal(asked[0].cpu, 2); /* whoever is furthest away */
    assert_false(asked[0].busy);
    assert_int_equal(gate.asked[2], asked_count);
    assert_int_equal(gate.leaving_count, asked_count);
    assert_int_equal(gate.leaving_frames, asked_count * GATE_ASKED_FRAMES);
    assert_int_equal(gate.resident_count, 6);
}

/* Those asked for are thought to free some: no more are asked for than is lacking. */
static void asks_for_what_is_lacking(void **state)
{
    (void)state;
    enter_all(60);
    for (unsigned i = 0; i < 60; i++) {
        if (i % POOLS) {
            idle(i, TICKS_NEVER);
        }
    }
    free_frames = 140;
    run();
    assert_int_equal(asked_count, (400 - 140 + GATE_ASKED_FRAMES - 1) / GATE_ASKED_FRAMES);
    assert_false(gate.own.due);
}

static void asks_each_for_so_many(void **state)
{
    (void)state;
    struct gate_limits much = limits;
    much.high = 900;
    begin(&much);
    enter_all(60);
    idle(1, TICKS_NEVER);
    idle(2, TICKS_NEVER);
    idle(0, TICKS_NEVER);
    evict_answer = GATE_NEVER;
    free_frames = 140;
    run();
    assert_int_equal(evicted_count, 1); /* its own, too */
    assert_int_equal(gate.asked[1], GATE_ASKED_MAX);
    assert_int_equal(gate.asked[2], GATE_ASKED_MAX);
    assert_int_equal(asked_count, 2 * GATE_ASKED_MAX);
    gate_given(&gate, 1, NULL);
    assert_true(gate.own.due);
    run();
    assert_int_equal(gate.asked[1], GATE_ASKED_MAX);
}

static void others_can_leave(void **state)
{
    (void)state;
    assert_false(gate_others_can_leave(&gate, &vms[0].r));
    enter(0);
    assert_false(gate_others_can_leave(&gate, &vms[0].r));
    assert_true(gate_others_can_leave(&gate, &vms[1].r));
    enter(3); /* busy beside it */
    assert_true(gate_others_can_leave(&gate, &vms[0].r));
    assert_true(gate_others_can_leave(&gate, &vms[3].r));
    gate_remove(&gate, &vms[3].r);
    enter(1); /* busy elsewhere */
    assert_true(gate_others_can_leave(&gate, &vms[0].r));
    idle(1, TICKS_NEVER);
    assert_true(gate_others_can_leave(&gate, &vms[0].r));
    gate_remove(&gate, &vms[1].r);
    assert_true(gate_others_can_leave(&gate, &vms[0].r)); /* perhaps: it is looked at there */
    assert_null(gate_first(pool(1), true, now));
    assert_false(gate_others_can_leave(&gate, &vms[0].r));
}

static void asks_within_transit(void **state)
{
    (void)state;
    struct gate_limits few = limits;
    few.transit = 50;
    begin(&few);
    enter_all(9);
    idle(1, TICKS_NEVER);
    free_frames = 140;
    run();
    assert_int_equal(asked_count, 2);
    assert_int_equal(gate.leaving_frames, 2 * GATE_ASKED_FRAMES);
}

static void cannot_ask_now(void **state)
{
    (void)state;
    enter_all(3);
    idle(1, TICKS_NEVER);
    free_frames = 140;
    ask_answer = GATE_LATER;
    run();
    assert_int_equal(gate.asked[1] + gate.leaving_count + gate.leaving_frames, 0);
}

static void who_idles_and_is_given_leaves(void **state)
{
    (void)state;
    enter_all(3);
    idle(1, TICKS_NEVER);
    free_frames = 140;
    run();
    unsigned questions = asked_count;
    struct gate_resident *r = gate_first(&others[1], false, now);
    assert_ptr_equal(r, &vms[1].r);
    gate_quit(r);
    assert_int_equal(r->state, GATE_MOVING);
    gate_idle(&others[1], r, TICKS_NEVER, now); /* neither does anything meanwhile */
    gate_wake(&others[1], r);
    assert_int_equal(r->state, GATE_MOVING);
    gate_join(&gate.own, r);
    gate_idle(&gate.own, r, TICKS_NEVER, now);
    gate_given(&gate, 1, r);
    assert_int_equal(gate.asked[1], questions - 1);
    assert_int_equal(evicted_count, 0); /* it is found in its order */
    for (unsigned i = 1; i < questions; i++) {
        assert_null(give(1, false));
    }
    assert_int_equal(gate.leaving_count + gate.leaving_frames + gate.asked[1], 0);
    run();
    assert_int_equal(evicted_count, 1);
    assert_int_equal(evicted[0], 1);
    assert_int_equal(gate.leaving_frames, 10); /* what it really has */
    free_frames += 10;
    gate_left(&gate, r);
    assert_int_equal(gate.resident_count, 2);
}

static void who_is_busy_and_is_given_leaves_at_once(void **state)
{
    (void)state;
    enter_all(3);
    free_frames = 105;
    gate_want(&gate, &vms[50].w, 10, now);
    run();
    assert_int_equal(asked_count, 0); /* patience */
    assert_int_equal(gate_deadline(&gate), now + limits.patience);
    now += limits.patience;
    idle(0, TICKS_NEVER); /* one of its own first */
    evict_answer = GATE_NEVER;
    run();
    assert_int_equal(evicted[0], 0);
    evict_answer = GATE_STARTED;
    assert_int_equal(asked_count, 1);
    assert_true(asked[0].busy);
    struct gate_resident *r = give(asked[0].cpu, true);
    assert_int_equal(evicted_count, 2);
    assert_int_equal(r->state, GATE_LEAVING);
    assert_int_equal(gate.counters.evicted_busy, 1);
    gate_kept(&gate, r);
    assert_int_equal(r->state, GATE_BUSY);
}

static void busy_ones_in_turn(void **state)
{
    (void)state;
    enter_all(9);
    free_frames = 105;
    gate_want(&gate, &vms[50].w, 90, now);
    now += limits.patience;
    run(); /* lacks 85: its own, 24 of one, 24 of the other, and so on */
    unsigned own = evicted_count, of[POOLS] = {0};
    for (unsigned i = 0; i < asked_count; i++) {
        of[asked[i].cpu]++;
        assert_true(asked[i].busy);
    }
    assert_true(own > 0 && of[1] > 0 && of[2] > 0);
    assert_true(of[1] - of[2] + 1 <= 2 && own - of[2] + 1 <= 2);
}

static void busy_ones_within_bounds(void **state)
{
    (void)state;
    struct gate_limits much = limits;
    much.transit = 5000;
    begin(&much);
    enter_all(60);
    free_frames = 105;
    gate_want(&gate, &vms[50].w, 3000, now);
    now += limits.patience;
    run();
    assert_true(gate.asked[1] == GATE_ASKED_MAX || gate.asked[2] == GATE_ASKED_MAX);
    assert_true(gate.asked[1] <= GATE_ASKED_MAX && gate.asked[2] <= GATE_ASKED_MAX);
}

/* Spared: until it wakes or idles, wherever it goes. */
static void spared_ones_stay_spared(void **state)
{
    (void)state;
    enter_all(3);
    idle(0, TICKS_NEVER);
    evict_answer = GATE_NEVER;
    free_frames = 140;
    run();
    assert_int_equal(vms[0].r.state, GATE_SPARED);
    gate_quit(&vms[0].r);
    gate_join(&others[1], &vms[0].r);
    assert_int_equal(vms[0].r.state, GATE_SPARED);
    assert_null(gate_first(&others[1], false, now));
    assert_ptr_equal(gate_first(&others[1], true, now), &vms[1].r);
    gate_wake(&others[1], &vms[0].r);
    assert_int_equal(vms[0].r.state, GATE_BUSY);
    gate_quit(&vms[0].r);
    gate_join(&others[2], &vms[0].r); /* of which nothing is left */
    assert_int_equal(vms[0].r.state, GATE_BUSY);
    gate_idle(&others[2], &vms[0].r, TICKS_NEVER, now);
    assert_ptr_equal(gate_first(&others[2], false, now), &vms[0].r);
}

static void who_is_apart_does_not_move(void **state)
{
    (void)state;
    enter(0);
    gate_remove(&gate, &vms[0].r);
    gate_quit(&vms[0].r);
    gate_join(&others[1], &vms[0].r);
    assert_int_equal(vms[0].r.state, GATE_APART);
    assert_true(list_empty(&others[1].busy));
    enter(1);
    gate_quit(&vms[1].r);
    gate_remove(&gate, &vms[1].r); /* it ends on its way */
    assert_int_equal(gate.resident_count, 0);
}

/* When it found nobody, each pool says when that changes. */
static void hungry_pools_say_when(void **state)
{
    (void)state;
    enter_all(6);
    free_frames = 140;
    run();
    for (unsigned cpu = 0; cpu < POOLS; cpu++) {
        assert_true(pool(cpu)->hungry);
        assert_false(pool(cpu)->due);
    }
    idle(1, TICKS_NEVER);
    assert_true(others[1].due);
    assert_false(others[2].due || gate.own.due);
    gate_poke(&gate);
    run();
    assert_false(others[1].hungry);
    assert_int_equal(asked[0].cpu, 1);
    idle(2, TICKS_NEVER);
    assert_false(others[2].due); /* enough is asked for */
}

/* The furthest class of its own and of others', and who comes first in it. */
static void furthest_of_all_pools(void **state)
{
    (void)state;
    enter_all(6);
    idle(0, now + 100);
    idle(1, now + 100000);
    idle(4, now + 5000000);
    assert_ptr_equal(gate_first(&others[1], false, now), &vms[4].r);
    assert_ptr_equal(gate_first(&gate.own, false, now), &vms[0].r);
    now += 4999990; /* its class was left too far */
    assert_ptr_equal(gate_first(&others[1], false, now), &vms[4].r);
    idle(3, now + 400); /* of CPU 0 */
    free_frames = 140;
    run();
    assert_int_equal(evicted[0], 3);
}

/* Each look sorts so many: who asks again finds somebody. */
static void looks_are_bounded(void **state)
{
    (void)state;
    static struct gate_resident many[200];
    memset(many, 0, sizeof(many));
    for (unsigned i = 0; i < 200; i++) {
        gate_enter(&gate, &many[i], 1);
        gate_quit(&many[i]);
        gate_join(&others[1], &many[i]);
        gate_idle(&others[1], &many[i], now + 1000000 + i, now);
    }
    now += 1000000 - 10;
    unsigned looks = 1;
    while (!gate_first(&others[1], true, now)) {
        looks++;
        assert_true(looks < 10);
        assert_true(others[1].idle_classes);
    }
    assert_true(looks >= 200 / 64);
}

#define TEST(f) cmocka_unit_test_setup(f, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(asks_where_somebody_idles),
        TEST(asks_for_what_is_lacking),
        TEST(asks_each_for_so_many),
        TEST(others_can_leave),
        TEST(asks_within_transit),
        TEST(cannot_ask_now),
        TEST(who_idles_and_is_given_leaves),
        TEST(who_is_busy_and_is_given_leaves_at_once),
        TEST(busy_ones_in_turn),
        TEST(busy_ones_within_bounds),
        TEST(spared_ones_stay_spared),
        TEST(who_is_apart_does_not_move),
        TEST(hungry_pools_say_when),
        TEST(furthest_of_all_pools),
        TEST(looks_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
