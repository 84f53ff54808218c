/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * vm_control beyond create, start and destroy: VMs here and at another CPU are paused, resumed,
 * restarted, checkpointed, cloned and given input; what the supervisor is told is true; and what it
 * asks for wrongly changes nothing.
 */
#include "abi/control.h"
#include "tests/unit/machine_cpus_test.h"

#include "core/journal.h"

#define AT GUEST_RX_BUFFERS /* the supervisor's memory that the tests use */

/* --- asking -------------------------------------------------------------------------------- */

static struct vm *play_boss(void)
{
    struct vm *boss = machine_vm(BOSS);
    if (boss->sched.state == SCHED_BLOCKED) {
        send_and_turn(BOSS);
    }
    return play_vm(BOSS);
}

/* The boss asks; other CPUs do what it takes. */
static int64_t ask(uint64_t operation, uint64_t x2, uint64_t x3, uint64_t x4, uint64_t x5)
{
    struct vm *boss = play_boss();
    boss->context.x[3] = x3;
    boss->context.x[4] = x4;
    boss->context.x[5] = x5;
    machine_trap(TOKLAT_VM_CONTROL, operation, x2);
    machine_turn();
    machine_check(true);
    assert_int_not_equal(boss->wait, WAIT_VM);
    return (int64_t)boss->context.x[0];
}

static int64_t on(uint64_t operation, uint32_t number)
{
    return ask(operation, number, 0, 0, 0);
}

static void get(void *to, size_t n)
{
    assert_int_equal(guest_read(&machine_vm(BOSS)->space, IPA(AT), to, n), OK);
}

static void put(const void *from, size_t n)
{
    assert_int_equal(guest_write(&machine_vm(BOSS)->space, IPA(AT), from, n), OK);
}

static struct toklat_vm vm_info(uint32_t number)
{
    struct toklat_vm info;
    assert_int_equal(ask(TOKLAT_VM_READ, number, AT, 1, 0), 1);
    get(&info, sizeof(info));
    assert_int_equal(info.brief.number, number);
    return info;
}

static unsigned state_told(uint32_t number)
{
    return vm_info(number).brief.state;
}

static void wait_for_state(uint32_t number, enum vm_state wanted)
{
    for (unsigned i = 0; state_of(number) != wanted; i++) {
        assert_true(i < 50);
        machine_on(KEEPER);
        machine_quiet();
        machine_turn();
    }
}

/* --- pause and resume ---------------------------------------------------------------------- */

static void test_a_paused_vm_keeps_still(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    assert_int_equal(on(TOKLAT_VM_PAUSE, WEB_A), 0);
    assert_int_equal(state_told(WEB_A), TOKLAT_VM_PAUSED);
    assert_int_equal(on(TOKLAT_VM_PAUSE, WEB_A), TOKLAT_E_BUSY);
    send_and_turn(WEB_A);
    assert_int_equal(state_told(WEB_A), TOKLAT_VM_PAUSED);
    assert_int_equal(mark_of(WEB_A), 0xA);
    assert_int_equal(groups[1].paused, 1);
    assert_int_equal(on(TOKLAT_VM_RESUME, WEB_A), 0);
    assert_int_equal(on(TOKLAT_VM_RESUME, WEB_A), TOKLAT_E_BUSY);
    assert_int_equal(state_told(WEB_A), TOKLAT_VM_IDLE);
    assert_int_equal(groups[1].paused, 0);
    send_and_turn(WEB_A);
    assert_int_not_equal(machine_vm(WEB_A)->sched.state, SCHED_BLOCKED);
    idle_vm(WEB_A, FOREVER);
}

static void test_one_that_runs_is_paused(void **state)
{
    (void)state;
    send_and_turn(WEB_A);
    struct vm *web = play_vm(WEB_A);
    assert_int_equal(on(TOKLAT_VM_PAUSE, WEB_A), 0);
    assert_int_equal(web->sched.state, SCHED_BLOCKED);
    machine_advance(NS_PER_S);
    machine_turn();
    assert_int_equal(web->sched.state, SCHED_BLOCKED);
    assert_int_equal(on(TOKLAT_VM_RESUME, WEB_A), 0);
    assert_true(runs_at(WEB_A, 1));
    idle_vm(WEB_A, FOREVER);
}

static void test_what_happens_meanwhile_is_told_afterwards(void **state)
{
    (void)state;
    struct vm *web = live_at(WEB_A, 1, 0xA, 100 * NS_PER_MS);
    assert_int_equal(on(TOKLAT_VM_PAUSE, WEB_A), 0);
    machine_advance(NS_PER_S);
    machine_turn();
    assert_int_equal(web->sched.state, SCHED_BLOCKED);
    assert_int_equal(on(TOKLAT_VM_RESUME, WEB_A), 0);
    machine_turn();
    assert_true(runs_at(WEB_A, 1));
    assert_true(web->context.x[0] & TIMER);
    idle_vm(WEB_A, FOREVER);
}

static void test_one_that_is_out_is_paused(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    press_out_cpus(WEB_A);
    assert_int_equal(on(TOKLAT_VM_PAUSE, WEB_A), 0);
    send_and_turn(WEB_A);
    assert_int_equal(state_told(WEB_A), TOKLAT_VM_PAUSED);
    assert_int_equal(on(TOKLAT_VM_RESUME, WEB_A), 0);
    assert_int_equal(state_of(WEB_A), VM_STORED);
    send_to(WEB_A);
    wait_for_state(WEB_A, VM_LIVE);
    assert_int_equal(mark_of(WEB_A), 0xA);
}

/* --- restart, destroy ---------------------------------------------------------------------- */

static void test_restart_whatever_it_was(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    for (unsigned how = 0; how < 4; how++) {
        if (how == 1) {
            assert_int_equal(on(TOKLAT_VM_PAUSE, WEB_A), 0);
        } else if (how == 2) {
            press_out_cpus(WEB_A);
        } else if (how == 3) {
            press_out_cpus(WEB_A);
            assert_int_equal(on(TOKLAT_VM_PAUSE, WEB_A), 0);
        }
        assert_int_equal(on(TOKLAT_VM_RESTART, WEB_A), 0);
        machine_turn();
        assert_int_equal(mark_of(WEB_A), 0);
        assert_int_equal(groups[1].paused, 0);
        idle_vm(WEB_A, FOREVER);
    }
}

static void test_one_that_ended_starts_again(void **state)
{
    (void)state;
    send_and_turn(WEB_A);
    play_vm(WEB_A);
    machine_trap(TOKLAT_EXIT, 7, 0);
    machine_turn();
    assert_int_equal(state_told(WEB_A), TOKLAT_VM_DEAD);
    assert_int_equal(on(TOKLAT_VM_START, WEB_A), 0);
    machine_turn();
    idle_vm(WEB_A, FOREVER);
}

static void test_a_paused_vm_is_destroyed(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    assert_int_equal(on(TOKLAT_VM_PAUSE, WEB_A), 0);
    assert_int_equal(on(TOKLAT_VM_DESTROY, WEB_A), 0);
    assert_int_equal(state_of(WEB_A), VM_DEFINED);
    assert_int_equal(groups[1].paused + groups[1].live, 0);
}

/* --- checkpoint, clone --------------------------------------------------------------------- */

static void test_checkpoint(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    assert_int_equal(vm_info(WEB_A).record, 0);
    assert_int_equal(on(TOKLAT_VM_CHECKPOINT, WEB_A), 0);
    machine_on(KEEPER);
    machine_quiet();
    struct toklat_vm info = vm_info(WEB_A);
    assert_int_not_equal(info.record, 0);
    assert_int_equal(info.record_bytes % STORE_SECTOR_BYTES, 0);
    assert_true(info.record_bytes > STORE_SECTOR_BYTES);
    assert_int_equal(state_of(WEB_A), VM_LIVE);
    send_and_turn(WEB_A);
    idle_vm(WEB_A, FOREVER);
}

static void test_clone_of_a_running_vm(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    int64_t number = on(TOKLAT_VM_CLONE, WEB_A);
    assert_int_equal(number, WEB_A + DISK_WEB);
    wait_for_state((uint32_t)number, VM_LIVE);
    machine_turn();
    const struct vm *web = machine_vm(WEB_A), *clone = machine_vm((uint32_t)number);
    assert_int_equal(mark_of((uint32_t)number), 0xA);
    assert_int_equal(clone->page->vm_number, number);
    assert_int_equal(clone->page->instance, DISK_WEB + 1);
    assert_int_not_equal(clone->page->generation, web->page->generation);
    assert_memory_not_equal(clone->page->seed, web->page->seed, sizeof(web->page->seed));
    assert_memory_not_equal(clone->page->mac, web->page->mac, 6);
    assert_int_equal(clone->page->events_pending & TOKLAT_EVENT_RESUMED, 0); /* it was told */
    assert_int_equal(on(TOKLAT_VM_DESTROY, (uint32_t)number), 0);
    assert_null(vm_find((uint32_t)number));
}

static void test_no_clone_without_a_record(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    machine_disk->held = true;
    int64_t number = on(TOKLAT_VM_CLONE, WEB_A);
    assert_int_equal(state_of((uint32_t)number), VM_CLONING);
    assert_int_equal(state_told((uint32_t)number), TOKLAT_VM_WAITING);
    assert_int_equal(on(TOKLAT_VM_DESTROY, (uint32_t)number), 0);
    assert_null(vm_find((uint32_t)number));
    machine_disk->held = false;
    machine_on(KEEPER);
    machine_quiet();
    assert_null(vm_find((uint32_t)number));
}

/* --- input --------------------------------------------------------------------------------- */

static void test_input(void **state)
{
    (void)state;
    struct vm *web = live_at(WEB_A, 1, 0xA, FOREVER);
    char text[TOKLAT_CONSOLE_IN_BYTES + 50];
    memset(text, 'x', sizeof(text));
    memcpy(text, "hello\n", 6);
    play_boss();
    put(text, sizeof(text));
    assert_int_equal(ask(TOKLAT_VM_INPUT, WEB_A, AT, 6, 0), 6);
    assert_memory_equal((const char *)web->page->console_in, "hello\n", 6);
    assert_int_equal(web->page->console_in_put, 6);
    assert_true(runs_at(WEB_A, 1) && web->context.x[0] & TOKLAT_EVENT_CONSOLE);
    idle_vm(WEB_A, FOREVER);
    assert_int_equal(ask(TOKLAT_VM_INPUT, WEB_A, AT, sizeof(text), 0), TOKLAT_CONSOLE_IN_BYTES - 6);
    assert_int_equal(ask(TOKLAT_VM_INPUT, WEB_A, AT, sizeof(text), 0), 0);
    web->page->console_in_taken = 0x80000000u; /* the guest says anything */
    assert_int_equal(ask(TOKLAT_VM_INPUT, WEB_A, AT, sizeof(text), 0), 0);
    machine_turn();
    idle_vm(WEB_A, FOREVER);
}

/* --- what is told -------------------------------------------------------------------------- */

static void test_all_vms_are_listed(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    uint32_t seen = 0;
    uint64_t next = 1;
    while (next) {
        struct toklat_vm_brief brief[3];
        int64_t n = ask(TOKLAT_VM_READ, next, AT, 3, TOKLAT_VM_READ_STATE);
        next = machine_vm(BOSS)->context.x[1];
        get(brief, (size_t)n * sizeof(brief[0]));
        for (int64_t i = 0; i < n; i++) {
            assert_int_equal(brief[i].number, ++seen);
            unsigned wanted = seen == BOSS    ? TOKLAT_VM_RUNNING
                              : seen == CHIEF ? machine_vm(CHIEF)->sched.state == SCHED_BLOCKED
                                                    ? TOKLAT_VM_IDLE
                                                    : TOKLAT_VM_RUNNABLE
                              : seen == WEB_A ? TOKLAT_VM_IDLE
                                              : TOKLAT_VM_DEFINED;
            assert_int_equal(brief[i].state, wanted);
        }
    }
    assert_int_equal(seen, 2 + DISK_WEB);
}

static void test_memory_adds_up(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    static struct toklat_machine m;
    assert_int_equal(ask(TOKLAT_MACHINE_READ, AT, 0, 0, 0), 0);
    get(&m, sizeof(m));
    uint64_t sum = 0;
    for (unsigned k = 0; k < TOKLAT_FRAMES_KINDS; k++) {
        sum += m.frames[k];
    }
    assert_int_equal(sum, m.ram_pages);
    assert_int_equal(m.cpus, CPUS);
    assert_int_equal(m.vms, vm_table_size() - 1);
}

static void test_group_is_told_and_set(void **state)
{
    (void)state;
    struct toklat_group g;
    assert_int_equal(ask(TOKLAT_GROUP_SET, 1, TOKLAT_SET_WEIGHT, 512, 0), 0);
    assert_int_equal(ask(TOKLAT_GROUP_SET, 1, TOKLAT_SET_LIMIT_PAGES, 2, 0), 0);
    assert_int_equal(ask(TOKLAT_GROUP_READ, 1, AT, 0, 0), 0);
    get(&g, sizeof(g));
    assert_string_equal(g.name, "web");
    assert_int_equal(g.weight, 512);
    assert_int_equal(g.limit_pages, 2);
    assert_int_equal(g.count, DISK_WEB);
    assert_int_equal(g.defined, DISK_WEB);
    send_and_turn(WEB_A);
    play_vm(WEB_A);
    assert_int_equal(machine_vm(WEB_A)->sched.weight, 512);
    machine_abort(IPA(MARK_AT), ACCESS_WRITE);
    machine_turn();
    assert_int_equal(state_of(WEB_A), VM_DEAD);
    assert_true(output_has("killed: over its group's limit of memory"));
}

static void test_the_journal_tells_in_order(void **state)
{
    (void)state;
    uint8_t text[512];
    uint64_t cursor = journal_next();
    send_and_turn(WEB_A);
    play_vm(WEB_A);
    machine_trap(TOKLAT_EXIT, 7, 0);
    machine_turn();
    assert_int_equal(on(TOKLAT_VM_START, WEB_A), 0);
    int64_t n = ask(TOKLAT_JOURNAL_READ, cursor, AT, sizeof(text), 0);
    assert_int_equal(n, 2 * sizeof(struct toklat_journal_entry));
    get(text, (size_t)n);
    const struct toklat_journal_entry *e = (const void *)text;
    assert_int_equal(e[0].kind, TOKLAT_JOURNAL_EXITED);
    assert_int_equal(e[0].vm, WEB_A);
    assert_int_equal(e[0].value, 7);
    assert_int_equal(e[1].kind, TOKLAT_JOURNAL_STARTED);
    cursor = machine_vm(BOSS)->context.x[1];
    assert_int_equal(cursor, journal_next());
    assert_int_equal(ask(TOKLAT_JOURNAL_READ, cursor, AT, sizeof(text), 0), 0);
    machine_turn();
    idle_vm(WEB_A, FOREVER);
}

static void test_who_awaits_the_journal_is_woken(void **state)
{
    (void)state;
    struct vm *boss = play_boss();
    assert_int_equal(ask(TOKLAT_JOURNAL_READ, journal_next(), AT, 512, 0), 0);
    idle_vm(BOSS, FOREVER);
    send_and_turn(WEB_A);
    play_vm(WEB_A);
    machine_trap(TOKLAT_EXIT, 7, 0);
    machine_turn();
    assert_int_not_equal(boss->sched.state, SCHED_BLOCKED);
    assert_true(boss->context.x[0] & TOKLAT_EVENT_CONSOLE);
}

static void test_a_full_journal_forgets_the_oldest(void **state)
{
    (void)state;
    uint64_t begin = journal_next();
    uint8_t entry[TOKLAT_JOURNAL_ENTRY_MAX];
    char text[200];
    memset(text, 't', sizeof(text));
    for (unsigned i = 0; i < 3000; i++) {
        journal_add(TOKLAT_JOURNAL_LINE, i, 0, text, i % sizeof(text));
    }
    assert_true(journal_first() > begin);
    int64_t n = ask(TOKLAT_JOURNAL_READ, begin, AT, sizeof(entry), 0);
    assert_true(n > 0);
    get(entry, (size_t)n);
    const struct toklat_journal_entry *e = (const void *)entry;
    assert_int_equal(e->kind, TOKLAT_JOURNAL_LINE);
    assert_int_equal(e->text_bytes, e->vm % sizeof(text));
    assert_int_equal(machine_vm(BOSS)->context.x[2], journal_first());
    /* A cursor within an entry finds another one, or none. */
    for (uint64_t at = journal_first(); at < journal_first() + 512; at += 8) {
        n = ask(TOKLAT_JOURNAL_READ, at, AT, sizeof(entry), 0);
        assert_true(n >= 0 && n <= (int64_t)sizeof(entry));
    }
}

/* --- refusals ------------------------------------------------------------------------------ */

static void test_what_is_refused(void **state)
{
    (void)state;
    static const uint8_t on_vms[] = {TOKLAT_VM_PAUSE,   TOKLAT_VM_RESUME,     TOKLAT_VM_DESTROY,
                                     TOKLAT_VM_RESTART, TOKLAT_VM_CHECKPOINT, TOKLAT_VM_CLONE,
                                     TOKLAT_VM_INPUT};
    for (unsigned i = 0; i < ARRAY_SIZE(on_vms); i++) {
        assert_int_equal(on(on_vms[i], 0), TOKLAT_E_NOT_FOUND);
        assert_int_equal(ask(on_vms[i], UINT64_MAX, AT, 1, 0), TOKLAT_E_NOT_FOUND);
        if (on_vms[i] != TOKLAT_VM_RESTART) {
            assert_int_equal(ask(on_vms[i], BOSS, AT, 1, 0), TOKLAT_E_DENIED);
        }
    }
    assert_int_equal(on(TOKLAT_VM_PAUSE, WEB_A), TOKLAT_E_BUSY); /* it has not run */
    assert_int_equal(on(TOKLAT_VM_CHECKPOINT, WEB_A), TOKLAT_E_BUSY);
    assert_int_equal(on(TOKLAT_VM_CLONE, WEB_A), TOKLAT_E_BUSY);
    assert_int_equal(ask(TOKLAT_VM_READ, 1, AT, 0, 0), TOKLAT_E_INVALID);
    assert_int_equal(ask(TOKLAT_VM_READ, 1, AT, 1, 8), TOKLAT_E_INVALID);
    assert_int_equal(ask(TOKLAT_VM_READ, 1, 0, 1, 0), TOKLAT_E_RANGE);
    assert_int_equal(ask(TOKLAT_VM_READ, UINT64_MAX, AT, 1, 0), 0);
    assert_int_equal(ask(TOKLAT_GROUP_READ, 2, AT, 0, 0), TOKLAT_E_NOT_FOUND);
    assert_int_equal(ask(TOKLAT_GROUP_READ, 1, UINT64_MAX, 0, 0), TOKLAT_E_RANGE);
    assert_int_equal(ask(TOKLAT_GROUP_SET, 1, TOKLAT_SET_WEIGHT, 0, 0), TOKLAT_E_RANGE);
    assert_int_equal(ask(TOKLAT_GROUP_SET, 1, 2, 1, 0), TOKLAT_E_INVALID);
    assert_int_equal(ask(TOKLAT_MACHINE_READ, UINT64_MAX, 0, 0, 0), TOKLAT_E_RANGE);
    assert_int_equal(ask(TOKLAT_JOURNAL_READ, 1, AT, 512, 0), TOKLAT_E_INVALID);
    assert_int_equal(ask(TOKLAT_JOURNAL_READ, 0, AT, 8, 0), TOKLAT_E_RANGE);
    assert_int_equal(ask(TOKLAT_OPERATIONS, 1, 0, 0, 0), TOKLAT_E_INVALID);
}

/* --- the supervisor itself ----------------------------------------------------------------- */

static void test_a_supervisor_that_ends_starts_again(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    for (unsigned i = 0; i < 3; i++) {
        play_boss();
        machine_trap(TOKLAT_EXIT, 1, 0);
        machine_turn();
        assert_int_equal(state_of(BOSS), VM_DEFINED);
        machine_advance(2 * NS_PER_S);
        machine_turn();
        assert_int_equal(state_of(BOSS), VM_LIVE);
    }
    assert_int_equal(mark_of(WEB_A), 0xA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cpus_test(test_a_paused_vm_keeps_still),
        cpus_test(test_one_that_runs_is_paused),
        cpus_test(test_what_happens_meanwhile_is_told_afterwards),
        cpus_test(test_one_that_is_out_is_paused),
        cpus_test(test_restart_whatever_it_was),
        cpus_test(test_one_that_ended_starts_again),
        cpus_test(test_a_paused_vm_is_destroyed),
        cpus_test(test_checkpoint),
        cpus_test(test_clone_of_a_running_vm),
        cpus_test(test_no_clone_without_a_record),
        cpus_test(test_input),
        cpus_test(test_all_vms_are_listed),
        cpus_test(test_memory_adds_up),
        cpus_test(test_group_is_told_and_set),
        cpus_test(test_the_journal_tells_in_order),
        cpus_test(test_who_awaits_the_journal_is_woken),
        cpus_test(test_a_full_journal_forgets_the_oldest),
        cpus_test(test_what_is_refused),
        cpus_test(test_a_supervisor_that_ends_starts_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
