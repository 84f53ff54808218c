/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest with large zero memory (TOKLAT_IMAGE_LARGE): reads and writes all of it, gives some of it
 * back, and looks whether what it wrote is what it finds.
 */
#include <stdbool.h>

#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/memory.h"

#define MEMORY (32 * 1024 * 1024)
#define STACK 8192
#define BLOCK (2 * 1024 * 1024)
#define FIRST BLOCK               /* the first whole block */
#define LAST (MEMORY - 2 * BLOCK) /* the heap ends within the last */
#define STEP 512

TOKLAT_IMAGE(MEMORY, STACK, TOKLAT_IMAGE_LARGE);

static volatile uint64_t *word(uint64_t address)
{
    return (volatile uint64_t *)address;
}

/* Whether every word that is looked at holds `scale` times its address. */
static bool holds(uint64_t from, uint64_t to, uint64_t scale)
{
    for (uint64_t at = from; at < to; at += STEP) {
        if (*word(at) != at * scale) {
            console_printf("FAIL large: %lx holds %lx\n", at, *word(at));
            return false;
        }
    }
    return true;
}

static void fill(uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += STEP) {
        *word(at) = at;
    }
}

int guest_main(void)
{
    bool fine = holds(FIRST, LAST, 0);

    fill(FIRST, LAST);
    fine = fine && holds(FIRST, LAST, 1);
    idle(0);
    console_printf("large: holds %u pages and %u tables\n", system_page()->private_pages,
                   system_page()->table_pages);
    uint64_t hole = FIRST + BLOCK + 5 * TOKLAT_PAGE_BYTES;
    int64_t released = page_release((void *)hole, 3);
    fine = fine && released >= 0 && holds(hole, hole + 3 * TOKLAT_PAGE_BYTES, 0);
    fine = fine && holds(FIRST, hole, 1) && holds(hole + 3 * TOKLAT_PAGE_BYTES, LAST, 1);
    console_printf("%s large: released %ld\n", fine ? "PASS" : "FAIL", released);
    return fine ? 0 : 1;
}
