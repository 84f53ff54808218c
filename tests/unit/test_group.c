/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * Groups: from an archive to templates, and the instances that start at boot.
 */
#include "tests/unit/machine_test.h"

static void test_refused_groups_leave_others(void **state)
{
    (void)state;
    machine_init(MIB(8));
    struct deployment_group *missing = machine_add("missing", 2, 0);
    missing->image[0] = 0; /* no file has that name */
    struct deployment_group *broken = machine_add("broken", 2, 1);
    machine_image(broken)->header.machine = 62;
    struct deployment_group *good = machine_add("good", 1, 0);
    good->start_at_boot = true;
    struct deployment_group *small = machine_add("small", 1, 0);
    small->memory_bytes = 0x8000; /* does not hold the image */
    machine_start();
    machine_boot(RX_BUFFERS);
    assert_int_equal(groups[1].state, GROUP_FAILED);
    assert_int_equal(groups[2].state, GROUP_READY);
    assert_int_equal(groups[3].state, GROUP_FAILED);
    assert_true(output_has("group broken: broken.elf: "));
    assert_true(output_has("group broken: no template, its VMs do not start"));
    assert_true(output_has("group small: small.elf: "));
    assert_int_equal(machine_current()->stub->number, good->first_vm);
    machine_check(true);
    assert_int_equal(vm_start(vm_find(broken->first_vm)), ERR_BUSY);
}

static void test_not_in_the_archive(void **state)
{
    (void)state;
    machine_init(MIB(8));
    static struct deployment d = {.vm_count = 1, .group_count = 1};
    d.groups[0] = (struct deployment_group){
        .name = "ghost", .image = "ghost.elf", .first_vm = 1, .count = 1, .weight = 256};
    machine_start();
    static const char archive[] = "not an archive at all";
    assert_int_equal(group_define_all(&d), OK);
    group_prepare_all(archive, sizeof(archive));
    assert_int_equal(groups[0].state, GROUP_FAILED);
    group_prepare_all(NULL, 0);
    assert_int_equal(groups[0].state, GROUP_FAILED);
    assert_int_equal(vm_start(vm_find(1)), ERR_BUSY);
}

static void test_stubs_do_not_fit(void **state)
{
    (void)state;
    machine_init(MIB(8));
    static struct deployment d = {.vm_count = DEPLOYMENT_VMS_MAX, .group_count = 0};
    machine_start();
    assert_int_equal(group_define_all(&d), ERR_NO_MEMORY);
    assert_int_equal(group_count, 0);
    d.vm_count = DEPLOYMENT_VMS_MAX + 1;
    assert_int_equal(group_define_all(&d), ERR_RANGE);
    machine_check(true);
}

/* Sixteen at a time, over all groups, so that others get the CPU in between. */
static void test_start_at_boot(void **state)
{
    (void)state;
    machine_init(MIB(8));
    machine_add("first", 20, 0)->start_at_boot = true;
    machine_add("none", 0, 3)->start_at_boot = true;
    machine_add("second", 30, 0)->start_at_boot = true;
    machine_start();
    machine_boot(0);
    assert_in_range(groups[0].live + groups[2].live, 1, 48); /* a pass for each checkpoint */
    uint32_t seen = 0;
    while (machine_current()) {
        uint32_t before = groups[0].live + groups[2].live;
        machine_check(true);
        assert_int_equal(machine_call(TOKLAT_IDLE, 1, 0), TOKLAT_EVENT_RESUMED);
        machine_trap(TOKLAT_IDLE, TOKLAT_IDLE_FOREVER, 0);
        assert_in_range(groups[0].live + groups[2].live, before, before + 16);
        seen++;
    }
    assert_int_equal(seen, 50);
    assert_int_equal(groups[0].live, 20);
    assert_int_equal(groups[1].live, 0);
    assert_int_equal(groups[2].live, 30);
    assert_int_equal(group_starts_due, 0);
    machine_check(true);
}

static void test_start_at_boot_without_frames(void **state)
{
    (void)state;
    machine_init(MIB(8));
    machine_add("first", 20, 0)->start_at_boot = true;
    machine_add("second", 20, 0)->start_at_boot = true;
    machine_start();
    machine_hold_frames(15);
    machine_boot(0);
    machine_settle();
    assert_true(output_has("group first: instance "));
    assert_true(output_has("and those after it do not start: "));
    assert_in_range(groups[0].live + groups[1].live, 1, 8);
    assert_int_equal(group_starts_due, 0);
    machine_check(true);
    machine_release_frames();
    assert_int_equal(vm_start(vm_find(20)), OK); /* later, when somebody wants it */
    machine_interrupt();
    assert_int_equal(machine_current()->stub->number, 20);
}

static void test_a_vm_knows_its_group(void **state)
{
    (void)state;
    machine_init(MIB(8));
    struct deployment_group *db = machine_add("db", 5, 3);
    struct deployment_group *app = machine_add("app", 2, 0);
    strcpy(app->args, "port=80");
    app->peer_count = 1;
    app->peers[0] = 0;
    app->start_at_boot = true;
    machine_start();
    machine_boot(0);
    const struct toklat_system_page *p = machine_current()->page;
    assert_string_equal(p->name, "app");
    assert_string_equal(p->args, "port=80");
    assert_int_equal(p->peer_count, 1);
    assert_string_equal(p->peers[0].name, "db");
    assert_int_equal(p->peers[0].count, db->count);
    assert_int_equal(p->peers[0].ipv4_first[3], db->first_vm);
    assert_int_equal(p->vm_number, app->first_vm);
    assert_int_equal(p->gateway[3], MACHINE_GATEWAY & 0xFF);
}

static void test_a_failed_neighbour_ends_nobody(void **state)
{
    (void)state;
    deploy_boss_and_web();
    machine_start();
    machine_trap(TOKLAT_EXIT, 1, 0); /* boss, before its checkpoint */
    machine_check(true);
    machine_boot(RX_BUFFERS);
    assert_int_equal(groups[0].state, GROUP_FAILED);
    assert_int_equal(groups[1].state, GROUP_READY);
    assert_null(machine_current());
    uint8_t frame[64];
    frame_make(frame, sizeof(frame), 0, BOSS);
    machine_receive(frame, sizeof(frame));
    frame_make(frame, sizeof(frame), 0, WEB);
    machine_receive(frame, sizeof(frame));
    machine_interrupt();
    assert_int_equal(machine_current()->stub->number, WEB);
    assert_int_equal(state_of(BOSS), VM_DEFINED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_refused_groups_leave_others, teardown_machine),
        cmocka_unit_test(test_not_in_the_archive),
        cmocka_unit_test(test_stubs_do_not_fit),
        cmocka_unit_test_teardown(test_start_at_boot, teardown_machine),
        cmocka_unit_test_teardown(test_start_at_boot_without_frames, teardown_machine),
        cmocka_unit_test_teardown(test_a_vm_knows_its_group, teardown_machine),
        cmocka_unit_test_teardown(test_a_failed_neighbour_ends_nobody, teardown_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
