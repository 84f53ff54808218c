/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine that tests of several CPUs begin with: that of machine_disk_test.h on three CPUs, and
 * with two supervisors. The thread plays CPU 0, the keeper; the others do nothing until a test
 * plays them, so that what is sent to them waits for as long as the test likes.
 */
#ifndef TESTS_UNIT_MACHINE_CPUS_TEST_H
#define TESTS_UNIT_MACHINE_CPUS_TEST_H

#include "arch/cpu.h"
#include "arch/irq.h"
#include "arch/time.h"
#include "core/move.h"
#include "tests/unit/machine_disk_test.h"

#define CPUS 3u
#define CPUS_RAM MIB(8)
#define WEB_A                                                                                      \
    3u /* VM number of web/1: at home on CPU 1 when it is the first to start, the next on CPU 2,   \
          and so on */
#define WEB_B 4u
#define WEB_C 5u
#define CHIEF 2u /* the other supervisor */
#define RX TOKLAT_EVENT_NET_RX
#define TIMER TOKLAT_EVENT_TIMER

static inline void cpus_boot(void)
{
    machine_init(CPUS_RAM);
    machine_add_cpus(CPUS);
    struct deployment_group *boss = machine_add("boss", 2, 0);
    boss->supervisor = boss->start_at_boot = true;
    machine_add("web", DISK_WEB, DISK_RESERVE);
    machine_start();
    machine_boot(RX_BUFFERS);
    machine_quiet();
    machine_check_settled();
}

static inline int setup_cpus(void **state)
{
    (void)state;
    machine_add_disk(DISK_SEGMENTS, DISK_VMS + 1, 1);
    cpus_boot();
    assert_true(store_takes_records() && groups[1].template_id);
    return 0;
}

static inline int teardown_cpus(void **state)
{
    machine_on(KEEPER);
    machine_disk->held = false;
    if (!machine_power_offs && !residence_stopping) {
        machine_release_frames();
        machine_quiet();
        machine_turn();
        machine_check_settled();
        (void)teardown_machine(state);
    }
    machine_remove_disk();
    return 0;
}

#define cpus_test(f) cmocka_unit_test_setup_teardown(f, setup_cpus, teardown_cpus)

/* One CPU handles its interrupts and goes on; the thread plays it afterwards. */
static inline void play(unsigned cpu)
{
    machine_on(cpu);
    machine_interrupt();
    machine_check(false);
}

/* A frame from outside, of which the keeper only has heard; and all have. */
static inline void send_to(uint32_t number)
{
    uint8_t frame[64];
    frame_make(frame, sizeof(frame), 0, number);
    machine_receive(frame, sizeof(frame));
    play(KEEPER);
}

static inline void send_and_turn(uint32_t number)
{
    send_to(number);
    machine_turn();
    machine_check(true);
}

static inline unsigned where(uint32_t number)
{
    return vm_stub(number)->where;
}

static inline bool runs_at(uint32_t number, unsigned cpu)
{
    return where(number) == cpu && runs[cpu].mux.current == &machine_vm(number)->sched;
}

/* It runs; the thread plays its CPU. */
static inline struct vm *play_vm(uint32_t number)
{
    struct vm *vm = machine_vm(number);
    assert_true(runs_at(number, vm->sched.cpu));
    machine_on(vm->sched.cpu);
    assert_ptr_equal(machine_current(), vm);
    return vm;
}

static inline void idle_vm(uint32_t number, uint64_t timeout)
{
    struct vm *vm = play_vm(number);
    for (unsigned i = 0; machine_current() == vm; i++) {
        assert_true(i < 8);
        machine_trap(TOKLAT_IDLE, timeout, 0);
    }
    machine_check(true);
}

/* It lives, has `mark` in its memory and idles at home. */
static inline struct vm *live_at(uint32_t number, unsigned cpu, uint64_t mark, uint64_t timeout)
{
    send_and_turn(number);
    assert_true(runs_at(number, cpu));
    struct vm *vm = play_vm(number);
    machine_abort(IPA(MARK_AT), ACCESS_WRITE);
    assert_int_equal(guest_write(&vm->space, IPA(MARK_AT), &mark, sizeof(mark)), OK);
    idle_vm(number, timeout);
    return vm;
}

/* Few frames are free, and the gatekeeper has looked: with nobody idle of its own it has asked. */
static inline void press(void)
{
    machine_on(KEEPER);
    machine_hold_frames(gatekeeper.limits.low - 10);
    gate_poke(&gatekeeper);
    machine_disk_turn();
    machine_check(false);
}

static inline void relax(void)
{
    machine_on(KEEPER);
    machine_release_frames();
    machine_quiet();
    machine_turn();
    machine_check_settled();
}

/* Until it is out. */
static inline void press_out_cpus(uint32_t number)
{
    for (unsigned i = 0; state_of(number) != VM_STORED; i++) {
        assert_true(i < 20);
        press();
        machine_turn();
        machine_quiet();
        relax();
    }
}

/* Turns until it runs at home, and plays that. */
static inline struct vm *home_again(uint32_t number)
{
    for (unsigned i = 0;
         state_of(number) != VM_LIVE || machine_vm(number)->sched.state != SCHED_RUNNING; i++) {
        assert_true(i < 100);
        machine_turn();
        machine_check(false);
        machine_disk_turn();
    }
    return play_vm(number);
}

#endif
