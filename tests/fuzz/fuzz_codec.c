/* SPDX-License-Identifier: BSD-2-Clause */
// sources: mm/codec.c arch/host/memory.c arch/host/cpu.c
/*
 * Decodes anything: nothing is written outside the page, and what is accepted depends on the input
 * and the base alone, so that nothing of a page's earlier owner shows through. Then codes what came
 * of it, which must come back.
 *
 *   input = how (bit 0: a base; bits 1-3: the coding), 7 bytes that are not looked at, coded bytes
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/host/host.h"
#include "arch/memory.h"
#include "mm/codec.h"

#define HEAD 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static uint8_t *page_at(unsigned i)
{
    return arch_ptr(PA(HOST_RAM_BASE + i * PAGE_SIZE));
}

static bool all_bytes_are(const uint8_t *page, uint8_t fill)
{
    return page[0] == fill && memcmp(page, page + 1, PAGE_SIZE - 1) == 0;
}

/* Into a page that was full of `fill`, between two that are not written to. */
static enum err decode(const uint64_t *in, size_t n, enum store_coding coding, const void *base,
                       uint8_t *page, uint8_t fill)
{
    memset(page - PAGE_SIZE, fill, 3 * PAGE_SIZE);
    enum err e = codec_decode(in, (uint32_t)n, coding, base, page);
    must(all_bytes_are(page - PAGE_SIZE, fill) && all_bytes_are(page + PAGE_SIZE, fill));
    return e;
}

static void round_trip(const uint8_t *page, const void *base)
{
    static uint64_t out[PAGE_SIZE / 8 + 1];
    enum store_coding coding;
    out[PAGE_SIZE / 8] = 0xEEEEEEEEEEEEEEEE;
    uint32_t n = codec_encode(page, base, out, &coding);
    must(n >= 8 && n <= PAGE_SIZE && n % 8 == 0 && out[PAGE_SIZE / 8] == 0xEEEEEEEEEEEEEEEE);
    uint8_t *back = page_at(8);
    must(decode(out, n, coding, base, back, 0x33) == OK);
    must(memcmp(back, page, PAGE_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD) {
        return 0;
    }
    size_t n = size - HEAD;
    uint8_t *base = page_at(0), *page = page_at(2), *again = page_at(5);
    memset(base, 0xB5, PAGE_SIZE);
    memcpy(base, data + HEAD, MIN(n, PAGE_SIZE / 2));
    const void *against = data[0] & 1 ? base : NULL;
    enum store_coding coding = (enum store_coding)(data[0] >> 1 & 7);

    uint64_t *in = malloc(MAX(n, (size_t)1)); /* the sanitizer sees what is read beyond */
    memcpy(in, data + HEAD, n);
    enum err e = decode(in, n, coding, against, page, 0x11);
    must(e == OK || e == ERR_INVALID);
    must(decode(in, n, coding, against, again, 0x22) == e);
    if (e == OK) {
        must(memcmp(page, again, PAGE_SIZE) == 0);
    } else { /* any bytes are a page */
        memset(page, 0, PAGE_SIZE);
        memcpy(page, in, MIN(n, PAGE_SIZE));
    }
    free(in);
    round_trip(page, base);
    round_trip(page, NULL);
    return 0;
}
