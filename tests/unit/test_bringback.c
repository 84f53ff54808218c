/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * Shutdown, power cuts, and what the next machine finds in the store.
 */
#include "arch/time.h"
#include "core/identity.h"
#include "tests/unit/machine_disk_test.h"

#define RX TOKLAT_EVENT_NET_RX
#define TIMER TOKLAT_EVENT_TIMER
#define RESUMED TOKLAT_EVENT_RESUMED

static void boot_again(void)
{
    disk_deploy();
    disk_boot();
}

static void test_all_are_as_they_were(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < DISK_WEB; n++) {
        live(WEB + n, 0x100 + n, FOREVER);
    }
    uint64_t generation = machine_vm(WEB)->page->generation;
    uint64_t machine_ns = ns_from_ticks(run_machine_ticks());
    disk_shutdown();
    assert_int_equal(groups[1].stored, DISK_WEB);
    assert_int_equal(groups[1].live, 0);
    boot_again();
    assert_true(store_was_clean());
    assert_int_equal(groups[1].stored, DISK_WEB);
    assert_true(ns_from_ticks(run_machine_ticks()) >= machine_ns);
    for (uint32_t n = 0; n < DISK_WEB; n++) {
        frame_for(WEB + n);
        assert_int_equal(machine_current()->stub->number, WEB + n);
        assert_int_equal(machine_current()->context.x[0], RX | RESUMED);
        assert_int_equal(mark_of(WEB + n), 0x100 + n);
        machine_settle();
        machine_check(true);
    }
    assert_true(machine_vm(WEB)->page->generation > generation);
    assert_int_equal(residence_counters.wakes_damaged, 0);
}

static void test_deadlines_go_on(void **state)
{
    (void)state;
    live(WEB, 1, 5 * NS_PER_S);
    disk_shutdown();
    boot_again();
    assert_int_equal(state_of(WEB), VM_STORED);
    uint64_t begun = counter_now();
    while (!machine_current()) {
        machine_sleep();
    }
    uint64_t waited_ns = ns_from_ticks(counter_now() - begun);
    assert_in_range(waited_ns, 4 * NS_PER_S, 5 * NS_PER_S + NS_PER_MS);
    assert_int_equal(machine_current()->stub->number, WEB);
    assert_int_equal(machine_current()->context.x[0] & RESUMED, RESUMED);
}

/* The supervisor that switches the machine off runs on behind that call at the next boot, and is
 * told of no timeout that it did not have. */
static void test_who_could_run_runs(void **state)
{
    (void)state;
    frame_for(BOSS);
    assert_int_equal(machine_current()->stub->number, BOSS);
    machine_trap(PSCI_SYSTEM_OFF, 0, 0);
    for (unsigned i = 0; !machine_power_offs; i++) {
        assert_true(i < 100);
        machine_disk_turn();
    }
    disk_deploy();
    machine_start();
    while (!machine_current() || machine_current()->stub->number != BOSS) {
        machine_sleep();
    }
    assert_int_equal(machine_current()->context.x[0], 0);
    assert_int_equal(machine_current()->page->events_pending & TIMER, 0);
    assert_false(timeout_waiting(&vm_find(BOSS)->timeout));
    machine_check(true);
}

static void test_power_cut(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    press_out(WEB);
    live(WEB, 2, FOREVER);     /* which is lost */
    live(WEB + 1, 3, FOREVER); /* this one was never out */
    disk_power_cut();
    assert_false(store_was_clean());
    assert_int_equal(state_of(WEB), VM_STORED);
    assert_int_equal(state_of(WEB + 1), VM_DEFINED);
    frame_for(WEB);
    assert_int_equal(mark_of(WEB), 1);
}

/* A deadline in a record is kept while its VM lives, whatever checkpoints are written meanwhile. */
static void test_a_deadline_outlives_a_checkpoint(void **state)
{
    (void)state;
    live(WEB, 1, NS_PER_S);
    press_out(WEB);
    frame_for(WEB);
    while (machine_current()) {
        machine_trap(TOKLAT_IDLE, FOREVER, 0);
    }
    store_checkpoint(false);
    machine_quiet();
    disk_power_cut();
    assert_int_equal(state_of(WEB), VM_STORED);
    while (!machine_current()) {
        machine_sleep();
    }
    assert_int_equal(machine_current()->stub->number, WEB);
}

static void test_restart_after_a_power_cut(void **state)
{
    (void)state;
    for (unsigned clean = 0; clean < 2; clean++) {
        live(WEB, 9, FOREVER);
        press_out(WEB);
        if (clean) {
            disk_shutdown();
        }
        fake_block_cut(machine_disk);
        machine_init(DISK_RAM);
        struct deployment_group *boss = machine_add("boss", 1, 0);
        boss->supervisor = boss->start_at_boot = true;
        machine_add("web", DISK_WEB, DISK_RESERVE)->restart = true;
        disk_boot();
        assert_int_equal(state_of(WEB), clean ? VM_STORED : VM_DEFINED);
    }
}

static void test_the_dead_and_the_reserve(void **state)
{
    (void)state;
    uint32_t made[2];
    frame_for(WEB);
    machine_trap(TOKLAT_EXIT, 0, 0);
    assert_int_equal(vm_create(&groups[1], &made[0]), OK);
    assert_int_equal(vm_create(&groups[1], &made[1]), OK);
    machine_disk_turn();
    machine_quiet();
    live(made[0], 5, FOREVER);
    for (unsigned boot = 0; boot < 3; boot++) {
        if (boot == 1) {
            disk_shutdown();
        }
        if (boot == 2) {
            vm_destroy(vm_find(made[1]));
            machine_disk_turn();
            machine_quiet();
        }
        disk_power_cut();
        assert_int_equal(state_of(WEB), VM_DEAD);
        assert_int_equal(state_of(made[0]), boot ? VM_STORED : VM_DEFINED);
        assert_int_equal(state_of(made[1]), boot < 2 ? VM_DEFINED : VM_ABSENT);
        if (boot == 0) {
            live(made[0], 5, FOREVER);
        }
    }
}

static void test_damage_is_one_vms_own(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    live(WEB + 1, 2, FOREVER);
    disk_shutdown();
    uint64_t bit = (uint64_t)vm_find(WEB)->place.sector * 4096 + 100 * 8;
    fake_block_flip(machine_disk, bit);
    boot_again();
    assert_int_equal(groups[1].stored, 2);
    frame_for(WEB);
    machine_quiet();
    assert_true(output_has("[web/1] its record at sector "));
    assert_int_equal(mark_of(WEB), 0);
    frame_for(WEB + 1);
    assert_int_equal(mark_of(WEB + 1), 2);
    assert_int_equal(residence_counters.wakes_damaged, 1);
}

static void test_an_image_that_changed(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    disk_shutdown();
    machine_init(DISK_RAM);
    struct deployment_group *boss = machine_add("boss", 1, 0);
    boss->supervisor = boss->start_at_boot = true;
    machine_image(machine_add("web", DISK_WEB, DISK_RESERVE))->data[0]++;
    disk_boot();
    assert_int_equal(state_of(WEB), VM_STORED);
    frame_for(WEB);
    machine_quiet();
    assert_int_equal(residence_counters.wakes_foreign, 1);
    assert_int_equal(state_of(WEB), VM_LIVE);
    assert_int_equal(mark_of(WEB), 0);
}

/* A group without a template answers nobody, and what is stored of it is let be. */
static void test_a_group_that_fails(void **state)
{
    (void)state;
    live(WEB, 0x77, NS_PER_S);
    disk_shutdown();
    machine_init(DISK_RAM);
    struct deployment_group *boss = machine_add("boss", 1, 0);
    boss->supervisor = boss->start_at_boot = true;
    machine_image(machine_add("web", DISK_WEB, DISK_RESERVE))->header.machine = 62;
    disk_boot();
    assert_int_equal(groups[1].state, GROUP_FAILED);
    frame_for(WEB);
    machine_advance(10 * NS_PER_S);
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_STORED);
    disk_shutdown();
    boot_again();
    machine_advance(10 * NS_PER_S);
    frame_for(WEB);
    assert_int_equal(mark_of(WEB), 0x77);
}

static void test_other_deployments_are_refused(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    disk_shutdown();
    machine_init(DISK_RAM);
    machine_add("other", 3, 0);
    machine_start();
    machine_boot(0);
    machine_settle();
    assert_false(store_is_open());
    machine_init(DISK_RAM);
    machine_add("boss", 1, 0);
    machine_add("web", 40, 0);
    machine_start();
    machine_boot(0);
    machine_settle();
    assert_false(store_is_open());
    boot_again();
    frame_for(WEB);
    assert_int_equal(mark_of(WEB), 1);
}

static void test_a_disk_that_takes_nothing_more(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    press_out(WEB);
    live(WEB + 1, 2, FOREVER);
    fake_block_fail(machine_disk,
                    (struct fake_fault){.op = BLOCK_WRITE, .to = UINT64_MAX, .times = 1000});
    machine_hold_frames(gatekeeper.limits.low - 10);
    gate_poke(&gatekeeper);
    machine_quiet();
    machine_check(true);
    assert_false(store_takes_records());
    assert_int_equal(state_of(WEB + 1), VM_LIVE);
    machine_release_frames();
    frame_for(WEB);
    assert_int_equal(mark_of(WEB), 1); /* what is there can be read */
    machine_settle();
    disk_shutdown();
}

static void test_who_cannot_be_read_begins_anew(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    press_out(WEB);
    fake_block_fail(machine_disk,
                    (struct fake_fault){.op = BLOCK_READ, .to = UINT64_MAX, .times = 1});
    frame_for(WEB);
    assert_int_equal(mark_of(WEB), 1); /* once is nothing */
    machine_settle();
    press_out(WEB);
    fake_block_fail(machine_disk,
                    (struct fake_fault){.op = BLOCK_READ, .to = UINT64_MAX, .times = 2});
    frame_for(WEB);
    assert_int_equal(mark_of(WEB), 0);
    assert_int_equal(residence_counters.wakes_damaged, 1);
}

static void test_shutdown_while_reading(void **state)
{
    (void)state;
    live(WEB, 4, FOREVER);
    press_out(WEB);
    machine_disk->held = true;
    frame_for(WEB);
    assert_int_equal(state_of(WEB), VM_COMING);
    residence_shutdown();
    machine_disk_turn();
    machine_check(false);
    machine_disk->held = false;
    disk_shutdown();
    boot_again();
    frame_for(WEB);
    machine_abort(IPA(MARK_AT), ACCESS_READ); /* it had not touched it since */
    assert_int_equal(mark_of(WEB), 4);
}

/* A masked event that came when its record was written already. */
static void test_an_event_at_shutdown(void **state)
{
    (void)state;
    live(WEB, 4, FOREVER);
    struct vm *web = machine_vm(WEB);
    web->page->events_masked = TIMER;
    residence_shutdown();
    machine_disk->held = true;
    machine_disk_turn();
    assert_true(web->leaving);
    event_post(vm_find(WEB), TIMER);
    machine_disk->held = false;
    disk_shutdown();
    boot_again();
    frame_for(WEB);
    assert_int_equal(machine_current()->page->events_pending, TIMER);
}

static void test_without_a_store(void **state)
{
    (void)state;
    machine_remove_disk();
    disk_deploy();
    machine_start();
    machine_boot(RX_BUFFERS);
    machine_settle();
    assert_true(output_has("no store"));
    disk_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        disk_test(test_all_are_as_they_were),
        disk_test(test_deadlines_go_on),
        disk_test(test_who_could_run_runs),
        disk_test(test_power_cut),
        disk_test(test_a_deadline_outlives_a_checkpoint),
        disk_test(test_restart_after_a_power_cut),
        disk_test(test_the_dead_and_the_reserve),
        disk_test(test_damage_is_one_vms_own),
        disk_test(test_an_image_that_changed),
        disk_test(test_a_group_that_fails),
        disk_test(test_other_deployments_are_refused),
        disk_test(test_a_disk_that_takes_nothing_more),
        disk_test(test_who_cannot_be_read_begins_anew),
        disk_test(test_shutdown_while_reading),
        disk_test(test_an_event_at_shutdown),
        disk_test(test_without_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
