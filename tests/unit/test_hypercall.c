/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * Hypercalls: what each says to arguments of every kind, and that none disturbs more than its
 * caller (docs/virtual-architecture.md, section 6).
 */
#include "abi/control.h"
#include "tests/unit/machine_test.h"

#define DESC GUEST_UNUSED
#define AVAIL (GUEST_UNUSED + 0x1000)
#define USED (GUEST_UNUSED + 0x2000)
#define HOLE 0x6000u /* between rodata and data */
#define RODATA 0x5000u
#define DATA 0x7000u
#define STACK (ELF_MEMORY - ELF_STACK)
#define TOP_PAGE (UINT64_MAX - 0xFFF)

static struct vm *vm;

static int setup(void **state)
{
    setup_machine(state);
    vm = start_and_run(WEB);
    return 0;
}

static int64_t call(uint64_t function, uint64_t x1, uint64_t x2)
{
    int64_t result = machine_call(function, x1, x2);
    machine_check(true);
    return result;
}

/* --- discovery ---------------------------------------------------------------------------- */

static void test_discovery(void **state)
{
    (void)state;
    assert_int_equal(call(TOKLAT_VERSION, 0, 0), 0x10001);
    assert_int_equal(call(SMCCC_VERSION, 0, 0), 0x10001);
    assert_int_equal(call(PSCI_VERSION, 0, 0), 0x10001);
    assert_int_equal(call(TOKLAT_CALL_COUNT, 0, 0), TOKLAT_CALLS);
    assert_int_equal(call(TOKLAT_CALL_REVISION, 0, 9), 1);
    assert_int_equal(vm->context.x[1], 1);
    assert_int_equal(call(TOKLAT_CALL_UID, 0, 0), 0xc4e6d2a1);
    assert_int_equal(vm->context.x[1], 0x7e4c0b3f);
    assert_int_equal(vm->context.x[2], 0x6f741d9b);
    assert_int_equal(vm->context.x[3], 0x74616c6b);
    static const uint64_t psci[] = {PSCI_VERSION, PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET,
                                    PSCI_FEATURES};
    for (unsigned i = 0; i < ARRAY_SIZE(psci); i++) {
        assert_int_equal(call(PSCI_FEATURES, psci[i], 0), 0);
    }
    assert_int_equal(call(PSCI_FEATURES, 0x84000001, 0), TOKLAT_E_NOT_SUPPORTED);
    assert_int_equal(call(SMCCC_ARCH_FEATURES, SMCCC_VERSION, 0), 0);
    assert_int_equal(call(SMCCC_ARCH_FEATURES, SMCCC_ARCH_FEATURES, 0), 0);
    assert_int_equal(call(SMCCC_ARCH_FEATURES, 0x80008000, 0), TOKLAT_E_NOT_SUPPORTED);
}

static bool is_known(uint32_t function)
{
    static const uint32_t known[] = {SMCCC_VERSION,     SMCCC_ARCH_FEATURES, PSCI_VERSION,
                                     PSCI_SYSTEM_OFF,   PSCI_SYSTEM_RESET,   PSCI_FEATURES,
                                     TOKLAT_CALL_COUNT, TOKLAT_CALL_UID,     TOKLAT_CALL_REVISION};
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        if (known[i] == function) {
            return true;
        }
    }
    return function - TOKLAT_CALL(0) < TOKLAT_CALLS;
}

static void test_unknown_functions(void **state)
{
    (void)state;
    for (uint32_t high = 0; high < 256; high++) {
        for (uint32_t low = 0; low < 40; low++) {
            uint32_t function = high << 24 | (low < 32 ? low : 0xFEF8 + low);
            if (!is_known(function)) {
                vm->context.x[3] = 33;
                assert_int_equal(machine_call(function, 11, 22), TOKLAT_E_NOT_SUPPORTED);
                assert_int_equal(vm->context.x[1], 11);
                assert_int_equal(vm->context.x[2], 22);
                assert_int_equal(vm->context.x[3], 33);
            }
        }
    }
    machine_check(true);
}

/* The identifier is in w0. */
static void test_upper_half_of_x0(void **state)
{
    (void)state;
    assert_int_equal(call(0xFFFFFFFF00000000ull | TOKLAT_VERSION, 0, 0), 0x10001);
    assert_int_equal(call(1ull << 32, 0, 0), TOKLAT_E_NOT_SUPPORTED);
}

static void test_registers_are_preserved(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < TOKLAT_CALLS; n++) {
        if (TOKLAT_CALL(n) == TOKLAT_EXIT) {
            continue;
        }
        for (unsigned i = 4; i < 31; i++) {
            vm->context.x[i] = 0x100 + i;
        }
        machine_trap(TOKLAT_CALL(n), 0, 0);
        switch_to(WEB); /* idle gave way */
        for (unsigned i = 4; i < 31; i++) {
            assert_int_equal(vm->context.x[i], 0x100 + i);
        }
    }
}

/* --- queue_setup and doorbell ------------------------------------------------------------- */

struct queue_case {
    uint64_t queue, size, desc, avail, used;
    int64_t result;
};

static const struct queue_case queue_cases[] = {
    {0, 1, DESC, AVAIL, USED, 0},
    {1, 256, DESC, AVAIL, USED, 0},
    {0, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0},
    {0, 8, ELF_MEMORY - 128, AVAIL, USED, 0},
    {0, 8, 0, 0, 0, 0}, /* the ring breaks when it is used */
    {2, 8, DESC, AVAIL, USED, TOKLAT_E_RANGE},
    {UINT64_MAX, 8, DESC, AVAIL, USED, TOKLAT_E_RANGE},
    {1ull << 32, 8, DESC, AVAIL, USED, TOKLAT_E_RANGE},
    {0, 3, DESC, AVAIL, USED, TOKLAT_E_INVALID},
    {0, 512, DESC, AVAIL, USED, TOKLAT_E_INVALID},
    {0, 1ull << 32, DESC, AVAIL, USED, TOKLAT_E_INVALID},
    {0, (1ull << 32) + 8, DESC, AVAIL, USED, TOKLAT_E_INVALID},
    {0, UINT64_MAX, DESC, AVAIL, USED, TOKLAT_E_INVALID},
    {0, 8, DESC + 8, AVAIL, USED, TOKLAT_E_INVALID},
    {0, 8, DESC, AVAIL + 1, USED, TOKLAT_E_INVALID},
    {0, 8, DESC, AVAIL, USED + 2, TOKLAT_E_INVALID},
    {0, 8, ELF_MEMORY, AVAIL, USED, TOKLAT_E_RANGE},
    {0, 8, ELF_MEMORY - 112, AVAIL, USED, TOKLAT_E_RANGE},
    {0, 8, DESC, ELF_MEMORY - 2, USED, TOKLAT_E_RANGE},
    {0, 8, DESC, AVAIL, ELF_MEMORY - 4, TOKLAT_E_RANGE},
    {0, 8, TOP_PAGE, AVAIL, USED, TOKLAT_E_RANGE},
    {0, 8, DESC, UINT64_MAX - 1, USED, TOKLAT_E_RANGE},
    {0, 8, DESC, AVAIL, UINT64_MAX - 3, TOKLAT_E_RANGE},
    {0, 8, 1ull << 48, AVAIL, USED, TOKLAT_E_RANGE},
};

static void test_queue_setup(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(queue_cases); i++) {
        const struct queue_case *c = &queue_cases[i];
        struct nic before = vm->nic;
        assert_int_equal(machine_call_queue(c->queue, c->size, c->desc, c->avail, c->used),
                         c->result);
        if (c->result < 0) {
            assert_memory_equal(&vm->nic, &before, sizeof(before));
        }
    }
    machine_check(true);
}

static void test_doorbell(void **state)
{
    (void)state;
    for (uint64_t mask = 0; mask < 4; mask++) {
        assert_int_equal(call(TOKLAT_DOORBELL, mask, 0), 0);
    }
    assert_int_equal(call(TOKLAT_DOORBELL, 4, 0), TOKLAT_E_INVALID);
    assert_int_equal(call(TOKLAT_DOORBELL, UINT64_MAX, 0), TOKLAT_E_INVALID);
    assert_int_equal(call(TOKLAT_DOORBELL, 1ull << 33, 0), TOKLAT_E_INVALID);
    assert_int_equal(machine_call_queue(0, 0, 0, 0, 0), 0);
    assert_int_equal(machine_call_queue(1, 0, 0, 0, 0), 0);
    assert_int_equal(call(TOKLAT_DOORBELL, 3, 0), 0); /* there is none */
}

/* --- console_write ------------------------------------------------------------------------ */

static void test_console_write_takes(void **state)
{
    (void)state;
    static char text[3000];
    memset(text, 'a', sizeof(text));
    assert_int_equal(guest_write(&vm->space, IPA(GUEST_UNUSED), text, sizeof(text)), OK);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, GUEST_UNUSED, 0), 0);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, UINT64_MAX, 0), 0);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, GUEST_UNUSED, 1), 1);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, GUEST_UNUSED, 1024), 1024);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, GUEST_UNUSED, 1025), 1024);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, GUEST_UNUSED + 1000, 3000), 1024);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, GUEST_UNUSED, UINT64_MAX), 1024);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, RODATA, 700), 700);
}

static void test_console_write_at_the_edge(void **state)
{
    (void)state;
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, HOLE - 10, 100), 10);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, HOLE - 1000, 1024), 1000);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, ELF_MEMORY - 1, 2), 1);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, 0x1FFF, 64), 1); /* the system page's last byte */
}

static void test_console_write_refuses(void **state)
{
    (void)state;
    static const uint64_t wild[] = {
        0,          8,        0xFFF,      0x2000,           HOLE, STACK - 1, ELF_MEMORY,
        1ull << 32, TOP_PAGE, UINT64_MAX, UINT64_MAX - 1023};
    for (unsigned i = 0; i < ARRAY_SIZE(wild); i++) {
        uint64_t n = wild[i] == 0xFFF || wild[i] == STACK - 1 ? 1 : 1024;
        assert_int_equal(call(TOKLAT_CONSOLE_WRITE, wild[i], n), TOKLAT_E_RANGE);
        assert_int_equal(call(TOKLAT_CONSOLE_WRITE, wild[i], 1), TOKLAT_E_RANGE);
    }
}

static void test_console_write_without_frames(void **state)
{
    (void)state;
    machine_abort(IPA(GUEST_UNUSED), ACCESS_WRITE);
    machine_hold_frames(0);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, GUEST_UNUSED + 0xF00, 1024), 256);
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, GUEST_UNUSED + 0x1000, 1), TOKLAT_E_NO_MEMORY);
    machine_release_frames();
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, GUEST_UNUSED + 0x1000, 1), 1);
}

static void test_console_shows_text_only(void **state)
{
    (void)state;
    assert_int_equal(guest_write(&vm->space, IPA(DATA), "\x1b[2J\r\n[boss/1] x\n\xff", 17), OK);
    machine_output_clear();
    assert_int_equal(call(TOKLAT_CONSOLE_WRITE, DATA, 17), 17);
    assert_string_equal(machine_output, "[web/1] ?[2J?\n[web/1] [boss/1] x\n");
}

/* --- page_release ------------------------------------------------------------------------- */

static void test_page_release_frees(void **state)
{
    (void)state;
    struct machine_frames before = machine_frames();
    uint32_t value = 7;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t at = GUEST_UNUSED + 2 * PAGE_SIZE * i;
        machine_abort(IPA(at), ACCESS_WRITE); /* shows the account */
        assert_int_equal(guest_write(&vm->space, IPA(at), &value, 4), OK);
    }
    assert_int_equal(call(TOKLAT_PAGE_RELEASE, GUEST_UNUSED, 8), 4);
    assert_int_equal(call(TOKLAT_PAGE_RELEASE, GUEST_UNUSED, 8), 0);
    assert_frames(&before);
    assert_int_equal(vm->page->private_pages, vm->space.private_pages);
    assert_int_equal(guest_read(&vm->space, IPA(GUEST_UNUSED), &value, 4), OK);
    assert_int_equal(value, 0);
}

/* Pages of the template are not freed, but read as zero. */
static void test_page_release_of_the_template(void **state)
{
    (void)state;
    uint32_t shared = vm->space.shared_pages, value = 7;
    assert_int_equal(call(TOKLAT_PAGE_RELEASE, DATA, 1), 0);
    assert_int_equal(vm->space.shared_pages, shared - 1);
    assert_int_equal(guest_read(&vm->space, IPA(DATA), &value, 4), OK);
    assert_int_equal(value, 0);
    assert_int_equal(guest_read(&groups[1].template->space, IPA(DATA), &value, 4), OK);
    assert_int_equal(value, 0x33333333);
}

static const struct {
    uint64_t address, pages;
    int64_t result;
} release_cases[] = {
    {GUEST_UNUSED, 0, 0},
    {GUEST_UNUSED + 1, 1, TOKLAT_E_INVALID},
    {UINT64_MAX, 1, TOKLAT_E_INVALID},
    {0, 1, TOKLAT_E_DENIED},
    {0x1000, 1, TOKLAT_E_DENIED},
    {0x2000, 1, TOKLAT_E_DENIED},
    {0, UINT64_MAX, TOKLAT_E_DENIED},
    {0x3000, 1, TOKLAT_E_DENIED},
    {RODATA, 1, TOKLAT_E_DENIED},
    {RODATA, 3, TOKLAT_E_DENIED},
    {HOLE, 1, TOKLAT_E_RANGE},
    {STACK - PAGE_SIZE, 1, TOKLAT_E_RANGE}, /* the guard */
    {STACK - 2 * PAGE_SIZE, 3, TOKLAT_E_RANGE},
    {STACK, ELF_STACK / PAGE_SIZE, 0},
    {STACK, ELF_STACK / PAGE_SIZE + 1, TOKLAT_E_RANGE},
    {ELF_MEMORY, 1, TOKLAT_E_RANGE},
    {ELF_MEMORY, 0, 0},
    {ELF_MEMORY + PAGE_SIZE, 0, TOKLAT_E_RANGE},
    {GUEST_UNUSED, UINT64_MAX, TOKLAT_E_RANGE},
    {GUEST_UNUSED, UINT64_MAX >> 12, TOKLAT_E_RANGE},
    {GUEST_UNUSED, (1ull << 52) + 1, TOKLAT_E_RANGE},
    {TOP_PAGE, 1, TOKLAT_E_RANGE},
    {TOP_PAGE, 2, TOKLAT_E_RANGE},
    {1ull << 40, 1, TOKLAT_E_RANGE},
};

static void test_page_release_refuses(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(release_cases); i++) {
        struct machine_frames before = machine_frames();
        uint32_t pages = vm->space.private_pages + vm->space.shared_pages;
        assert_int_equal(
            call(TOKLAT_PAGE_RELEASE, release_cases[i].address, release_cases[i].pages),
            release_cases[i].result);
        assert_frames(&before);
        assert_int_equal(vm->space.private_pages + vm->space.shared_pages, pages);
    }
}

/* A table of the template must be copied first. */
static void test_page_release_without_frames(void **state)
{
    (void)state;
    machine_init(MIB(8));
    struct deployment_group *g = machine_add("big", 2, 0);
    g->start_at_boot = true;
    g->memory_bytes = MIB(4);
    machine_start();
    vm = machine_current();
    uint64_t second_table = MIB(2) + 0x4000;
    assert_int_equal(guest_write(&vm->space, IPA(second_table), "x", 1), OK);
    machine_boot(0);
    vm = machine_current();
    machine_hold_frames(0);
    assert_int_equal(call(TOKLAT_PAGE_RELEASE, second_table, 1), TOKLAT_E_NO_MEMORY);
    assert_int_equal(call(TOKLAT_PAGE_RELEASE, second_table + PAGE_SIZE, 1), 0); /* not there */
    machine_hold_frames(1);
    machine_release_frames();
    assert_int_equal(call(TOKLAT_PAGE_RELEASE, second_table, 1), 0);
}

/* --- the rest ----------------------------------------------------------------------------- */

static void test_checkpoint_of_a_clone(void **state)
{
    (void)state;
    assert_int_equal(call(TOKLAT_CHECKPOINT, 0, 0), TOKLAT_E_BUSY);
}

/* A template may use every call but vm_control before its checkpoint; its frames go nowhere. */
static void test_template_calls(void **state)
{
    (void)state;
    machine_init(MIB(8));
    machine_add("only", 1, 0)->start_at_boot = true;
    machine_start();
    vm = machine_current();
    uint8_t frame[64];
    frame_make(frame, sizeof(frame), 0, 1);
    assert_int_equal(call(TOKLAT_VM_CONTROL, TOKLAT_VM_START, 1), TOKLAT_E_DENIED);
    assert_int_equal(
        machine_call_queue(1, GUEST_QUEUE_SIZE, GUEST_TX, GUEST_TX + 0x1000, GUEST_TX + 0x2000), 0);
    guest_offer_tx(vm, frame, sizeof(frame));
    assert_int_equal(call(TOKLAT_DOORBELL, 2, 0), 0);
    assert_int_equal(guest_used(vm, GUEST_TX), 1);
    assert_int_equal(machine_sent, 0);
    assert_int_equal(state_of(1), VM_DEFINED);
    assert_int_equal(call(TOKLAT_IDLE, NS_PER_S, 0), TOKLAT_EVENT_NET_TX);
    machine_trap(TOKLAT_IDLE, NS_PER_MS, 0);
    machine_advance(2 * NS_PER_MS);
    assert_ptr_equal(machine_current(), vm);
    machine_trap(TOKLAT_CHECKPOINT, 0, 0);
    machine_check(true);
    assert_int_equal(machine_current()->stub->number, 1);
    assert_int_equal(guest_used(machine_current(), GUEST_TX), 1); /* goes on where it stood */
}

/* Every call with values from a list of wild ones, in an order that is always the same. */
static void test_anything_at_all(void **state)
{
    (void)state;
    static const uint64_t wild[] = {0,
                                    1,
                                    2,
                                    3,
                                    4,
                                    7,
                                    8,
                                    16,
                                    255,
                                    256,
                                    1024,
                                    0xFFF,
                                    0x1000,
                                    0x1008,
                                    0x2FFF,
                                    0x3000,
                                    HOLE,
                                    DATA,
                                    DATA + 1,
                                    DATA + 16,
                                    USED,
                                    STACK,
                                    ELF_MEMORY,
                                    ELF_MEMORY - 16,
                                    1ull << 31,
                                    1ull << 32,
                                    1ull << 48,
                                    1ull << 63,
                                    TOP_PAGE,
                                    UINT64_MAX,
                                    UINT64_MAX - 15,
                                    INT64_MAX};
    uint64_t seed = 1;
    for (unsigned i = 0; i < 30000; i++) {
        for (unsigned r = 1; r < 6; r++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            machine_current()->context.x[r] = wild[seed >> 59];
        }
        uint32_t n = (uint32_t)(seed >> 40) % TOKLAT_CALLS;
        struct vm *caller = machine_current();
        bool leaves = n == 1 || n == 2;
        machine_trap(TOKLAT_CALL(n), caller->context.x[1], caller->context.x[2]);
        if (!leaves && machine_current() == caller) {
            assert_true((int64_t)caller->context.x[0] >= TOKLAT_E_BUSY);
        }
        if (i % 16 == 0) {
            machine_check(false);
        }
        if (!machine_current()) { /* all sleep, or have ended */
            setup(state);
        }
    }
}

#define call_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        call_test(test_discovery),
        call_test(test_unknown_functions),
        call_test(test_upper_half_of_x0),
        call_test(test_registers_are_preserved),
        call_test(test_queue_setup),
        call_test(test_doorbell),
        call_test(test_console_write_takes),
        call_test(test_console_write_at_the_edge),
        call_test(test_console_write_refuses),
        call_test(test_console_write_without_frames),
        call_test(test_console_shows_text_only),
        call_test(test_page_release_frees),
        call_test(test_page_release_of_the_template),
        call_test(test_page_release_refuses),
        cmocka_unit_test_teardown(test_page_release_without_frames, teardown_machine),
        call_test(test_checkpoint_of_a_clone),
        cmocka_unit_test_teardown(test_template_calls, teardown_machine),
        call_test(test_anything_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
