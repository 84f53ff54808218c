/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest with translation of its own (TOKLAT_IMAGE_MMU), cloned. With "args" "before" it makes its
 * checkpoint before it turns its MMU on, with "after" afterwards; a clone then has tables,
 * registers and a window that work at once. Each instance lays the window on a page of its own,
 * takes faults of stage 1 in its own vector, and looks at its memory through both addresses while
 * others run.
 */
#include <string.h>

#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "tests/guests/mmu/stage1.h"

#define MEMORY (1024 * 1024)
#define STACK 8192
#define PAGES 4
#define WORDS (TOKLAT_PAGE_BYTES / 8)
#define ROUNDS 100
#define INHERITED 0x1D1D1D1Dull
#define ESR_EC_INSTRUCTION_ABORT 0x21
#define ESR_EC_DATA_ABORT 0x25

TOKLAT_IMAGE(MEMORY, STACK, TOKLAT_IMAGE_CHECKPOINT | TOKLAT_IMAGE_MMU);

static volatile uint64_t pages[PAGES][WORDS] __attribute__((aligned(4096)));
static volatile uint64_t *const window = (volatile uint64_t *)WINDOW;

static bool expect(uint64_t is, uint64_t should_be, const char *what)
{
    if (is != should_be) {
        console_printf("FAIL %s: %lx, not %lx\n", what, is, should_be);
    }
    return is == should_be;
}

static bool faults_are_its_own(void)
{
    uint64_t before = aborts;

    (void)*(volatile uint64_t *)NOWHERE;
    bool fine = expect(aborts, before + 1, "faults taken");
    fine &= expect(abort_esr >> 26, ESR_EC_DATA_ABORT, "ESR_EL1.EC");
    return expect(abort_far, NOWHERE, "FAR_EL1") && fine;
}

/* The walk for a fetch reads a table that stage 2 has to bring first: memory like any other. */
static bool fetch_finds_its_tables(void)
{
    uint64_t before = aborts;

    ((void (*)(void))UNTOUCHED)();
    bool fine = expect(aborts, before + 1, "faults of fetches taken");
    fine &= expect(abort_esr >> 26, ESR_EC_INSTRUCTION_ABORT, "ESR_EL1.EC of a fetch");
    return expect(abort_far, UNTOUCHED, "FAR_EL1 of a fetch") && fine;
}

/* Written through the window, read at the page's own address, and the other way round. */
static bool watch(unsigned page, uint64_t seed)
{
    volatile uint64_t *own = pages[page];
    bool fine = true;

    stage1_move_window(pages[page]);
    for (unsigned i = 0; i < WORDS; i += 8) {
        window[i] = seed + i;
    }
    idle(0);
    for (unsigned i = 0; i < WORDS; i += 8) {
        fine &= own[i] == seed + i && window[i] == seed + i;
        own[i + 1] = ~seed;
    }
    idle(0);
    for (unsigned i = 0; i < WORDS; i += 8) {
        fine &= window[i + 1] == ~seed;
    }
    return fine;
}

static bool inherited_state_works(void)
{
    bool fine = expect(stage1_is_on(), true, "SCTLR_EL1.M of a clone");

    fine &= expect(window[3], INHERITED, "the window of a clone");
    window[3] = system_page()->instance;
    return expect(pages[0][3], system_page()->instance, "a copied page at its own address") && fine;
}

int guest_main(void)
{
    bool after = strcmp(system_page()->args, "after") == 0;

    stage1_vectors();
    if (after) {
        stage1_build(MEMORY, pages[0]);
        stage1_on();
        window[3] = INHERITED;
    }
    uint64_t instance = (uint64_t)checkpoint();
    bool fine = true;
    if (after) {
        fine = inherited_state_works();
    } else {
        stage1_build(MEMORY, pages[0]);
        stage1_on();
    }
    fine &= fetch_finds_its_tables();
    for (unsigned i = 0; i < ROUNDS && fine; i++) {
        unsigned page = (unsigned)(instance + i) % PAGES;
        fine = expect(watch(page, instance << 32 | i), true, "memory") && faults_are_its_own();
    }
    console_printf("%s mmu\n", fine ? "PASS" : "FAIL");
    return 0;
}
