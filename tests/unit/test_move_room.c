/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * Free frames that rest in the caches of other CPUs: who comes in gets them, without anybody being
 * evicted.
 */
#include "abi/control.h"
#include "tests/unit/machine_cpus_test.h"

#define RESTING 50u /* frames in the cache of each of the others */

/* So many are free that nobody is evicted, and all of them rest with other CPUs. */
static void rest_elsewhere(void)
{
    pa_t resting[CPUS][RESTING];
    for (unsigned cpu = 1; cpu < CPUS; cpu++) {
        machine_on(cpu);
        for (unsigned i = 0; i < RESTING; i++) {
            assert_int_equal(frame_alloc(FRAME_EL2, FRAME_OWNER_NONE, &resting[cpu][i]), OK);
        }
    }
    machine_on(KEEPER);
    machine_hold_frames(0);
    for (unsigned cpu = 1; cpu < CPUS; cpu++) {
        machine_on(cpu);
        for (unsigned i = 0; i < RESTING; i++) {
            (void)frame_unref(resting[cpu][i]);
        }
    }
    machine_on(KEEPER);
    assert_true(frame_count(FRAME_FREE) > gatekeeper.limits.low);
}

static void comes_without_evictions(void)
{
    uint64_t evictions = residence_counters.evictions;
    (void)home_again(WEB_A);
    assert_int_equal(mark_of(WEB_A), 0xA);
    assert_int_equal(residence_counters.evictions, evictions);
    idle_vm(WEB_A, FOREVER);
}

static void test_free_frames_of_others_let_a_vm_in(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    press_out_cpus(WEB_A);
    rest_elsewhere();
    send_and_turn(WEB_A); /* lost, as there is no frame even to wait with */
    send_to(WEB_A);
    comes_without_evictions();
}

static void test_free_frames_of_others_let_a_vm_be_made(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    press_out_cpus(WEB_A);
    machine_disk->held = true;
    send_to(WEB_A);
    rest_elsewhere();
    machine_disk->held = false;
    comes_without_evictions();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cpus_test(test_free_frames_of_others_let_a_vm_in),
        cpus_test(test_free_frames_of_others_let_a_vm_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
