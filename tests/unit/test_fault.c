/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * Traps that are no hypercalls: what is cured, what ends the VM and what is said of it, and FP
 * registers, which pass from VM to VM by traps alone.
 */
#include "abi/control.h"
#include "tests/unit/machine_test.h"

#include <stdio.h>

#include "core/fault.h"

#define HOLE 0x6000u
#define RODATA 0x5000u
#define DATA 0x7000u
#define STACK (ELF_MEMORY - ELF_STACK)

static struct vm *vm;

static int setup(void **state)
{
    setup_machine(state);
    vm = start_and_run(WEB);
    return 0;
}

/* --- memory ------------------------------------------------------------------------------- */

static void assert_account_shown(void)
{
    assert_int_equal(vm->page->private_pages, vm->space.private_pages);
    assert_int_equal(vm->page->shared_pages, vm->space.shared_pages);
    assert_int_equal(vm->page->table_pages, vm->space.private_tables);
    assert_int_equal(vm->page->descriptor_bytes, vm_descriptor_bytes(vm));
}

static void test_cured(void **state)
{
    (void)state;
    static const struct {
        uint64_t ipa;
        enum access access;
        int private_pages, shared_pages;
    } cases[] = {
        {GUEST_UNUSED, ACCESS_READ, 1, 0},
        {GUEST_UNUSED, ACCESS_WRITE, 0, 0},
        {GUEST_UNUSED + 0x1FFF, ACCESS_WRITE, 1, 0},
        {STACK, ACCESS_WRITE, 1, 0},
        {ELF_MEMORY - 1, ACCESS_WRITE, 1, 0},
        {DATA, ACCESS_READ, 0, 0},
        {DATA + 5, ACCESS_WRITE, 1, -1},
        {DATA + 5, ACCESS_WRITE, 0, 0},
        {0x3000, ACCESS_EXECUTE, 0, 0},
        {RODATA, ACCESS_READ, 0, 0},
        {TOKLAT_SYSTEM_PAGE, ACCESS_WRITE, 0, 0},
    };
    uint64_t pc = vm->context.pc;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint32_t private_pages = vm->space.private_pages, shared_pages = vm->space.shared_pages;
        machine_abort(IPA(cases[i].ipa), cases[i].access);
        assert_ptr_equal(machine_current(), vm);
        assert_int_equal(vm->space.private_pages, private_pages + (uint32_t)cases[i].private_pages);
        assert_int_equal(vm->space.shared_pages, shared_pages + (uint32_t)cases[i].shared_pages);
        assert_account_shown();
        machine_check(true);
    }
    assert_int_equal(vm->context.pc, pc); /* the access is tried again */
    assert_int_equal(groups[1].killed, 0);
}

struct end {
    uint64_t ipa;
    enum access access;
    const char *why;
};

static const struct end ends[] = {
    {0, ACCESS_READ, "read outside its memory"},
    {0xFFF, ACCESS_WRITE, "wrote outside its memory"},
    {0, ACCESS_EXECUTE, "jumped to NULL"},
    {0x2000, ACCESS_READ, "read outside its memory"},
    {HOLE, ACCESS_READ, "read outside its memory"},
    {HOLE, ACCESS_EXECUTE, "executed outside its memory"},
    {0x3000, ACCESS_WRITE, "wrote to read-only memory"},
    {RODATA, ACCESS_WRITE, "wrote to read-only memory"},
    {RODATA, ACCESS_EXECUTE, "executed data"},
    {DATA, ACCESS_EXECUTE, "executed data"},
    {GUEST_UNUSED, ACCESS_EXECUTE, "executed data"},
    {TOKLAT_SYSTEM_PAGE, ACCESS_EXECUTE, "executed data"},
    {STACK - 1, ACCESS_WRITE, "wrote outside its memory"},
    {ELF_MEMORY, ACCESS_READ, "read outside its memory"},
    {1ull << 40, ACCESS_WRITE, "wrote outside its memory"},
    {UINT64_MAX, ACCESS_READ, "read outside its memory"},
    {UINT64_MAX, ACCESS_EXECUTE, "executed outside its memory"},
};

static void assert_killed(const char *why)
{
    char line[128];
    snprintf(line, sizeof(line), "[web/1] killed: %s (pc ", why);
    if (!output_has(line)) {
        fail_msg("\"%s\" is not in: %s", line, machine_output);
    }
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_DEAD);
    assert_int_equal(machine_current()->stub->number, BOSS);
    assert_int_equal(control(TOKLAT_VM_DESTROY, WEB), 0);
}

static void test_ended(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
        setup(state);
        machine_abort(IPA(ends[i].ipa), ends[i].access);
        assert_killed(ends[i].why);
    }
}

static void test_forbidden(void **state)
{
    (void)state;
    static const struct {
        enum trap_kind kind;
        const char *why;
    } cases[] = {{TRAP_SYSREG, "accessed a forbidden system register"},
                 {TRAP_SERROR, "caused a system error"},
                 {TRAP_OTHER, "executed a forbidden instruction"}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        setup(state);
        machine_fault(cases[i].kind);
        assert_killed(cases[i].why);
    }
}

static void test_permanent(void **state)
{
    (void)state;
    struct trap t = {.kind = TRAP_DATA_ABORT, .ipa = IPA(GUEST_UNUSED), .permanent = true};
    host_fault(&t);
    assert_killed("external or alignment abort");
}

static void test_smc(void **state)
{
    (void)state;
    uint64_t pc = vm->context.pc;
    vm->context.x[0] = PSCI_SYSTEM_OFF;
    machine_fault(TRAP_SMC);
    assert_ptr_equal(machine_current(), vm);
    assert_int_equal(vm->context.x[0], TOKLAT_E_NOT_SUPPORTED);
    assert_int_equal(vm->context.pc, pc + 4);
}

/* The registers that are kept are the VM's, those that only the CPU held included. */
static void test_last_fault(void **state)
{
    (void)state;
    host_context_live()->sp_el1 = 0x1234;
    host_context_live()->esr_el1 = 0x5678;
    vm->context.x[7] = 77;
    vm->context.pc = 0x3333;
    struct trap t = {.kind = TRAP_DATA_ABORT, .ipa = IPA(HOLE), .esr = 0x93, .far = 0x99};
    host_fault(&t);
    assert_true(last_fault.valid);
    assert_string_equal(last_fault.name, "web");
    assert_int_equal(last_fault.instance, 1);
    assert_int_equal(last_fault.context.sp_el1, 0x1234);
    assert_int_equal(last_fault.context.esr_el1, 0x5678);
    assert_int_equal(last_fault.context.x[7], 77);
    assert_int_equal(last_fault.trap.far, 0x99);
    assert_true(output_has("read outside its memory (pc 3333, address 6000, ESR_EL2 93)"));
}

/* A clone's fault, and its template's: the template is nobody's to write. */
static void test_template_keeps_its_memory(void **state)
{
    (void)state;
    uint8_t before[64], after[64];
    struct space *template = &groups[1].template->space;
    assert_int_equal(guest_read(template, IPA(DATA), before, sizeof(before)), OK);
    machine_abort(IPA(DATA), ACCESS_WRITE);
    assert_int_equal(guest_write(&vm->space, IPA(DATA), "changed", 7), OK);
    assert_int_equal(guest_read(template, IPA(DATA), after, sizeof(after)), OK);
    assert_memory_equal(before, after, sizeof(before));
    switch_to(BOSS);
    struct vm *other = start_and_run(WEB + 1);
    assert_int_equal(guest_read(&other->space, IPA(DATA), after, sizeof(after)), OK);
    assert_memory_equal(before, after, sizeof(before));
}

static void test_template_faults(void **state)
{
    (void)state;
    deploy_boss_and_web();
    machine_start();
    assert_int_equal(machine_current()->stub->number, 0);
    machine_abort(IPA(0), ACCESS_EXECUTE);
    assert_true(output_has("[boss/0] killed: jumped to NULL"));
    assert_int_equal(groups[0].state, GROUP_FAILED);
    machine_check(true);
    machine_boot(0);
    assert_int_equal(groups[1].state, GROUP_READY);
    assert_null(machine_current());
}

/* --- out of frames ------------------------------------------------------------------------ */

static void test_fault_without_frames(void **state)
{
    (void)state;
    static const struct {
        uint64_t ipa;
        enum access access;
    } cases[] = {{GUEST_UNUSED, ACCESS_READ},
                 {GUEST_UNUSED, ACCESS_WRITE},
                 {DATA, ACCESS_WRITE},
                 {STACK, ACCESS_WRITE}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        setup(state);
        switch_to(BOSS);
        control(TOKLAT_VM_START, WEB + 1);
        switch_to(WEB);
        machine_hold_frames(0);
        machine_abort(IPA(cases[i].ipa), cases[i].access);
        assert_int_equal(state_of(WEB), VM_DEAD);
        assert_int_equal(state_of(WEB + 1), VM_LIVE);
        assert_true(output_has("[web/1] killed: out of memory"));
        assert_int_equal(groups[0].killed, 0);
        assert_int_equal(groups[1].killed, 1);
        assert_true(frame_count(FRAME_FREE) > 0); /* what it had serves others */
        machine_check(true);
        switch_to(WEB + 1);
        machine_abort(IPA(cases[i].ipa), cases[i].access);
        assert_int_equal(state_of(WEB + 1), VM_LIVE);
        machine_release_frames();
    }
}

/* With each number of free frames, in memory of several tables: cured, or the VM alone ends. */
static void test_fault_needs_a_table(void **state)
{
    (void)state;
    machine_init(MIB(8));
    struct deployment_group *boss = machine_add("boss", 1, 0);
    boss->supervisor = boss->start_at_boot = true;
    machine_add("web", 4, 0)->memory_bytes = MIB(8);
    machine_start();
    machine_boot(0);
    uint64_t left = 0;
    for (uint64_t number = 2;; left++, number++) {
        assert_true(number <= 5);
        start_and_run((uint32_t)number);
        machine_hold_frames(left);
        machine_abort(IPA(MIB(4) + 0x5000), ACCESS_WRITE);
        machine_check(true);
        machine_release_frames();
        if (state_of((uint32_t)number) == VM_LIVE) {
            break;
        }
        switch_to(BOSS);
    }
    assert_int_equal(left, 2); /* a page and a table */
}

static void test_fp_without_frames(void **state)
{
    (void)state;
    uint64_t before = frame_count(FRAME_DESCRIPTOR);
    machine_hold_frames(0);
    machine_fault(TRAP_FP);
    assert_killed("out of memory for FP registers");
    assert_null(host_context_fp_owner());
    machine_release_frames();
    assert_in_range(frame_count(FRAME_DESCRIPTOR), 1, before);
}

/* --- FP ----------------------------------------------------------------------------------- */

static void test_fp_passes_on(void **state)
{
    (void)state;
    machine_fault(TRAP_FP);
    assert_ptr_equal(host_context_fp_owner(), &vm->context);
    assert_account_shown();
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(host_context_fp()->v[3][i], 0); /* nobody's leftovers */
    }
    memset(host_context_fp()->v[3], 0x33, 16);
    host_context_fp()->fpcr = 5;

    struct vm *boss = switch_to(BOSS);
    assert_ptr_equal(host_context_fp_owner(), &vm->context); /* lazily */
    machine_fault(TRAP_FP);
    assert_ptr_equal(host_context_fp_owner(), &boss->context);
    assert_int_equal(host_context_fp()->v[3][0], 0);
    memset(host_context_fp()->v[3], 0x44, 16);

    switch_to(WEB);
    machine_fault(TRAP_FP);
    assert_int_equal(host_context_fp()->v[3][15], 0x33);
    assert_int_equal(host_context_fp()->fpcr, 5);
    switch_to(BOSS);
    control(TOKLAT_VM_DESTROY, WEB); /* the owner goes: nothing of it is written anywhere */
    assert_null(host_context_fp_owner());
    machine_fault(TRAP_FP);
    assert_int_equal(host_context_fp()->v[3][15], 0x44);
}

static void test_fp_of_a_template(void **state)
{
    (void)state;
    deploy_boss_and_web();
    machine_start();
    machine_fault(TRAP_FP);
    memset(host_context_fp()->v[9], 0x99, 16);
    machine_boot(0);
    struct vm *boss = machine_current();
    assert_int_equal(boss->stub->number, BOSS);
    assert_null(host_context_fp_owner());
    assert_int_equal(boss->page->descriptor_bytes, 2048);
    machine_fault(TRAP_FP);
    assert_int_equal(host_context_fp()->v[9][7], 0x99);
}

#define fault_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fault_test(test_cured),
        cmocka_unit_test_teardown(test_ended, teardown_machine),
        cmocka_unit_test_teardown(test_forbidden, teardown_machine),
        fault_test(test_permanent),
        fault_test(test_smc),
        fault_test(test_last_fault),
        fault_test(test_template_keeps_its_memory),
        cmocka_unit_test_teardown(test_template_faults, teardown_machine),
        cmocka_unit_test_teardown(test_fault_without_frames, teardown_machine),
        cmocka_unit_test_teardown(test_fault_needs_a_table, teardown_machine),
        fault_test(test_fp_without_frames),
        fault_test(test_fp_passes_on),
        cmocka_unit_test_teardown(test_fp_of_a_template, teardown_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
