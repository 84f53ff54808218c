/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * Images that are loaded while a machine with a store runs: their VMs leave and come back like any
 * others, and are forgotten by the next boot.
 */
#include "tests/unit/load_test.h"

#define DISK_SPARE 6u
#define DISK_FIRST_SPARE (DISK_VMS + 1)

static void disk_start(void)
{
    disk_deploy();
    machine_spare(DISK_SPARE);
    disk_boot();
    frame_for(BOSS); /* nobody runs otherwise, and the supervisor loads */
    boss_has_file();
}

static int setup_spare_disk(void **state)
{
    (void)state;
    machine_add_disk(DISK_SEGMENTS, DISK_VMS + DISK_SPARE, 1);
    disk_start();
    return 0;
}

#define spare_disk_test(f) cmocka_unit_test_setup_teardown(f, setup_spare_disk, teardown_disk)

static uint32_t template_sector(unsigned index)
{
    return groups[index].template_place.sector;
}

/* A loaded group, saved, with a VM that is out. */
static struct group *load_and_press_out(const char *name, uint64_t mark)
{
    unsigned index;
    assert_int_equal(load_image(name, 3, &index), OK);
    switch_to(0);
    machine_boot(RX_BUFFERS);
    machine_quiet();
    assert_true(groups[index].template_id && template_sector(index) >= STORE_MARKERS);
    uint32_t number = create(&groups[index]);
    machine_quiet();
    live(number, mark, FOREVER);
    press_out(number);
    return &groups[index];
}

static void test_out_and_back(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        struct group *g = load_and_press_out("new", 77 + round);
        uint32_t number = g->config->first_vm;
        assert_int_equal(number, DISK_FIRST_SPARE);
        assert_int_equal(group_delete(g->index), ERR_BUSY);
        frame_for(number);
        machine_quiet();
        assert_int_equal(mark_of(number), 77 + round);
        press_out(number);
        vm_destroy(vm_find(number));
        assert_int_equal(group_delete(g->index), OK);
        assert_int_equal(template_sector(2), STORE_NOTHING);
        machine_disk_turn();
        machine_quiet();
        frame_for(BOSS);
        machine_check(true);
    }
    assert_int_equal(residence_counters.wakes, 2);
    disk_start();
    assert_false(output_has("are forgotten"));
    assert_int_equal(groups[1].stored, 0);
}

/* Its template's record is not durable yet. */
static void test_deleted_while_it_is_saved(void **state)
{
    (void)state;
    unsigned index;
    uint64_t live_sectors = store_get_counters().live_sectors;
    assert_int_equal(load_image("new", 3, &index), OK);
    switch_to(0);
    machine_disk->held = true;
    machine_boot(RX_BUFFERS);
    machine_disk_turn();
    assert_true(groups[index].template_id && store_is_pending(store_template_slot(index)));
    assert_int_equal(group_delete(index), OK);
    machine_disk->held = false;
    machine_disk_turn();
    machine_quiet();
    assert_int_equal(template_sector(index), STORE_NOTHING);
    assert_int_equal(store_get_counters().live_sectors, live_sectors);
}

/* After a shutdown, or a power cut, an image is not loaded any more, and nothing is left of it. */
static void test_forgotten_at_the_next_boot(void **state)
{
    (void)state;
    for (unsigned clean = 0; clean < 2; clean++) {
        struct group *g = load_and_press_out("new", 5);
        uint32_t number = g->config->first_vm;
        live(WEB, 6, FOREVER);
        press_out(WEB);
        if (clean) {
            disk_shutdown();
        }
        fake_block_cut(machine_disk);
        disk_start();
        assert_true(store_takes_records());
        assert_true(output_has("store: 1 VMs of 1 images that were loaded are forgotten"));
        assert_int_equal(group_count, 2);
        assert_int_equal(load_spare(), DISK_SPARE);
        assert_int_equal(state_of(number), VM_ABSENT);
        assert_int_equal(vm_stub(number)->place.sector, STORE_NOTHING);
        assert_int_equal(template_sector(2), STORE_NOTHING);
        assert_int_equal(state_of(WEB), VM_STORED);
        frame_for(WEB);
        machine_quiet();
        assert_int_equal(mark_of(WEB), 6);
        fake_block_cut(machine_disk);
        disk_start();
        assert_false(output_has("are forgotten")); /* that was written, too */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        spare_disk_test(test_out_and_back),
        spare_disk_test(test_deleted_while_it_is_saved),
        spare_disk_test(test_forgotten_at_the_next_boot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
