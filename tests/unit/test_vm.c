/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * The lives of VMs: that they begin as they should, in every way that they end, that every frame
 * comes back, and that what cannot begin leaves no trace.
 */
#include "abi/control.h"
#include "tests/unit/machine_test.h"

#include "arch/time.h"

/* --- beginnings --------------------------------------------------------------------------- */

static void test_template_stands_at_entry(void **state)
{
    (void)state;
    deploy_boss_and_web();
    machine_start();
    struct vm *vm = machine_current();
    assert_int_equal(vm->stub->number, 0);
    assert_int_equal(vm->context.pc, 0x3004);
    assert_int_equal(vm->context.pstate, 0x3C5);
    assert_int_equal(vm->context.x[0], TOKLAT_SYSTEM_PAGE);
    assert_int_equal(host_context_live()->sp_el1, ELF_MEMORY);
    assert_int_equal(vm->page->vm_number, 0);
    assert_int_equal(vm->page->instance, 0);
    assert_int_equal(vm->page->mtu, 0);
    assert_int_equal(vm->page->memory_bytes, ELF_MEMORY);
    assert_string_equal(vm->page->name, "boss");
    machine_check(true);
}

static void test_clone_is_its_template(void **state)
{
    (void)state;
    deploy_boss_and_web();
    machine_start();
    struct vm *t = machine_current();
    for (unsigned i = 1; i < 31; i++) {
        t->context.x[i] = 1000 + i;
    }
    host_context_live()->tpidr_el1 = 77;
    host_context_live()->cntv_cval_el0 = 99;
    uint64_t value = 0x1122334455667788;
    assert_int_equal(guest_write(&t->space, IPA(0x8000), &value, 8), OK);
    uint64_t seen_generation = t->page->generation;
    machine_boot(RX_BUFFERS);

    struct vm *boss = machine_current();
    assert_int_equal(boss->context.x[0], 1);
    assert_int_equal(boss->context.x[30], 1030);
    assert_int_equal(host_context_live()->tpidr_el1, 77);
    assert_int_equal(host_context_live()->cntv_cval_el0, 99);
    assert_int_equal(host_context_live()->vbar_el1, MACHINE_VBAR);
    uint64_t copy = 0;
    assert_int_equal(guest_read(&boss->space, IPA(0x8000), &copy, 8), OK);
    assert_int_equal(copy, value);
    assert_int_equal(boss->page->vm_number, BOSS);
    assert_int_equal(boss->page->instance, 1);
    assert_int_equal(boss->page->mtu, 1500);
    assert_int_not_equal(boss->page->generation, seen_generation);
    assert_int_equal(boss->page->events_pending, TOKLAT_EVENT_RESUMED);
}

static void test_instances_differ(void **state)
{
    (void)state;
    struct vm *a = start_and_run(WEB);
    switch_to(BOSS);
    struct vm *b = start_and_run(WEB + 2);
    assert_int_equal(a->page->instance, 1);
    assert_int_equal(b->page->instance, 3);
    assert_int_equal(b->page->vm_number, WEB + 2);
    assert_int_equal(b->page->mac[5], WEB + 2);
    assert_int_equal(b->page->ipv4[3], WEB + 2);
    assert_int_not_equal(a->page->generation, b->page->generation);
    assert_memory_not_equal(a->page->seed, b->page->seed, 32);
    assert_int_equal(b->page->private_pages, b->space.private_pages);
    assert_int_equal(b->page->descriptor_bytes, 1024);
}

/* The first idle of a checkpointed clone returns RESUMED; so it does without a checkpoint. */
static void test_no_checkpoint(void **state)
{
    (void)state;
    machine_init(MIB(8));
    struct deployment_group *g = machine_add("plain", 2, 0);
    machine_image(g)->note.flags = 0;
    g->start_at_boot = true;
    machine_start();
    for (uint32_t n = 1; n <= 2; n++) {
        struct vm *vm = machine_current();
        assert_int_equal(vm->stub->number, n);
        assert_int_equal(vm->context.pc, 0x3004);
        assert_int_equal(vm->context.x[0], TOKLAT_SYSTEM_PAGE);
        assert_int_equal(machine_call(TOKLAT_CHECKPOINT, 0, 0), TOKLAT_E_NOT_SUPPORTED);
        assert_int_equal(machine_call(TOKLAT_IDLE, TOKLAT_IDLE_FOREVER, 0), TOKLAT_EVENT_RESUMED);
        machine_trap(TOKLAT_IDLE, TOKLAT_IDLE_FOREVER, 0);
    }
    assert_null(machine_current());
}

static void test_own_mmu_has_registers_of_its_own(void **state)
{
    (void)state;
    machine_init(MIB(8));
    struct deployment_group *g = machine_add("mmu", 2, 0);
    machine_image(g)->note.flags = TOKLAT_IMAGE_CHECKPOINT | TOKLAT_IMAGE_MMU;
    g->start_at_boot = true;
    machine_start();
    machine_boot(0);
    struct vm *vm = machine_current();
    assert_non_null(vm->context.extra);
    assert_ptr_not_equal(vm->context.extra, groups[0].template->context.extra);
    assert_int_equal(vm->page->descriptor_bytes, 2048);
    machine_settle();
    assert_int_equal(frame_count(FRAME_DESCRIPTOR), 2); /* three of 1 KiB, twice */
}

/* --- ends --------------------------------------------------------------------------------- */

enum end { END_DESTROY, END_EXIT, END_OFF, END_KILL, END_FORBIDDEN };

/* Runs web/2, has it write to some pages, and ends it. */
static void live_and_end(enum end how)
{
    struct vm *vm = start_and_run(WEB + 1);
    machine_abort(IPA(GUEST_UNUSED), ACCESS_WRITE);
    machine_abort(IPA(0x7000), ACCESS_WRITE);
    machine_fault(TRAP_FP);
    assert_ptr_equal(machine_current(), vm);
    machine_check(true);
    if (how == END_EXIT) {
        machine_trap(TOKLAT_EXIT, 42, 0);
    } else if (how == END_OFF) {
        machine_trap(PSCI_SYSTEM_OFF, 0, 0);
    } else if (how == END_KILL) {
        machine_abort(IPA(0), ACCESS_READ);
    } else if (how == END_FORBIDDEN) {
        machine_fault(TRAP_SYSREG);
    } else {
        machine_call(TOKLAT_CONSOLE_WRITE, 0x7000, 5);
    }
    switch_to(BOSS);
    machine_check(true);
}

static void test_every_frame_comes_back(void **state)
{
    (void)state;
    static const char *const said[] = {NULL, "[web/2] exited with status 42\n",
                                       "[web/2] exited with status 0\n",
                                       "[web/2] killed: read outside its memory",
                                       "[web/2] killed: accessed a forbidden system register"};
    struct machine_frames before = machine_frames();
    for (enum end how = END_DESTROY; how <= END_FORBIDDEN; how++) {
        machine_output_clear();
        live_and_end(how);
        if (how != END_DESTROY) {
            assert_frames(&before);
            assert_int_equal(state_of(WEB + 1), VM_DEAD);
            assert_true(output_has(said[how]));
        }
        assert_int_equal(control(TOKLAT_VM_DESTROY, WEB + 1), 0);
        assert_frames(&before);
        assert_int_equal(state_of(WEB + 1), VM_DEFINED);
    }
    assert_int_equal(groups[1].started, 5);
    assert_int_equal(groups[1].exited, 2);
    assert_int_equal(groups[1].killed, 2);
    assert_int_equal(groups[1].live, 0);
}

static void test_last_words(void **state)
{
    (void)state;
    struct vm *vm = start_and_run(WEB);
    assert_int_equal(guest_write(&vm->space, IPA(0x7000), "one\ntwo", 7), OK);
    assert_int_equal(machine_call(TOKLAT_CONSOLE_WRITE, 0x7000, 7), 7);
    assert_true(output_has("[web/1] one\n"));
    assert_false(output_has("two"));
    machine_trap(TOKLAT_EXIT, UINT64_MAX, 0);
    assert_true(output_has("[web/1] two\n[web/1] exited with status -1\n"));
}

static void test_reset_begins_anew(void **state)
{
    (void)state;
    struct vm *vm = start_and_run(WEB);
    struct machine_frames fresh = machine_frames();
    uint64_t generation = vm->page->generation;
    machine_abort(IPA(GUEST_UNUSED), ACCESS_WRITE);
    machine_trap(PSCI_SYSTEM_RESET, 0, 0);
    vm = switch_to(WEB);
    assert_frames(&fresh);
    assert_int_equal(vm->context.x[0], 1);
    assert_int_not_equal(vm->page->generation, generation);
    assert_int_equal(vm->page->events_pending, TOKLAT_EVENT_RESUMED);
    assert_int_equal(groups[1].live, 1);
    assert_int_equal(groups[1].defined, WEB_COUNT - 1);
    assert_int_equal(groups[1].started, 2);
}

static void test_template_ends_before_checkpoint(void **state)
{
    (void)state;
    machine_init(MIB(8));
    struct machine_frames before = machine_frames();
    machine_add("still", 2, 1);
    machine_start();
    uint64_t stubs = frame_count(FRAME_STUB);
    machine_trap(TOKLAT_EXIT, 3, 0);
    assert_null(machine_current());
    assert_int_equal(groups[0].state, GROUP_FAILED);
    assert_true(output_has("[still/0] exited with status 3"));
    assert_true(output_has("group still: no template"));
    uint32_t number;
    assert_int_equal(vm_create(&groups[0], &number), ERR_BUSY);
    assert_int_equal(vm_start(vm_find(1)), ERR_BUSY);
    before.of[FRAME_STUB] += stubs;
    before.of[FRAME_FREE] -= stubs;
    assert_frames(&before);
    machine_check(true);
}

static void test_template_resets(void **state)
{
    (void)state;
    machine_init(MIB(8));
    machine_add("still", 1, 0);
    machine_start();
    machine_trap(PSCI_SYSTEM_RESET, 0, 0);
    assert_null(machine_current());
    assert_int_equal(groups[0].state, GROUP_FAILED);
    machine_check(true);
}

/* --- the supervisor ----------------------------------------------------------------------- */

static void test_reserve(void **state)
{
    (void)state;
    uint32_t first = WEB + WEB_COUNT;
    assert_int_equal(control(TOKLAT_VM_START, first), TOKLAT_E_NOT_FOUND);
    assert_int_equal(control(TOKLAT_VM_CREATE, 1), first);
    assert_int_equal(control(TOKLAT_VM_CREATE, 1), first + 1);
    assert_int_equal(control(TOKLAT_VM_CREATE, 1), TOKLAT_E_NO_MEMORY);
    assert_int_equal(control(TOKLAT_VM_CREATE, 0), TOKLAT_E_NO_MEMORY);
    assert_int_equal(control(TOKLAT_VM_START, first), 0);
    assert_int_equal(control(TOKLAT_VM_START, first), TOKLAT_E_BUSY);
    assert_int_equal(control(TOKLAT_VM_DESTROY, first), 0);
    assert_int_equal(control(TOKLAT_VM_DESTROY, first), TOKLAT_E_NOT_FOUND);
    machine_check(true);
    assert_int_equal(control(TOKLAT_VM_CREATE, 1), first);
    assert_int_equal(control(TOKLAT_VM_DESTROY, first + 1), 0); /* never started */
    assert_int_equal(control(TOKLAT_VM_DESTROY, first), 0);
    assert_int_equal(control(TOKLAT_VM_CREATE, 1), first);
}

static void test_control_refuses(void **state)
{
    (void)state;
    assert_int_equal(control(TOKLAT_VM_CREATE, 2), TOKLAT_E_NOT_FOUND);
    assert_int_equal(control(TOKLAT_VM_CREATE, UINT64_MAX), TOKLAT_E_NOT_FOUND);
    static const uint64_t none[] = {0,          WEB + 5,          1u << 20,  UINT32_MAX,
                                    1ull << 32, (1ull << 32) + 2, UINT64_MAX};
    for (unsigned i = 0; i < ARRAY_SIZE(none); i++) {
        assert_int_equal(control(TOKLAT_VM_START, none[i]), TOKLAT_E_NOT_FOUND);
        assert_int_equal(control(TOKLAT_VM_DESTROY, none[i]), TOKLAT_E_NOT_FOUND);
    }
    assert_int_equal(control(TOKLAT_VM_DESTROY, BOSS), TOKLAT_E_DENIED);
    assert_int_equal(control(TOKLAT_VM_START, BOSS), TOKLAT_E_BUSY);
    assert_int_equal(control(TOKLAT_OPERATIONS, WEB), TOKLAT_E_INVALID);
    assert_int_equal(control(TOKLAT_OPERATIONS, 0), TOKLAT_E_INVALID);
    assert_int_equal(control(UINT64_MAX, UINT64_MAX), TOKLAT_E_INVALID);
    start_and_run(WEB);
    assert_int_equal(control(TOKLAT_VM_CREATE, 1), TOKLAT_E_DENIED);
    assert_int_equal(control(TOKLAT_VM_DESTROY, WEB + 1), TOKLAT_E_DENIED);
}

/* Whatever the victim waits for: it runs no more, and its timeout with it. */
static void test_destroy_whatever_it_does(void **state)
{
    (void)state;
    struct machine_frames before = machine_frames();
    assert_int_equal(control(TOKLAT_VM_START, WEB), 0); /* ready, never ran */
    assert_int_equal(control(TOKLAT_VM_DESTROY, WEB), 0);
    assert_frames(&before);

    start_and_run(WEB);
    machine_call(TOKLAT_IDLE, 1000, 0);      /* RESUMED */
    machine_trap(TOKLAT_IDLE, NS_PER_MS, 0); /* blocks */
    assert_int_equal(machine_current()->stub->number, BOSS);
    assert_int_equal(control(TOKLAT_VM_DESTROY, WEB), 0);
    assert_frames(&before);
    machine_advance(NS_PER_S);
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_DEFINED);
}

/* --- out of frames ------------------------------------------------------------------------ */

static void test_start_without_frames(void **state)
{
    (void)state;
    struct machine_frames before = machine_frames();
    uint64_t generations = groups[1].started;
    uint64_t left = 0;
    for (;; left++) {
        machine_hold_frames(left);
        struct machine_frames held = machine_frames();
        int64_t result = control(TOKLAT_VM_START, WEB);
        machine_check(true);
        if (result == 0) {
            break;
        }
        assert_int_equal(result, TOKLAT_E_NO_MEMORY);
        assert_frames(&held);
        assert_int_equal(state_of(WEB), VM_DEFINED);
        assert_int_equal(groups[1].started, generations);
        machine_release_frames();
        assert_frames(&before);
    }
    assert_true(left >= 2); /* the page and its table */
    assert_int_equal(state_of(WEB), VM_LIVE);
    switch_to(WEB);
    assert_int_equal(machine_call(TOKLAT_IDLE, 1, 0), TOKLAT_EVENT_RESUMED);
}

/* Frames that are kept for VMs that live are not given to new ones. */
static void test_start_leaves_frames(void **state)
{
    (void)state;
    struct machine_frames before = machine_frames();
    vm_keep_frames(frame_count(FRAME_FREE) + 1);
    assert_int_equal(control(TOKLAT_VM_START, WEB), TOKLAT_E_NO_MEMORY);
    assert_int_equal(state_of(WEB), VM_DEFINED);
    assert_frames(&before);
    machine_abort(IPA(GUEST_UNUSED), ACCESS_WRITE);
    assert_int_equal(machine_current()->stub->number, BOSS);
    vm_keep_frames(frame_count(FRAME_FREE));
    assert_int_equal(control(TOKLAT_VM_START, WEB), 0);
    machine_check(true);
}

/* Without frames, lazily saved registers are to be found as well, and every slab is full. */
static void test_start_with_registers_without_frames(void **state)
{
    (void)state;
    machine_init(MIB(8));
    struct deployment_group *boss = machine_add("boss", 1, 0);
    boss->supervisor = boss->start_at_boot = true;
    struct deployment_group *g = machine_add("mmu", 8, 0);
    machine_image(g)->note.flags = TOKLAT_IMAGE_CHECKPOINT | TOKLAT_IMAGE_MMU;
    machine_start();
    machine_boot(0);
    for (uint32_t n = 2; n <= 9; n++) {
        uint64_t left = 0;
        struct machine_frames before = machine_frames();
        for (;; left++) {
            machine_hold_frames(left);
            int64_t result = control(TOKLAT_VM_START, n);
            machine_release_frames();
            machine_check(true);
            if (result == 0) {
                break;
            }
            assert_int_equal(result, TOKLAT_E_NO_MEMORY);
            assert_frames(&before);
        }
        assert_in_range(left, 2, 4);
    }
}

static void test_restart_without_frames(void **state)
{
    (void)state;
    struct machine_frames before = machine_frames();
    start_and_run(WEB);
    switch_to(BOSS);
    start_and_run(WEB + 1);
    machine_call(TOKLAT_IDLE, 1000, 0);
    machine_trap(TOKLAT_IDLE, TOKLAT_IDLE_FOREVER, 0);
    switch_to(WEB);
    machine_hold_frames(0); /* what it gives back is enough for its next life */
    machine_trap(PSCI_SYSTEM_RESET, 0, 0);
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_LIVE);
    machine_release_frames();
    switch_to(WEB);
    machine_trap(TOKLAT_EXIT, 0, 0);
    switch_to(BOSS);
    control(TOKLAT_VM_DESTROY, WEB);
    control(TOKLAT_VM_DESTROY, WEB + 1);
    assert_frames(&before);
}

/* Deployment with any number of free frames: all, some or no groups, never a crash. */
static void test_deploy_without_frames(void **state)
{
    (void)state;
    for (uint64_t left = 1; left < 64; left++) {
        machine_init(MIB(8));
        struct deployment_group *g = machine_add("one", 1, 0);
        g->start_at_boot = true;
        machine_add("two", 2, 1)->start_at_boot = true;
        machine_hold_frames(left);
        machine_start();
        machine_check(true);
        struct vm *vm;
        while ((vm = machine_current()) && vm->stub->number == 0) {
            machine_trap(TOKLAT_CHECKPOINT, 0, 0);
            machine_check(true);
        }
        machine_settle();
        machine_check(true);
    }
    assert_int_equal(groups[0].live + groups[1].live, 3);
}

/* --- the table ---------------------------------------------------------------------------- */

static void test_chunk_boundaries(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 32766, 32767, 32768, 32769, 65535, 65536, 70000};
    for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
        machine_init(MIB(16));
        uint32_t count = counts[i];
        machine_add("many", count, 1);
        machine_start();
        machine_boot(0);
        assert_int_equal(vm_table_size(), count + 2);
        assert_null(vm_find(0));
        assert_null(vm_find(count + 1)); /* the reserve */
        assert_null(vm_find(count + 2));
        assert_int_equal(vm_find(count)->number, count);
        uint32_t number;
        assert_int_equal(vm_create(&groups[0], &number), OK);
        assert_int_equal(number, count + 1);
        for (uint32_t n = 32766; n <= MIN(count + 1, 32770u); n++) {
            assert_int_equal(vm_find(n)->number, n);
            assert_int_equal(vm_start(vm_find(n)), OK);
            assert_int_equal(machine_vm(n)->page->vm_number, n);
        }
        bool live = state_of(count + 1) == VM_LIVE;
        assert_int_equal(vm_start(vm_find(count + 1)), live ? ERR_BUSY : OK);
        vm_destroy(vm_find(count + 1));
        assert_int_equal(state_of(count + 1), VM_ABSENT);
    }
    assert_int_equal(vm_table_init(DEPLOYMENT_VMS_MAX + 1), ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_template_stands_at_entry),
        cmocka_unit_test(test_clone_is_its_template),
        machine_test(test_instances_differ),
        cmocka_unit_test_teardown(test_no_checkpoint, teardown_machine),
        cmocka_unit_test_teardown(test_own_mmu_has_registers_of_its_own, teardown_machine),
        machine_test(test_every_frame_comes_back),
        machine_test(test_last_words),
        machine_test(test_reset_begins_anew),
        cmocka_unit_test_teardown(test_template_ends_before_checkpoint, teardown_machine),
        cmocka_unit_test_teardown(test_template_resets, teardown_machine),
        machine_test(test_reserve),
        machine_test(test_control_refuses),
        machine_test(test_destroy_whatever_it_does),
        machine_test(test_start_without_frames),
        machine_test(test_start_leaves_frames),
        cmocka_unit_test_teardown(test_start_with_registers_without_frames, teardown_machine),
        machine_test(test_restart_without_frames),
        cmocka_unit_test_teardown(test_deploy_without_frames, teardown_machine),
        cmocka_unit_test(test_chunk_boundaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
