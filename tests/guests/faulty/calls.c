/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every hypercall with arguments that it must refuse, and SMC, which it must.
 */
#include <stddef.h>

#include "abi/control.h"
#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "tests/guests/faulty/modes.h"

#define ANY INT64_MIN /* any refusal */
#define HUGE UINT64_MAX
#define UNKNOWN_PSCI 0x84000001
#define CPU_ON_64 0xC4000003

struct attempt {
    const char *what;
    uint64_t function;
    uint64_t a[5];
    int64_t result;
};

static _Alignas(4096) uint8_t ring[2 * TOKLAT_PAGE_BYTES];

static bool attempt(const struct attempt *t)
{
    int64_t is = hypercall(t->function, t->a[0], t->a[1], t->a[2], t->a[3], t->a[4]);

    if (is == t->result || (t->result == ANY && is < 0)) {
        return true;
    }
    console_printf("FAIL %s: %ld, not %ld\n", t->what, is, t->result);
    return false;
}

static bool attempt_all(const struct attempt *t, size_t n)
{
    bool fine = true;

    for (size_t i = 0; i < n; i++) {
        fine &= attempt(&t[i]);
    }
    return fine;
}

static bool unknown_calls(void)
{
    static const uint64_t functions[] = {
        TOKLAT_CALL(0xFFFF), TOKLAT_CALL(0x100), 0x86000001, UNKNOWN_PSCI, CPU_ON_64, 0,
        0x7FFFFFFF,          0xC5000001,         0xFFFFFFFF,
    };
    bool fine = true;

    for (uint64_t n = TOKLAT_CALLS; n < TOKLAT_CALLS + 64; n++) {
        fine &= attempt(&(struct attempt){"unknown", TOKLAT_CALL(n), {0}, TOKLAT_E_NOT_SUPPORTED});
    }
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        fine &= attempt(&(struct attempt){"unknown", functions[i], {0}, TOKLAT_E_NOT_SUPPORTED});
    }
    return fine;
}

static bool bad_queues(void)
{
    uint64_t at = (uintptr_t)ring;
    uint64_t end = system_page()->memory_bytes;
    const struct attempt attempts[] = {
        {"size 3", TOKLAT_QUEUE_SETUP, {0, 3, at, at + 512, at + 1024}, TOKLAT_E_INVALID},
        {"size 512", TOKLAT_QUEUE_SETUP, {0, 512, at, at + 8192, at}, TOKLAT_E_INVALID},
        {"huge size", TOKLAT_QUEUE_SETUP, {0, HUGE, at, at, at}, TOKLAT_E_INVALID},
        {"queue 2", TOKLAT_QUEUE_SETUP, {2, 8, at, at + 512, at + 1024}, ANY},
        {"huge queue", TOKLAT_QUEUE_SETUP, {HUGE, 8, at, at + 512, at + 1024}, ANY},
        {"odd desc", TOKLAT_QUEUE_SETUP, {0, 8, at + 8, at + 512, at + 1024}, TOKLAT_E_INVALID},
        {"odd avail", TOKLAT_QUEUE_SETUP, {0, 8, at, at + 513, at + 1024}, TOKLAT_E_INVALID},
        {"odd used", TOKLAT_QUEUE_SETUP, {0, 8, at, at + 512, at + 1026}, TOKLAT_E_INVALID},
        {"desc at end", TOKLAT_QUEUE_SETUP, {0, 8, end - 64, at, at}, TOKLAT_E_RANGE},
        {"avail at end", TOKLAT_QUEUE_SETUP, {0, 8, at, end - 4, at}, TOKLAT_E_RANGE},
        {"used outside", TOKLAT_QUEUE_SETUP, {0, 8, at, at, end}, TOKLAT_E_RANGE},
        {"desc wraps", TOKLAT_QUEUE_SETUP, {0, 8, HUGE & ~15ull, at, at}, TOKLAT_E_RANGE},
        {"doorbell of queue 2", TOKLAT_DOORBELL, {4}, TOKLAT_E_INVALID},
        {"doorbell of all", TOKLAT_DOORBELL, {HUGE}, TOKLAT_E_INVALID},
    };

    return attempt_all(attempts, sizeof(attempts) / sizeof(attempts[0]));
}

static bool bad_addresses(void)
{
    uint64_t text = (uintptr_t)&guest_main & ~(TOKLAT_PAGE_BYTES - 1ull);
    uint64_t end = system_page()->memory_bytes;
    uint64_t data = (uintptr_t)ring;
    const struct attempt attempts[] = {
        {"write from page 0", TOKLAT_CONSOLE_WRITE, {0, 10}, TOKLAT_E_RANGE},
        {"write into the gap", TOKLAT_CONSOLE_WRITE, {0x1FFC, 8}, 4},
        {"write past the end", TOKLAT_CONSOLE_WRITE, {end - 1, 2}, 1},
        {"write from the end", TOKLAT_CONSOLE_WRITE, {end, 2}, TOKLAT_E_RANGE},
        {"write from the gap", TOKLAT_CONSOLE_WRITE, {0x2000, 2}, TOKLAT_E_RANGE},
        {"write that wraps", TOKLAT_CONSOLE_WRITE, {HUGE - 3, 8}, TOKLAT_E_RANGE},
        {"write of nothing", TOKLAT_CONSOLE_WRITE, {data, 0}, 0},
        {"release misaligned", TOKLAT_PAGE_RELEASE, {data + 8, 1}, TOKLAT_E_INVALID},
        {"release text", TOKLAT_PAGE_RELEASE, {text, 1}, ANY},
        {"release the system page", TOKLAT_PAGE_RELEASE, {TOKLAT_SYSTEM_PAGE, 1}, ANY},
        {"release page 0", TOKLAT_PAGE_RELEASE, {0, 1}, ANY},
        {"release outside", TOKLAT_PAGE_RELEASE, {end, 1}, TOKLAT_E_RANGE},
        {"release all", TOKLAT_PAGE_RELEASE, {data, HUGE}, TOKLAT_E_RANGE},
        {"release that wraps", TOKLAT_PAGE_RELEASE, {data, 1ull << 52}, TOKLAT_E_RANGE},
        {"create", TOKLAT_VM_CONTROL, {TOKLAT_VM_CREATE, 0}, TOKLAT_E_DENIED},
        {"start", TOKLAT_VM_CONTROL, {TOKLAT_VM_START, 1}, TOKLAT_E_DENIED},
        {"destroy", TOKLAT_VM_CONTROL, {TOKLAT_VM_DESTROY, 1}, TOKLAT_E_DENIED},
        {"control", TOKLAT_VM_CONTROL, {HUGE, 1}, TOKLAT_E_DENIED},
        {"checkpoint", TOKLAT_CHECKPOINT, {0}, TOKLAT_E_NOT_SUPPORTED},
    };

    return attempt_all(attempts, sizeof(attempts) / sizeof(attempts[0]));
}

static bool discovery(void)
{
    const struct attempt attempts[] = {
        {"version", TOKLAT_VERSION, {0}, TOKLAT_ABI_VERSION},
        {"call count", TOKLAT_CALL_COUNT, {0}, TOKLAT_CALLS},
        {"UID", TOKLAT_CALL_UID, {0}, TOKLAT_UID_0},
        {"revision", TOKLAT_CALL_REVISION, {0}, TOKLAT_ABI_MAJOR},
        {"SMCCC version", SMCCC_VERSION, {0}, 0x10001},
        {"SMCCC features", SMCCC_ARCH_FEATURES, {SMCCC_VERSION}, 0},
        {"SMCCC features of none", SMCCC_ARCH_FEATURES, {0x80008000}, TOKLAT_E_NOT_SUPPORTED},
        {"PSCI features", PSCI_FEATURES, {PSCI_SYSTEM_OFF}, 0},
        {"PSCI features of none", PSCI_FEATURES, {CPU_ON_64}, TOKLAT_E_NOT_SUPPORTED},
    };

    return attempt_all(attempts, sizeof(attempts) / sizeof(attempts[0])) &&
           check(hypercall(PSCI_VERSION, 0, 0, 0, 0, 0) > 0, "PSCI version");
}

bool mode_bad_hypercall(void)
{
    bool fine = unknown_calls();

    fine &= bad_queues();
    fine &= bad_addresses();
    fine &= discovery();
    fine &= check_number((int64_t)probe_registers(), 0, "x4 to x30 preserved");
    if (fine) {
        console_printf("all refused\n");
    }
    return fine;
}

bool mode_smc(void)
{
    bool fine = check_number(probe_smc(PSCI_SYSTEM_OFF), TOKLAT_E_NOT_SUPPORTED, "smc");

    fine &= check_number(probe_smc(SMCCC_VERSION), TOKLAT_E_NOT_SUPPORTED, "smc");
    if (fine) {
        console_printf("smc: refused %d\n", TOKLAT_E_NOT_SUPPORTED);
    }
    return fine;
}
