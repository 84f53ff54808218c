/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine that tests of core/ with a store begin with: "boss" supervises, "web" has ten VMs and
 * three in reserve; templates are at their checkpoint and saved, everybody idles, nothing runs.
 */
#ifndef TESTS_UNIT_MACHINE_DISK_TEST_H
#define TESTS_UNIT_MACHINE_DISK_TEST_H

#include "mm/record.h"
#include "mm/store_log.h"
#include "tests/unit/machine_test.h"

#define DISK_RAM MIB(6)
#define DISK_WEB 10u
#define DISK_RESERVE 3u
#define DISK_VMS (1 + DISK_WEB + DISK_RESERVE)
#define DISK_SEGMENTS 12u
#define MARK_AT GUEST_UNUSED /* what a test leaves in a VM's memory */
#define FOREVER TOKLAT_IDLE_FOREVER

static inline void disk_deploy(void)
{
    machine_init(DISK_RAM);
    struct deployment_group *boss = machine_add("boss", 1, 0);
    boss->supervisor = boss->start_at_boot = true;
    machine_add("web", DISK_WEB, DISK_RESERVE);
}

static inline void disk_boot(void)
{
    machine_start();
    machine_boot(RX_BUFFERS);
    machine_quiet();
    machine_check(true);
}

static inline int setup_disk(void **state)
{
    (void)state;
    machine_add_disk(DISK_SEGMENTS, DISK_VMS, 1);
    disk_deploy();
    disk_boot();
    assert_true(store_takes_records() && groups[1].template_id);
    return 0;
}

static inline int teardown_disk(void **state)
{
    (void)teardown_machine(state);
    machine_remove_disk();
    return 0;
}

#define disk_test(f) cmocka_unit_test_setup_teardown(f, setup_disk, teardown_disk)

/* The power fails, and the machine boots again. */
static inline void disk_power_cut(void)
{
    fake_block_cut(machine_disk);
    disk_deploy();
    disk_boot();
}

static inline void disk_shutdown(void)
{
    machine_shutdown();
    assert_int_equal(machine_power_offs, 1);
}

static inline void frame_for(uint32_t number)
{
    uint8_t frame[64];
    frame_make(frame, sizeof(frame), 0, number);
    machine_receive(frame, sizeof(frame));
    machine_interrupt();
}

/* A VM that lives and runs because of a frame, has `mark` in its memory, and idles. */
static inline void live(uint32_t number, uint64_t mark, uint64_t timeout)
{
    frame_for(number);
    struct vm *vm = machine_current();
    assert_int_equal(vm->stub->number, number);
    machine_abort(IPA(MARK_AT), ACCESS_WRITE);
    assert_int_equal(guest_write(&vm->space, IPA(MARK_AT), &mark, sizeof(mark)), OK);
    while (machine_current() == vm) {
        machine_trap(TOKLAT_IDLE, timeout, 0);
    }
    machine_check(true);
}

static inline uint64_t mark_of(uint32_t number)
{
    uint64_t mark = 0;
    struct vm *vm = machine_vm(number);
    assert_int_equal(guest_read(&vm->space, IPA(MARK_AT), &mark, sizeof(mark)), OK);
    return mark;
}

/* Few frames are free, so that the idle leave; until `number` is out. */
static inline void press_out(uint32_t number)
{
    for (unsigned i = 0; state_of(number) != VM_STORED; i++) {
        assert_true(i < 20);
        machine_hold_frames(gatekeeper.limits.low - 10);
        gate_poke(&gatekeeper);
        machine_quiet();
        machine_release_frames();
        machine_quiet();
    }
    machine_check(true);
}

#endif
