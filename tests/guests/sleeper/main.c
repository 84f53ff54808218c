/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Has eight pages of its own - its system page and seven of data - in each of which a few
 * words change every time that it wakes; then sleeps for as many milliseconds as its arguments say.
 * Ends with status 1 should a word not be what it left there.
 */
#include <stdint.h>
#include <stdlib.h>

#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/time.h"

#define PAGES 7
#define WORDS 16 /* that change in each */
#define STEP (4096 / sizeof(uint64_t) / WORDS)

TOKLAT_IMAGE(128 * 1024, 4096, TOKLAT_IMAGE_CHECKPOINT);

static uint64_t data[PAGES][4096 / sizeof(uint64_t)] __attribute__((aligned(4096)));

static bool work(uint64_t round)
{
    for (unsigned page = 0; page < PAGES; page++) {
        for (unsigned i = 0; i < WORDS; i++) {
            uint64_t *word = &data[page][i * STEP];
            if (*word != round + page + 1) {
                return false;
            }
            *word = round + page + 2;
        }
    }
    return true;
}

int guest_main(void)
{
    for (unsigned page = 0; page < PAGES; page++) {
        for (unsigned i = 0; i < WORDS; i++) {
            data[page][i * STEP] = page + 1;
        }
    }
    checkpoint();
    uint64_t sleep_ns = (unsigned)atoi(system_page()->args) * NS_PER_MS;
    for (uint64_t round = 0; work(round); round++) {
        idle(sleep_ns);
    }
    return 1;
}
