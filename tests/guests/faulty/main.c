/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that does wrong, or watches whether wrong is done to it, as its "args" say: one of the
 * modes below, or "selftest" for all that it survives by itself.
 *
 * Says "PASS mode" or "FAIL mode" when a mode survives and was meant to; a mode that was meant to
 * end the VM says "FAIL mode: still alive". "exit" ends with status 7.
 */
#include <stddef.h>
#include <string.h>

#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "tests/guests/faulty/modes.h"

#define EXIT_STATUS 7
#define WILD_RING "wild-ring"

TOKLAT_IMAGE(1024 * 1024, 8192, 0);

struct survivor {
    const char *name;
    bool (*run)(void);
};

static const struct survivor survivors[] = {
    {"bad-hypercall", mode_bad_hypercall}, {"smc", mode_smc},
    {"odd-frames", mode_odd_frames},       {"fp", mode_fp},
    {"vtime", mode_virtual_time},          {"events", mode_events},
    {"page-release", mode_page_release},   {"flood-console", mode_flood_console},
};

/* Those that need others, or do not end. */
static const struct survivor with_others[] = {
    {"listen", mode_listen},
    {"spoof", mode_spoof},
    {"mute", mode_mute},
    {"loud", mode_loud},
    {"flood-for-ever", mode_flood_for_ever},
};

static const struct {
    const char *name;
    void (*run)(void);
} endings[] = {
    {"write-outside", mode_write_outside},
    {"read-outside", mode_read_outside},
    {"far-address", mode_far_address},
    {"gap", mode_gap},
    {"write-text", mode_write_text},
    {"write-rodata", mode_write_rodata},
    {"execute-data", mode_execute_data},
    {"null-jump", mode_null_jump},
    {"stack-overflow", mode_stack_overflow},
    {"setway", mode_set_way},
    {"sysreg", mode_sysreg},
    {"debug-register", mode_debug_register},
    {"physical-timer", mode_physical_timer},
    {"spin", mode_spin},
};

bool check(bool holds, const char *what)
{
    if (!holds) {
        console_printf("FAIL %s\n", what);
    }
    return holds;
}

bool check_number(int64_t is, int64_t should_be, const char *what)
{
    if (is != should_be) {
        console_printf("FAIL %s: %ld, not %ld\n", what, is, should_be);
    }
    return is == should_be;
}

static bool survive_one(const struct survivor *s)
{
    bool passed = s->run();

    console_printf("%s %s\n", passed ? "PASS" : "FAIL", s->name);
    return passed;
}

static bool survive(const char *mode)
{
    bool all = strcmp(mode, "selftest") == 0;
    bool known = all, fine = true;

    for (size_t i = 0; i < sizeof(survivors) / sizeof(survivors[0]); i++) {
        if (all || strcmp(mode, survivors[i].name) == 0) {
            fine &= survive_one(&survivors[i]);
            known = true;
        }
    }
    for (size_t i = 0; i < sizeof(with_others) / sizeof(with_others[0]); i++) {
        if (strcmp(mode, with_others[i].name) == 0) {
            return survive_one(&with_others[i]);
        }
    }
    return known && fine;
}

static void end(const char *mode)
{
    if (strncmp(mode, WILD_RING, strlen(WILD_RING)) == 0) {
        mode_wild_ring(mode + strlen(WILD_RING));
        console_printf("FAIL %s: still alive\n", mode);
    }
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (strcmp(mode, endings[i].name) == 0) {
            endings[i].run();
            console_printf("FAIL %s: still alive\n", mode);
        }
    }
}

int guest_main(void)
{
    const char *mode = system_page()->args;

    if (strcmp(mode, "exit") == 0) {
        return EXIT_STATUS;
    }
    if (strcmp(mode, "heap-exhaust") == 0) {
        mode_heap_exhaust();
        return 0;
    }
    end(mode);
    return survive(mode) ? 0 : 1;
}
