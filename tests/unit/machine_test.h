/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine that most tests of core/ begin with: a supervisor, and "web" of three VMs and two
 * in reserve, all templates at their checkpoint, the supervisor running.
 */
#ifndef TESTS_UNIT_MACHINE_TEST_H
#define TESTS_UNIT_MACHINE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "abi/control.h"
#include "tests/unit/machine.h"
#include "tests/unit/space_check.h"

#define BOSS 1u
#define WEB 2u /* VM number of web/1 */
#define WEB_COUNT 3u
#define WEB_RESERVE 2u
#define RX_BUFFERS 4u

/* Deployed, not started. */
static inline void deploy_boss_and_web(void)
{
    machine_init(MIB(8));
    struct deployment_group *boss = machine_add("boss", 1, 0);
    boss->supervisor = true;
    boss->start_at_boot = true;
    machine_add("web", WEB_COUNT, WEB_RESERVE);
}

static inline int setup_machine(void **state)
{
    (void)state;
    deploy_boss_and_web();
    machine_start();
    machine_boot(RX_BUFFERS);
    assert_int_equal(machine_current()->stub->number, BOSS);
    machine_check(true);
    return 0;
}

/* Walks all tables; every test ends with it. */
static inline int teardown_machine(void **state)
{
    (void)state;
    machine_release_frames();
    machine_check(true);
    census_start();
    for (unsigned i = 0; i < group_count; i++) {
        if (groups[i].template) {
            census_add(&groups[i].template->space, groups[i].state == GROUP_READY);
        }
    }
    for (uint32_t n = 1; n < vm_table_size(); n++) {
        const struct stub *s = vm_find(n);
        if (s && vm_of(s)) {
            census_add(&s->vm->space, false);
        }
    }
    census_end();
    return 0;
}

#define machine_test(f) cmocka_unit_test_setup_teardown(f, setup_machine, teardown_machine)

static inline int64_t control(uint64_t operation, uint64_t argument)
{
    return machine_call(TOKLAT_VM_CONTROL, operation, argument);
}

/* Gives way until VM `number`, which can run, does. */
static inline struct vm *switch_to(uint32_t number)
{
    for (unsigned i = 0; machine_current()->stub->number != number; i++) {
        assert_true(i < 64);
        machine_trap(TOKLAT_IDLE, 0, 0);
    }
    return machine_current();
}

static inline struct vm *start_and_run(uint32_t number)
{
    assert_int_equal(control(TOKLAT_VM_START, number), 0);
    return switch_to(number);
}

static inline void assert_frames(const struct machine_frames *before)
{
    struct machine_frames now = machine_frames();
    for (unsigned k = 0; k < FRAME_KINDS; k++) {
        assert_int_equal(before->of[k], now.of[k]);
    }
}

static inline bool output_has(const char *text)
{
    return strstr(machine_output, text) != NULL;
}

static inline enum vm_state state_of(uint32_t number)
{
    const struct stub *s = vm_find(number);
    return s ? (enum vm_state)s->state : VM_ABSENT;
}

#endif
