/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest whose clones watch over what is their own and what is their template's.
 *
 *   "pattern"  fills memory, yields and looks at it, for ever; says PASS after a while
 *   "grow"     fills page after page, slowly and without ever idling, and looks at all of them;
 *              says PASS and idles
 *   "reset"    says who it is in this life and begins another by PSCI, until a generation that 3
 *              divides; then ends by PSCI
 */
#include <string.h>

#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"

#define PAGES 3
#define WORDS (TOKLAT_PAGE_BYTES / 8)
#define STEP 64
#define GROWN 64
#define PAUSE 400000 /* rounds between two pages */
#define ROUNDS 60
#define INHERITED 0x7E3A7E3A7E3Aull
#define LIVES_APART 3

TOKLAT_IMAGE(512 * 1024, 4096, TOKLAT_IMAGE_CHECKPOINT);

static volatile uint64_t own[PAGES * WORDS] __attribute__((aligned(4096)));
static volatile uint64_t grown[GROWN][WORDS] __attribute__((aligned(4096)));
static volatile uint64_t inherited[WORDS] __attribute__((aligned(4096)));

static bool holds(const volatile uint64_t *words, unsigned count, uint64_t value)
{
    for (unsigned i = 0; i < count; i += STEP) {
        if (words[i] != value) {
            console_printf("FAIL word %u is %lx, not %lx\n", i, words[i], value);
            return false;
        }
    }
    return true;
}

static void fill(volatile uint64_t *words, unsigned count, uint64_t value)
{
    for (unsigned i = 0; i < count; i += STEP) {
        words[i] = value;
    }
}

static int watch_memory(void)
{
    uint64_t value = (uint64_t)system_page()->vm_number << 32;

    for (uint64_t n = 1;; n++) {
        fill(own, PAGES * WORDS, value + n);
        idle(0);
        if (!holds(own, PAGES * WORDS, value + n) || !holds(inherited, WORDS, INHERITED)) {
            return 1;
        }
        if (n == ROUNDS) {
            console_printf("PASS pattern\n");
        }
    }
}

static int grow(void)
{
    for (unsigned n = 0; n < GROWN; n++) {
        fill(grown[n], WORDS, system_page()->vm_number + n);
        for (volatile unsigned i = 0; i < PAUSE; i++) {
        }
        for (unsigned k = 0; k <= n; k++) {
            if (!holds(grown[k], WORDS, system_page()->vm_number + k)) {
                return 1;
            }
        }
    }
    console_printf("PASS grow\n");
    for (;;) {
        idle(TOKLAT_IDLE_FOREVER);
    }
}

static int live_again(void)
{
    const struct toklat_system_page *page = system_page();
    uint64_t seed;

    memcpy(&seed, page->seed, sizeof(seed));
    bool fine = holds(own, PAGES * WORDS, 0) && holds(inherited, WORDS, INHERITED);
    fill(own, PAGES * WORDS, seed);
    fill(inherited, WORDS, seed);
    console_printf("%s life: generation %lu seed %lx events %lx\n", fine ? "PASS" : "FAIL",
                   page->generation, seed, idle(0));
    bool last = page->generation % LIVES_APART == 0;
    hypercall(last ? PSCI_SYSTEM_OFF : PSCI_SYSTEM_RESET, 0, 0, 0, 0, 0);
    console_printf("FAIL still alive\n");
    return 1;
}

int guest_main(void)
{
    fill(inherited, WORDS, INHERITED);
    checkpoint();
    if (strcmp(system_page()->args, "grow") == 0) {
        return grow();
    }
    return strcmp(system_page()->args, "reset") == 0 ? live_again() : watch_memory();
}
