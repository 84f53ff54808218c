/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What coding a page takes, in bytes and in EL2's instructions: EL2's own objects on a bare machine
 * under -icount shift=0, where the counter ticks with instructions. measure.py puts the pages
 * into memory and reads a line for each:
 *
 *   NAME DELTA LZ4 delta-encode delta-decode lz4-encode lz4-decode CODING BYTES encode decode
 *   checksum
 */
#include "core/base/crc32c.h"
#include "core/base/log.h"
#include "mm/codec.c"

#define SAMPLES 0x48000000ull
#define INSTRUCTIONS_PER_TICK 16 /* of 62.5 MHz */
#define REPEATS 64
#define SYS_WRITE0 4 /* of semihosting */

struct sample {
    char name[PAGE_SIZE]; /* "": there are no more */
    uint8_t page[PAGE_SIZE], base[PAGE_SIZE];
};

uint64_t semihost(const void *argument, uint64_t operation);
void bench_main(void);

static const struct sample *sample;
static uint64_t coded[WORDS], back[WORDS] __attribute__((aligned(PAGE_SIZE)));
static uint32_t length;
static enum store_coding coding;
static enum err result;

unsigned cpu_index(void)
{
    return 0;
}

static uint64_t ticks(void)
{
    uint64_t t;
    __asm__ volatile("isb\n mrs %0, cntpct_el0" : "=r"(t)::"memory");
    return t;
}

static void delta_in(void)
{
    length = delta_encode((const word_t *)sample->page, (const word_t *)sample->base, coded);
}

static void delta_out(void)
{
    result = delta_decode(coded, length, sample->base, back);
}

static void lz4_in(void)
{
    length = lz4_encode(sample->page, coded, PAGE_SIZE + LZ4_SAVES);
}

static void lz4_out(void)
{
    result = lz4_decode(coded, length, back);
}

static void codec_in(void)
{
    length = codec_encode(sample->page, sample->base, coded, &coding);
}

static void codec_out(void)
{
    result = codec_decode(coded, length, coding, sample->base, back);
}

static void sum(void)
{
    length = checksum(0, sample->page, PAGE_SIZE);
}

static unsigned count(void (*work)(void))
{
    uint64_t begun = ticks();
    for (unsigned i = 0; i < REPEATS; i++) {
        work();
    }
    return (unsigned)((ticks() - begun) * INSTRUCTIONS_PER_TICK / REPEATS);
}

static unsigned count_decode(void (*work)(void))
{
    unsigned n = count(work);
    return result == OK && memcmp(back, sample->page, PAGE_SIZE) == 0 ? n : 0;
}

/* The instructions, against software, at every alignment. */
static bool checksums_agree(void)
{
    for (size_t at = 0; at < 16; at++) {
        for (size_t n = 0; n < 200; n++) {
            const uint8_t *p = sample->page + at;
            if (checksum((uint32_t)n, p, n) != crc32c((uint32_t)n, p, n)) {
                return false;
            }
        }
    }
    return true;
}

static void measure(void)
{
    unsigned cost[6];
    cost[0] = count(delta_in);
    unsigned delta = length;
    cost[1] = delta < PAGE_SIZE ? count_decode(delta_out) : 0;
    cost[2] = count(lz4_in);
    unsigned lz4 = length;
    cost[3] = lz4 ? count_decode(lz4_out) : 0;
    cost[4] = count(codec_in);
    unsigned bytes = length;
    cost[5] = count_decode(codec_out);
    char line[200];
    fmt_snprintf(line, sizeof(line), "%s %u %u %u %u %u %u %u %u %u %u %u\n", sample->name, delta,
                 lz4, cost[0], cost[1], cost[2], cost[3], (unsigned)coding, bytes, cost[4], cost[5],
                 count(sum));
    semihost(line, SYS_WRITE0);
}

void bench_main(void)
{
    for (sample = (const struct sample *)SAMPLES; sample->name[0]; sample++) {
        if (!checksums_agree()) {
            semihost("checksum() and crc32c() differ\n", SYS_WRITE0);
            return;
        }
        measure();
    }
}
