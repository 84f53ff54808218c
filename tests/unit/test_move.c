/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * VMs between CPUs: where they run, why they move, and what becomes of what is sent to them.
 */
#include "abi/control.h"
#include "tests/unit/machine_cpus_test.h"

static int64_t control_of(struct vm *boss, uint64_t operation, uint64_t argument)
{
    assert_ptr_equal(machine_current(), boss);
    return machine_call(TOKLAT_VM_CONTROL, operation, argument);
}

/* A supervisor runs; the thread plays the keeper. */
static struct vm *wake_boss(uint32_t number)
{
    send_and_turn(number);
    return play_vm(number);
}

/* --- home --------------------------------------------------------------------------------- */

static void test_comes_home_and_runs(void **state)
{
    (void)state;
    send_to(WEB_A); /* it starts at the keeper */
    struct vm *web = machine_vm(WEB_A);
    assert_int_equal(web->sched.cpu, 1);
    assert_int_equal(where(WEB_A), KEEPER | 2u << WHERE_GOES_SHIFT);
    assert_null(machine_current());
    play(1);
    assert_ptr_equal(machine_current(), web);
    assert_int_equal(where(WEB_A), 1);
    assert_int_equal(web->context.x[0], 1);
    assert_int_equal(guest_used(web, GUEST_RX), 1);
    assert_int_equal(runs[1].came, 1);
    assert_int_equal(runs[0].went, 1);
    machine_check_settled();
}

static void test_homes_are_chosen_by_load(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    live_at(WEB_B, 2, 1, FOREVER);
    send_and_turn(WEB_A); /* both have a resident; CPU 1 has something to do */
    live_at(WEB_C, 2, 1, FOREVER);
    idle_vm(WEB_A, FOREVER);
    live_at(WEB_C + 1, 1, 1, FOREVER); /* which has fewer residents */
    send_and_turn(WEB_A);
    send_and_turn(WEB_B);
    send_and_turn(WEB_C + 2); /* the keeper has more residents, and nothing to do */
    assert_true(runs_at(WEB_C + 2, KEEPER));
    machine_check_settled();
}

static void test_whoever_is_on_its_way_counts(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        send_to(WEB_A + i); /* nobody arrives */
    }
    assert_int_equal(machine_vm(WEB_A)->sched.cpu, 1);
    assert_int_equal(machine_vm(WEB_B)->sched.cpu, 2);
    assert_int_equal(machine_vm(WEB_C)->sched.cpu, KEEPER);
    assert_int_equal(machine_vm(WEB_C + 1)->sched.cpu, 1);
    assert_int_equal(machine_vm(WEB_C + 2)->sched.cpu, 2);
    machine_turn();
    machine_check_settled();
}

static void test_supervisors_and_templates_stay(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(groups[i].template->sched.cpu, KEEPER);
    }
    struct vm *boss = wake_boss(BOSS), *chief = machine_vm(CHIEF);
    send_to(CHIEF);
    assert_int_equal(boss->sched.cpu + chief->sched.cpu, KEEPER);
    machine_advance(NS_PER_S); /* both can run, and two CPUs sleep */
    assert_true(boss->sched.state && chief->sched.state);
    machine_trap(PSCI_SYSTEM_RESET, 0, 0);
    machine_turn();
    assert_int_equal(machine_vm(BOSS)->sched.cpu, KEEPER);
}

static void test_timers_wake_at_home(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, 50 * NS_PER_MS);
    live_at(WEB_B, 2, 1, 80 * NS_PER_MS);
    uint64_t armed[] = {TICKS_NEVER, vm_stub(WEB_A)->timeout.deadline,
                        vm_stub(WEB_B)->timeout.deadline};
    for (unsigned cpu = 1; cpu < CPUS; cpu++) {
        machine_on(cpu);
        assert_true(host_timer_deadline() <= armed[cpu] + ticks_from_ns(NS_PER_MS));
    }
    machine_advance(60 * NS_PER_MS);
    assert_true(runs_at(WEB_A, 1));
    assert_int_equal(machine_vm(WEB_A)->context.x[0], TIMER);
    assert_int_equal(machine_vm(WEB_B)->sched.state, SCHED_BLOCKED);
}

/* --- frames ------------------------------------------------------------------------------- */

static void test_a_frame_for_a_vm_elsewhere(void **state)
{
    (void)state;
    struct vm *web = live_at(WEB_A, 1, 1, FOREVER);
    send_to(WEB_A);
    assert_int_equal(guest_used(web, GUEST_RX), 1);
    play(1);
    assert_int_equal(guest_used(web, GUEST_RX), 2);
    assert_int_equal(web->context.x[0], RX);
}

static void test_between_two_others(void **state)
{
    (void)state;
    uint8_t frame[200];
    struct vm *a = live_at(WEB_A, 1, 1, FOREVER), *b = live_at(WEB_B, 2, 1, FOREVER);
    send_and_turn(WEB_A);
    play_vm(WEB_A);
    frame_make(frame, sizeof(frame), WEB_A, WEB_B);
    guest_offer_tx(a, frame, sizeof(frame));
    assert_int_equal(machine_call(TOKLAT_DOORBELL, 2, 0), 0);
    uint64_t sent_by_keeper = mail_get_counters(KEEPER).sent;
    play(2);
    assert_ptr_equal(machine_current(), b);
    assert_int_equal(guest_used(b, GUEST_RX), 2);
    assert_int_equal(mail_get_counters(KEEPER).sent, sent_by_keeper);
}

static void test_to_the_outside_from_everywhere(void **state)
{
    (void)state;
    uint8_t frame[200];
    for (unsigned i = 0; i < 2; i++) {
        struct vm *web = live_at(WEB_A + i, 1 + i, 1, FOREVER);
        send_and_turn(WEB_A + i);
        play_vm(WEB_A + i);
        frame_make(frame, sizeof(frame), WEB_A + i, 0);
        guest_offer_tx(web, frame, sizeof(frame));
        assert_int_equal(machine_call(TOKLAT_DOORBELL, 2, 0), 0);
    }
    assert_int_equal(machine_sent,
                     1); /* the first one's, as the keeper was played for the second */
    machine_turn();
    assert_int_equal(machine_sent, 2);
}

/* It is sent home, and frames behind it; they come behind it. */
static void test_frames_follow_a_vm(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        send_to(WEB_A);
    }
    assert_int_equal(where(WEB_A), KEEPER | 2u << WHERE_GOES_SHIFT);
    machine_turn();
    assert_int_equal(guest_used(machine_vm(WEB_A), GUEST_RX), 3);
    assert_int_equal(network_get_counters().not_ready, 0);
}

/* What its last CPU was sent for it is passed on. */
static void test_frames_are_passed_on(void **state)
{
    (void)state;
    uint8_t frame[64];
    struct vm *web = live_at(WEB_A, 1, 1, FOREVER);
    live_at(WEB_B, 2, 1, FOREVER);
    send_and_turn(WEB_B);
    press(); /* asks for A */
    play(1);
    assert_int_equal(where(WEB_A), 1 | 1u << WHERE_GOES_SHIFT);
    struct vm *b = play_vm(WEB_B);
    frame_make(frame, sizeof(frame), WEB_B, WEB_A);
    guest_offer_tx(b, frame, sizeof(frame));
    assert_int_equal(machine_call(TOKLAT_DOORBELL, 2, 0), 0); /* from 2 to 1 */
    machine_disk->held = true;
    play(1);
    assert_int_equal(guest_used(web, GUEST_RX), 1);
    machine_turn();
    assert_int_equal(guest_used(web, GUEST_RX), 2);
    machine_disk->held = false;
    relax();
    assert_int_equal(network_get_counters().not_ready + residence_counters.dropped, 0);
}

static void test_counters_are_summed(void **state)
{
    (void)state;
    struct vm *a = live_at(WEB_A, 1, 1, FOREVER), *b = live_at(WEB_B, 2, 1, FOREVER);
    for (unsigned i = 0; i < 2; i++) {
        struct vm *web = i ? b : a;
        send_and_turn(web->stub->number);
        play_vm(web->stub->number);
        assert_int_equal(guest_write(&web->space, IPA(MARK_AT), "hello\n", 6), OK);
        assert_int_equal(machine_call(TOKLAT_CONSOLE_WRITE, MARK_AT, 6), 6);
    }
    assert_true(output_has("[web/1] hello") && output_has("[web/2] hello"));
    runs[1].not_ready += 2;
    runs[2].not_ready += 3;
    assert_int_equal(network_get_counters().not_ready, 5);
}

/* --- ends --------------------------------------------------------------------------------- */

static void end_at_home(uint64_t function)
{
    live_at(WEB_A, 1, 1, FOREVER);
    send_and_turn(WEB_A);
    play_vm(WEB_A);
    machine_trap(function, 0, 0);
    machine_check(true);
    assert_null(machine_current());
    assert_int_equal(where(WEB_A), 1 | 1u << WHERE_GOES_SHIFT);
    assert_int_equal(state_of(WEB_A), VM_LIVE);
    send_to(WEB_A); /* there is nobody any more */
    machine_turn();
    machine_check_settled();
}

static void test_exits_at_home(void **state)
{
    (void)state;
    struct machine_frames before = machine_frames();
    end_at_home(TOKLAT_EXIT);
    assert_int_equal(state_of(WEB_A), VM_DEAD);
    assert_int_equal(groups[1].exited, 1);
    assert_int_equal(network_get_counters().not_ready + residence_counters.dropped, 1);
    machine_quiet();
    assert_true(machine_frames().of[FRAME_PRIVATE] == before.of[FRAME_PRIVATE]);
}

static void test_resets_at_home(void **state)
{
    (void)state;
    end_at_home(PSCI_SYSTEM_RESET);
    struct vm *web = machine_vm(WEB_A);
    assert_int_equal(groups[1].started, 2);
    assert_true(runs_at(WEB_A, web->sched.cpu));
}

static void test_killed_at_home(void **state)
{
    (void)state;
    struct vm *web = live_at(WEB_A, 1, 1, FOREVER);
    web->nic.rx.used = IPA(0x3000); /* text */
    send_to(WEB_A);
    send_to(WEB_A);
    machine_turn();
    assert_int_equal(state_of(WEB_A), VM_DEAD);
    assert_int_equal(groups[1].killed, 1);
    assert_int_equal(runs[1].kills, 1);
    assert_int_equal(network_get_counters().not_ready, 1);
    machine_check_settled();
}

/* --- supervisors -------------------------------------------------------------------------- */

static void test_destroys_elsewhere(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    struct vm *boss = wake_boss(BOSS);
    machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_DESTROY, WEB_A);
    assert_null(machine_current());
    assert_int_equal(boss->wait, WAIT_VM);
    send_to(BOSS); /* which is no answer */
    assert_null(machine_current());
    assert_int_equal(state_of(WEB_A), VM_LIVE);
    machine_turn();
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(boss->context.x[0], 0);
    assert_int_equal(state_of(WEB_A), VM_DEFINED);
    assert_int_equal(control_of(boss, TOKLAT_VM_START, WEB_A), 0);
    machine_turn();
    assert_int_equal(state_of(WEB_A), VM_LIVE);
    machine_check_settled();
}

/* It has left when the question comes: evicted, ended, or on its way home. */
static void test_destroys_who_is_gone(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    live_at(WEB_B, 2, 1, FOREVER);
    send_and_turn(WEB_A);
    struct vm *boss = wake_boss(BOSS);
    play_vm(WEB_A);
    machine_trap(TOKLAT_EXIT, 0, 0); /* under way */
    machine_on(KEEPER);
    machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_DESTROY, WEB_A);
    machine_turn();
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(boss->context.x[0], 0);
    assert_int_equal(state_of(WEB_A), VM_DEFINED);
    press(); /* asks for B before it is to be destroyed */
    machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_DESTROY, WEB_B);
    machine_turn();
    assert_int_equal(boss->context.x[0], 0);
    assert_int_equal(state_of(WEB_B), VM_DEFINED);
    assert_int_equal(control_of(boss, TOKLAT_VM_START, WEB_C), 0);
    machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_DESTROY, WEB_C); /* on its way home */
    machine_turn();
    assert_int_equal(boss->context.x[0], 0);
    assert_int_equal(state_of(WEB_C), VM_DEFINED);
    machine_check_settled();
}

static void test_two_supervisors_destroy_one(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    for (uint32_t boss = BOSS; boss <= CHIEF; boss++) {
        send_to(boss);
        play_vm(boss);
        machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_DESTROY, WEB_A);
        machine_check(true);
    }
    machine_turn();
    machine_check_settled();
    for (uint32_t boss = BOSS; boss <= CHIEF; boss++) {
        assert_int_not_equal(machine_vm(boss)->sched.state, SCHED_BLOCKED);
        assert_int_equal(machine_vm(boss)->context.x[0], 0);
    }
    assert_int_equal(state_of(WEB_A), VM_DEFINED);
}

static void test_whoever_waits_to_destroy_is_destroyed(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    send_to(BOSS);
    play_vm(BOSS);
    machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_DESTROY, WEB_A);
    send_to(CHIEF);
    struct vm *chief = play_vm(CHIEF);
    assert_int_equal(control_of(chief, TOKLAT_VM_DESTROY, BOSS), 0);
    machine_turn();
    assert_int_equal(state_of(WEB_A), VM_LIVE); /* nobody waits for its end any more */
    machine_check_settled();
}

/* --- load --------------------------------------------------------------------------------- */

/* Two can run on CPU 1, one on the keeper, and CPU 2 sleeps. */
static void two_on_one(void)
{
    live_at(WEB_A, 1, 1, FOREVER);
    live_at(WEB_B, 2, 1, FOREVER);
    live_at(WEB_C, 1, 1, FOREVER);
    send_and_turn(WEB_A);
    send_and_turn(WEB_C);
    send_and_turn(BOSS);
    assert_true(runs_at(WEB_A, 1) && runs[2].asleep);
    assert_int_equal(runs[1].mux.ready_count, 1);
}

static void test_one_too_many_goes_where_nothing_is_to_do(void **state)
{
    (void)state;
    two_on_one();
    host_time_advance(ticks_from_ns(20 * NS_PER_MS));
    play(1);
    assert_ptr_equal(machine_current(), machine_vm(WEB_C));
    assert_true(list_empty(&runs[1].departing)); /* nothing would make it go later */
    assert_int_equal(where(WEB_A), 1 | 1u << WHERE_GOES_SHIFT);
    machine_turn();
    assert_true(runs_at(WEB_A, 2) && runs_at(WEB_C, 1));
    machine_check_settled();
}

static void test_the_keeper_gives_one_away(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    live_at(WEB_B, 2, 1, FOREVER);
    send_and_turn(WEB_A);
    send_and_turn(WEB_B);
    send_and_turn(WEB_C);
    assert_true(runs_at(WEB_C, KEEPER));
    send_and_turn(BOSS);
    idle_vm(WEB_B, FOREVER);
    machine_advance(20 * NS_PER_MS);
    assert_true(runs_at(WEB_C, 2) && runs_at(BOSS, KEEPER));
    machine_check_settled();
}

static void test_a_cpu_that_sleeps_does_not_call(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    send_and_turn(WEB_A);
    uint64_t sent = mail_get_counters(1).sent;
    idle_vm(WEB_A, 10 * NS_PER_MS);
    assert_int_equal(mail_get_counters(1).sent, sent);
    gatekeeper.evict_later = gatekeeper.admit_later = true;
    machine_advance(20 * NS_PER_MS);
    idle_vm(WEB_A, FOREVER);
    machine_turn();
    assert_true(gatekeeper.evict_later && gatekeeper.admit_later);
    gate_poke(&gatekeeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cpus_test(test_comes_home_and_runs),
        cpus_test(test_homes_are_chosen_by_load),
        cpus_test(test_whoever_is_on_its_way_counts),
        cpus_test(test_supervisors_and_templates_stay),
        cpus_test(test_timers_wake_at_home),
        cpus_test(test_a_frame_for_a_vm_elsewhere),
        cpus_test(test_between_two_others),
        cpus_test(test_to_the_outside_from_everywhere),
        cpus_test(test_frames_follow_a_vm),
        cpus_test(test_frames_are_passed_on),
        cpus_test(test_counters_are_summed),
        cpus_test(test_exits_at_home),
        cpus_test(test_resets_at_home),
        cpus_test(test_killed_at_home),
        cpus_test(test_destroys_elsewhere),
        cpus_test(test_destroys_who_is_gone),
        cpus_test(test_two_supervisors_destroy_one),
        cpus_test(test_whoever_waits_to_destroy_is_destroyed),
        cpus_test(test_one_too_many_goes_where_nothing_is_to_do),
        cpus_test(test_the_keeper_gives_one_away),
        cpus_test(test_a_cpu_that_sleeps_does_not_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
