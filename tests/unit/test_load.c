/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * Images that are loaded while the machine runs: refused without a trace, or a group like any
 * other, until it is deleted without a trace.
 */
#include <stdio.h>

#include "tests/unit/load_test.h"

static int setup(void **state)
{
    (void)state;
    deploy_boss_and_web();
    machine_spare(SPARE);
    machine_start();
    machine_boot(RX_BUFFERS);
    boss_has_file();
    return 0;
}

#define load_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown_machine)

/* --- a group like any other --------------------------------------------------------------- */

static void test_loaded_runs_and_goes(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        machine_output_clear();
        struct group *g = load_ready("new", 4);
        assert_int_equal(g->index, 2);
        assert_int_equal(group_count, 3);
        assert_true(group_is_loaded(2) && !group_is_loaded(1));
        assert_int_equal(frame_count(FRAME_EL2), before.of[FRAME_EL2]);
        assert_null(vm_find(FIRST_SPARE));
        switch_to(BOSS);
        uint32_t numbers[4], none;
        for (uint32_t i = 0; i < 4; i++) {
            numbers[i] = create(g);
            assert_int_equal(numbers[i], FIRST_SPARE + i);
        }
        assert_int_equal(vm_create(g, &none), ERR_NO_MEMORY);
        struct vm *vm = start_and_run(numbers[1]);
        assert_int_equal(vm->context.x[0], 2); /* its instance */
        assert_string_equal(vm->page->name, "new");
        assert_int_equal(vm->page->vm_number, FIRST_SPARE + 1);
        assert_int_equal(vm->page->ipv4[3], FIRST_SPARE + 1);
        machine_abort(IPA(GUEST_UNUSED), ACCESS_WRITE);
        assert_int_equal(group_delete(2), ERR_BUSY);
        machine_check(true);
        switch_to(BOSS);
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(group_delete(2), ERR_BUSY);
            vm_destroy(vm_find(numbers[i]));
        }
        assert_int_equal(group_delete(2), OK);
        assert_true(output_has("group new: deleted"));
        assert_int_equal(group_count, 2);
        machine_check(true);
        assert_frames(&before);
    }
    assert_int_equal(group_delete(2), ERR_NOT_FOUND);
    assert_int_equal(group_delete(99), ERR_NOT_FOUND);
    assert_int_equal(group_delete(UINT32_MAX), ERR_NOT_FOUND);
    assert_int_equal(group_delete(0), ERR_DENIED);
    assert_int_equal(group_delete(1), ERR_DENIED);
}

static void test_without_checkpoint(void **state)
{
    (void)state;
    unsigned index;
    image.note.flags = 0;
    assert_int_equal(load_image("still", 1, &index), OK);
    assert_int_equal(groups[index].state, GROUP_READY);
    assert_int_equal(create(&groups[index]), FIRST_SPARE);
    assert_int_equal(start_and_run(FIRST_SPARE)->context.pc, image.header.entry);
    machine_trap(TOKLAT_EXIT, 0, 0);
    assert_int_equal(state_of(FIRST_SPARE), VM_DEAD);
    assert_int_equal(group_delete(index), ERR_BUSY);
    vm_destroy(vm_find(FIRST_SPARE));
    assert_int_equal(group_delete(index), OK);
    assert_frames(&before);
}

static void test_own_mmu(void **state)
{
    (void)state;
    image.note.flags |= TOKLAT_IMAGE_MMU;
    struct group *g = load_ready("own", 1);
    assert_int_equal(create(g), FIRST_SPARE);
    assert_int_equal(vm_start(vm_find(FIRST_SPARE)), OK);
    assert_non_null(machine_vm(FIRST_SPARE)->context.extra);
    vm_destroy(vm_find(FIRST_SPARE));
    assert_int_equal(group_delete(g->index), OK);
    assert_frames(&before);
}

/* It stands at its entry, ran, sleeps, waits for its turn. */
static void test_deleted_while_it_boots(void **state)
{
    (void)state;
    unsigned index;
    for (unsigned how = 0; how < 4; how++) {
        assert_int_equal(load_image("early", 3, &index), OK);
        uint32_t none;
        assert_int_equal(vm_create(&groups[index], &none), ERR_BUSY);
        if (how > 0) {
            switch_to(0);
            machine_abort(IPA(GUEST_UNUSED), ACCESS_WRITE);
        }
        if (how == 2) {
            machine_trap(TOKLAT_IDLE, NS_PER_S, 0);
        } else if (how == 3) {
            machine_trap(TOKLAT_IDLE, 0, 0);
        }
        if (machine_current()->stub->number == 0) {
            switch_to(BOSS);
        }
        assert_int_equal(group_delete(index), OK);
        machine_check(true);
        assert_frames(&before);
        machine_advance(2 * NS_PER_S);
        machine_check(true);
    }
}

static void test_deleted_after_it_failed(void **state)
{
    (void)state;
    unsigned index;
    for (unsigned how = 0; how < 3; how++) {
        assert_int_equal(load_image("bad", 3, &index), OK);
        switch_to(0);
        if (how == 0) {
            machine_trap(TOKLAT_EXIT, 1, 0);
        } else if (how == 1) {
            machine_trap(PSCI_SYSTEM_RESET, 0, 0);
        } else {
            machine_abort(IPA(0x6000), ACCESS_WRITE);
        }
        assert_int_equal(groups[index].state, GROUP_FAILED);
        machine_check(true);
        assert_int_equal(group_delete(index), OK);
        machine_check(true);
        assert_frames(&before);
    }
}

static void test_peers(void **state)
{
    (void)state;
    unsigned index;
    describe("curious", 1);
    load.peer_count = 2;
    load.peers[0] = 1;
    bring(FILE_AT, sizeof(image));
    assert_int_equal(load_commit(&load, &index), OK);
    const struct toklat_system_page *page = groups[index].template->page;
    assert_int_equal(page->peer_count, 2);
    assert_string_equal(page->peers[0].name, "web");
    assert_int_equal(page->peers[0].count, WEB_COUNT);
    assert_int_equal(page->peers[0].ipv4_first[3], WEB);
    assert_string_equal(page->peers[1].name, "boss");
    assert_int_equal(group_delete(index), OK);
}

/* --- numbers and indices ------------------------------------------------------------------ */

static void test_numbers(void **state)
{
    (void)state;
    unsigned index;
    assert_int_equal(load_spare(), SPARE);
    struct group *a = load_ready("a", 4), *b = load_ready("b", 3), *c = load_ready("c", 3);
    assert_int_equal(a->config->first_vm, FIRST_SPARE);
    assert_int_equal(b->config->first_vm, FIRST_SPARE + 4);
    assert_int_equal(c->config->first_vm, FIRST_SPARE + 7);
    assert_int_equal(load_spare(), 0);
    assert_int_equal(load_image("d", 1, &index), ERR_NO_MEMORY);
    assert_string_equal(load.problem, "reserve: 1: at most 0 spare numbers are left in a row");
    switch_to(BOSS);
    assert_int_equal(group_delete(b->index), OK); /* in the middle */
    assert_int_equal(group_count, 5);
    assert_null(group_find(b->index));
    assert_int_equal(b->state, GROUP_ABSENT);
    machine_check(true);
    assert_int_equal(load_spare(), 3);
    assert_int_equal(load_image("d", 4, &index), ERR_NO_MEMORY);
    struct group *d = load_ready("d", 2);
    assert_ptr_equal(d, b);
    assert_int_equal(d->config->first_vm, FIRST_SPARE + 4);
    assert_int_equal(load_spare(), 1);
    switch_to(BOSS);
    assert_int_equal(group_delete(c->index), OK);
    assert_int_equal(group_count, 4);
    assert_int_equal(load_spare(), 4);
    assert_int_equal(group_delete(a->index), OK);
    assert_int_equal(group_count, 4);
    assert_int_equal(load_spare(), 4);
    assert_int_equal(load_image("e", 4, &index), OK);
    assert_int_equal(group_delete(d->index), OK);
    assert_int_equal(group_delete(index), OK);
    assert_int_equal(group_count, 2);
    assert_int_equal(load_spare(), SPARE);
    assert_int_equal(load_image("all", SPARE, &index), OK);
    assert_int_equal(group_delete(index), OK);
    assert_frames(&before);
}

static void test_as_many_groups_as_fit(void **state)
{
    (void)state;
    deploy_boss_and_web();
    machine_spare(DEPLOYMENT_GROUPS_MAX);
    machine_start();
    machine_boot(RX_BUFFERS);
    boss_has_file();
    unsigned index = 0;
    for (unsigned i = 2; i < DEPLOYMENT_GROUPS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof(name), "n%u", i);
        assert_int_equal(load_image(name, 1, &index), OK);
        assert_int_equal(index, i);
    }
    assert_int_equal(load_image("more", 1, &index), ERR_NO_MEMORY);
    assert_string_equal(load.problem, "groups: 33: at most 32");
    machine_check(true);
    for (unsigned i = 2; i < DEPLOYMENT_GROUPS_MAX; i++) {
        assert_int_equal(group_delete(i), OK);
    }
    assert_int_equal(group_count, 2);
    assert_frames(&before);
}

static void test_nothing_is_spare(void **state)
{
    (void)state;
    setup_machine(state);
    boss_has_file();
    unsigned index;
    assert_int_equal(load_spare(), 0);
    assert_int_equal(load_image("new", 1, &index), ERR_NO_MEMORY);
    assert_frames(&before);
}

/* --- refusals ----------------------------------------------------------------------------- */

static void refuses(enum err e, const char *problem)
{
    unsigned index;
    bring(FILE_AT, sizeof(image));
    assert_int_equal(load_commit(&load, &index), e);
    assert_string_equal(load.problem, problem);
    assert_int_equal(group_count, 2);
    assert_int_equal(load_spare(), SPARE);
    machine_check(true);
    assert_frames(&before);
    describe("new", 1);
}

static void test_what_is_said_is_checked(void **state)
{
    (void)state;
    describe("new", 0);
    refuses(ERR_RANGE, "reserve: 0: from 1 to 1048576");
    load.reserve = UINT32_MAX;
    refuses(ERR_RANGE, "reserve: 4294967295: from 1 to 1048576");
    load.reserve = SPARE + 1;
    refuses(ERR_NO_MEMORY, "reserve: 11: at most 10 spare numbers are left in a row");
    load.weight = 65536;
    refuses(ERR_RANGE, "weight: 65536: from 1 to 65535");
    load.network = 3;
    refuses(ERR_RANGE, "network: 3: from 0 to 2");
    load.peer_count = TOKLAT_PEERS_MAX + 1;
    refuses(ERR_RANGE, "peer_count: 9: from 0 to 8");
    load.peer_count = 1;
    load.peers[0] = 2;
    refuses(ERR_RANGE, "peers: 2: below 2, and there");
    memset(load.name, 'x', sizeof(load.name));
    refuses(ERR_INVALID, "name: not printable ASCII, or more than 23 characters");
    load.name[0] = '\0';
    refuses(ERR_INVALID, "name: \"\": 1 or more letters, digits and ,._+-@");
    strcpy(load.name, "a b");
    refuses(ERR_INVALID, "name: \"a b\": 1 or more letters, digits and ,._+-@");
    strcpy(load.name, "web");
    refuses(ERR_BUSY, "name: \"web\": a group of this name exists: limit 1");
    load.file[0] = '\0';
    refuses(ERR_INVALID, "file: \"\": from 1 to 63 characters");
    load.file[3] = '\n';
    refuses(ERR_INVALID, "file: not printable ASCII, or more than 63 characters");
    memset(load.args, 'x', sizeof(load.args));
    refuses(ERR_INVALID, "args: not printable ASCII, or more than 255 characters");
    load.args[0] = '\x80';
    refuses(ERR_INVALID, "args: not printable ASCII, or more than 255 characters");
    load.memory_bytes = TOKLAT_MEMORY_MAX + 1;
    refuses(ERR_INVALID, "deployment: memory_bytes (multiple of): 33554433 (0x2000001): "
                         "limit 4096 (0x1000)");
    load.memory_bytes = TOKLAT_MEMORY_MAX + 4096;
    refuses(ERR_RANGE, "deployment: memory_bytes (at most): 33558528 (0x2001000): "
                       "limit 33554432 (0x2000000)");
}

static void test_the_file_is_checked(void **state)
{
    (void)state;
    unsigned index;
    image.header.machine = 62;
    assert_int_equal(load_image("new", 1, &index), ERR_UNSUPPORTED);
    assert_string_equal(load.problem, "header: e_machine: 62 (0x3e): limit 183 (0xb7)");
    elf_make(&image);
    image.loads[2].offset = UINT64_MAX;
    assert_int_equal(load_image("new", 1, &index), ERR_RANGE);
    assert_true(strlen(load.problem) > 0 && strlen(load.problem) < sizeof(load.problem));
    describe("new", 1);
    bring(FILE_AT, 1);
    assert_int_equal(load_commit(&load, &index), ERR_INVALID);
    assert_string_equal(load.problem, "header: file size: 1 (0x1): limit 64 (0x40)");
    assert_int_equal(load_commit(&load, &index), ERR_NOT_FOUND); /* it is gone */
    assert_string_equal(load.problem, "file: 0 bytes are there: 0 were announced");
    assert_int_equal(group_count, 2);
    assert_frames(&before);
}

static void test_pieces(void **state)
{
    (void)state;
    uint64_t so_far = 7, frames;
    unsigned index;
    assert_int_equal(load_write(boss, IPA(FILE_AT), 1, &so_far), ERR_NOT_FOUND);
    assert_int_equal(load_begin(0), ERR_RANGE);
    assert_int_equal(load_begin(TOKLAT_IMAGE_BYTES_MAX + 1), ERR_RANGE);
    assert_int_equal(load_begin(UINT64_MAX), ERR_RANGE);
    assert_int_equal(load_begin(5 * PAGE_SIZE + 1), OK);
    frames = frame_count(FRAME_EL2);
    assert_int_equal(frames, before.of[FRAME_EL2] + 6); /* of 8 */
    assert_int_equal(load_begin(sizeof(image)), OK);
    assert_int_equal(frame_count(FRAME_EL2), before.of[FRAME_EL2] + 5);
    assert_int_equal(load_write(boss, IPA(FILE_AT), sizeof(image) + 1, &so_far), ERR_RANGE);
    assert_int_equal(load_write(boss, IPA(FILE_AT), UINT64_MAX, &so_far), ERR_RANGE);
    assert_int_equal(load_write(boss, IPA(UINT64_MAX - 1), 8, &so_far), ERR_RANGE);
    assert_int_equal(load_write(boss, IPA(FILE_AT), 0, &so_far), OK);
    assert_int_equal(so_far, 0);
    for (uint64_t at = 0; at < sizeof(image); at = so_far) {
        uint64_t n = MIN(sizeof(image) - at, 1 + at / 3);
        assert_int_equal(load_write(boss, IPA(FILE_AT + at), n, &so_far), OK);
        assert_int_equal(so_far, at + n);
        describe("new", 1);
    }
    assert_int_equal(load_write(boss, IPA(FILE_AT), 1, &so_far), ERR_RANGE);
    assert_int_equal(load_commit(&load, &index), OK);
    assert_int_equal(group_delete(index), OK);
    assert_int_equal(load_begin(100), OK);
    load_forget();
    load_forget();
    assert_frames(&before);
}

/* As much as there is: the rest is asked for again. */
static void test_a_piece_is_not_there(void **state)
{
    (void)state;
    uint64_t so_far, hole = 0x6000, pages = 3 * PAGE_SIZE;
    assert_int_equal(load_begin(pages), OK);
    assert_int_equal(load_write(boss, IPA(hole), pages, &so_far), ERR_RANGE);
    assert_int_equal(load_write(boss, IPA(hole - PAGE_SIZE), pages, &so_far), OK);
    assert_int_equal(so_far, PAGE_SIZE);
    describe("new", 1);
    unsigned index;
    assert_int_equal(load_commit(&load, &index), ERR_INVALID);
    assert_string_equal(load.problem, "file: 4096 bytes are there: 12288 were announced");
    assert_frames(&before);
}

static void test_few_frames(void **state)
{
    (void)state;
    unsigned loaded = 0, index;
    uint64_t floor = gatekeeper.limits.floor;
    for (uint64_t left = 0; left < floor + 64; left++) {
        bring(FILE_AT, sizeof(image));
        describe("new", 1);
        machine_hold_frames(left);
        enum err e = load_commit(&load, &index);
        machine_check(true);
        if (e == OK) {
            loaded++;
            assert_int_equal(group_delete(index), OK);
        } else {
            assert_int_equal(e, ERR_NO_MEMORY);
            assert_true(strstr(load.problem, "frames: ") == load.problem);
        }
        assert_int_equal(group_count, 2);
        machine_release_frames();
        assert_frames(&before);
    }
    assert_in_range(loaded, 1, 64);
    machine_hold_frames(0);
    assert_int_equal(load_begin(1), ERR_NO_MEMORY);
    machine_release_frames();
}

/* However little memory the loading itself finds. */
static void test_no_frame_in_the_middle(void **state)
{
    (void)state;
    unsigned loaded = 0, index;
    gatekeeper.limits.floor = 0;
    for (uint64_t left = 0; left < 64; left++) {
        bring(FILE_AT, sizeof(image));
        describe("new", 1);
        machine_hold_frames(left);
        enum err e = load_commit(&load, &index);
        machine_check(true);
        loaded += e == OK;
        assert_int_equal(e == OK ? group_delete(index) : e, e);
        machine_release_frames();
        assert_frames(&before);
    }
    assert_in_range(loaded, 1, 63);
}

/* --- as the supervisor calls -------------------------------------------------------------- */

#define REQUEST_AT 0x7000u /* data */

static int64_t call(uint64_t operation, uint64_t x2, uint64_t x3)
{
    boss->context.x[3] = x3;
    int64_t result = machine_call(TOKLAT_VM_CONTROL, operation, x2);
    machine_check(true);
    return result;
}

static int64_t call_load(const char *name)
{
    describe(name, 2);
    assert_int_equal(guest_write(&boss->space, IPA(REQUEST_AT), &load, sizeof(load)), OK);
    int64_t result = call(TOKLAT_IMAGE_LOAD, REQUEST_AT, 0);
    assert_int_equal(guest_read(&boss->space, IPA(REQUEST_AT), &load, sizeof(load)), OK);
    return result;
}

static uint32_t spare_now(void)
{
    struct toklat_machine m;
    assert_int_equal(call(TOKLAT_MACHINE_READ, REQUEST_AT, 0), 0);
    assert_int_equal(guest_read(&boss->space, IPA(REQUEST_AT), &m, sizeof(m)), OK);
    return m.spare_vms;
}

static struct toklat_group read_group(uint64_t index)
{
    struct toklat_group g;
    assert_int_equal(call(TOKLAT_GROUP_READ, index, REQUEST_AT), 0);
    assert_int_equal(guest_read(&boss->space, IPA(REQUEST_AT), &g, sizeof(g)), OK);
    return g;
}

static void test_calls(void **state)
{
    (void)state;
    assert_int_equal(call(TOKLAT_IMAGE_BEGIN, 0, 0), TOKLAT_E_RANGE);
    assert_int_equal(call(TOKLAT_IMAGE_WRITE, FILE_AT, 1), TOKLAT_E_NOT_FOUND);
    assert_int_equal(call(TOKLAT_IMAGE_BEGIN, sizeof(image), 0), 0);
    assert_int_equal(call(TOKLAT_IMAGE_WRITE, FILE_AT, 1000), 1000);
    assert_int_equal(call(TOKLAT_IMAGE_LOAD, UINT64_MAX - 8, 0), TOKLAT_E_RANGE);
    assert_int_equal(call(TOKLAT_IMAGE_LOAD, 0x5000, 0), TOKLAT_E_DENIED); /* rodata */
    uint64_t rest = sizeof(image) - 1000;
    assert_int_equal(call(TOKLAT_IMAGE_WRITE, FILE_AT + 1000, rest), sizeof(image));
    assert_int_equal(call_load("web"), TOKLAT_E_BUSY);
    assert_string_equal(load.problem, "name: \"web\": a group of this name exists: limit 1");
    assert_int_equal(call(TOKLAT_IMAGE_BEGIN, sizeof(image), 0), 0);
    assert_int_equal(call(TOKLAT_IMAGE_WRITE, FILE_AT, sizeof(image)), sizeof(image));
    assert_int_equal(spare_now(), SPARE);
    describe("new", 2);
    assert_int_equal(guest_write(&boss->space, IPA(REQUEST_AT), &load, sizeof(load)), OK);
    boss->context.x[0] = 99;
    machine_trap(TOKLAT_VM_CONTROL, TOKLAT_IMAGE_LOAD, REQUEST_AT);
    assert_int_equal(boss->context.x[0], 2);
    switch_to(BOSS);
    struct toklat_group g = read_group(2);
    assert_string_equal(g.name, "new");
    assert_int_equal(g.flags, TOKLAT_GROUP_LOADED);
    assert_int_equal(g.state, TOKLAT_GROUP_BOOTING);
    assert_int_equal(g.weight, SCHED_WEIGHT_NORMAL);
    assert_int_equal(read_group(1).flags & TOKLAT_GROUP_LOADED, 0);
    switch_to(0);
    machine_boot(0);
    switch_to(BOSS);
    assert_int_equal(spare_now(), SPARE - 2);
    assert_int_equal(call(TOKLAT_VM_CREATE, 2, 0), FIRST_SPARE);
    assert_int_equal(call(TOKLAT_GROUP_DELETE, 2, 0), TOKLAT_E_BUSY);
    assert_int_equal(call(TOKLAT_VM_DESTROY, FIRST_SPARE, 0), 0);
    assert_int_equal(call(TOKLAT_GROUP_DELETE, 1, 0), TOKLAT_E_DENIED);
    assert_int_equal(call(TOKLAT_GROUP_DELETE, UINT64_MAX - 31, 0), TOKLAT_E_NOT_FOUND);
    assert_int_equal(call(TOKLAT_GROUP_DELETE, 2, 0), 0);
    assert_int_equal(call(TOKLAT_VM_CREATE, 2, 0), TOKLAT_E_NOT_FOUND);
    assert_int_equal(call(TOKLAT_GROUP_READ, 2, REQUEST_AT), TOKLAT_E_NOT_FOUND);
    assert_int_equal(spare_now(), SPARE);
}

/* What it has brought is forgotten when it begins anew. */
static void test_the_supervisor_begins_anew(void **state)
{
    (void)state;
    assert_int_equal(call(TOKLAT_IMAGE_BEGIN, 100000, 0), 0);
    assert_int_equal(frame_count(FRAME_EL2), before.of[FRAME_EL2] + 25);
    machine_trap(PSCI_SYSTEM_RESET, 0, 0);
    boss = switch_to(BOSS);
    assert_int_equal(frame_count(FRAME_EL2), before.of[FRAME_EL2]);
    assert_int_equal(call(TOKLAT_IMAGE_WRITE, FILE_AT, 1), TOKLAT_E_NOT_FOUND);
}

/* --- several CPUs ------------------------------------------------------------------------- */

/* A VM lives and ends at another CPU, which has heard of a frame for it and hears of one later. */
static void test_at_another_cpu(void **state)
{
    (void)state;
    uint8_t frame[64];
    deploy_boss_and_web();
    machine_add_cpus(2);
    machine_spare(SPARE);
    machine_start();
    machine_boot(RX_BUFFERS);
    boss_has_file();
    for (unsigned round = 0; round < 2; round++) {
        struct group *g = load_ready("far", 2);
        switch_to(BOSS);
        uint32_t number = create(g);
        assert_int_equal(control(TOKLAT_VM_START, number), 0);
        machine_turn();
        assert_int_equal(vm_stub(number)->where, 1);
        machine_on(1);
        assert_int_equal(machine_current()->stub->number, number);
        machine_abort(IPA(GUEST_UNUSED), ACCESS_WRITE);
        machine_on(KEEPER);
        frame_make(frame, sizeof(frame), 0, number);
        network_deliver(number, frame, sizeof(frame));
        assert_int_equal(group_delete(g->index), ERR_BUSY);
        machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_DESTROY, number);
        machine_turn();
        assert_int_equal(state_of(number), VM_ABSENT);
        switch_to(BOSS);
        assert_int_equal(group_delete(g->index), OK);
        network_deliver(number, frame, sizeof(frame));
        machine_turn();
        machine_check_settled();
        assert_frames(&before);
    }
    machine_on(KEEPER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        load_test(test_loaded_runs_and_goes),
        load_test(test_without_checkpoint),
        load_test(test_own_mmu),
        load_test(test_deleted_while_it_boots),
        load_test(test_deleted_after_it_failed),
        load_test(test_peers),
        load_test(test_numbers),
        load_test(test_as_many_groups_as_fit),
        cmocka_unit_test_teardown(test_nothing_is_spare, teardown_machine),
        load_test(test_what_is_said_is_checked),
        load_test(test_the_file_is_checked),
        load_test(test_pieces),
        load_test(test_a_piece_is_not_there),
        load_test(test_few_frames),
        load_test(test_no_frame_in_the_middle),
        load_test(test_calls),
        load_test(test_the_supervisor_begins_anew),
        cmocka_unit_test_teardown(test_at_another_cpu, teardown_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
