/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages as a store keeps them. Most pages of a clone differ in few words from those of its
 * template, so groups of equal words are passed over first, eight at a time.
 *
 * Nothing is written outside the PAGE_SIZE bytes of `out` or `page`, whatever is coded.
 */
#include "mm/codec.h"
#include "arch/cpu.h"
#include "arch/memory.h"
#include "core/base/string.h"
#include "mm/lz4.h"

typedef uint64_t __attribute__((may_alias)) word_t;

#define WORD sizeof(word_t)
#define WORDS (PAGE_SIZE / WORD)
#define GROUP (PAGE_GROUP_BYTES / WORD) /* a byte of the bitmap */
#define BITMAP_WORDS (WORDS / 64)

/* Measured (docs/store-codec.md): LZ4 is tried when a delta takes more bytes than LZ4_WORTH, and
 * kept when it takes LZ4_SAVES less. */
#define LZ4_WORTH 1024
#define LZ4_SAVES 512

static word_t zeroes[WORDS]; /* never written: not const, so that no image holds it */

/* Writes a group's words and keeps those that differ. Returns their bits. */
static inline uint8_t pick(const word_t *a, const word_t *b, word_t **out)
{
    word_t *w = *out;
    size_t bits = 0;
#pragma GCC unroll 8
    for (size_t i = 0; i < GROUP; i++) {
        size_t differs = a[i] != b[i];
        *w = a[i];
        w += differs;
        bits |= differs << i;
    }
    *out = w;
    return (uint8_t)bits;
}

/* Returns the length; PAGE_SIZE when there was no room for a group more. */
static uint32_t delta_encode(const word_t *page, const word_t *base, word_t *out)
{
    uint8_t *bitmap = memset(out, 0, BITMAP_WORDS * WORD);
    word_t *w = out + BITMAP_WORDS;
    for (size_t at = 0; (at = page_differs(page, base, at)) < PAGE_SIZE; at += PAGE_GROUP_BYTES) {
        if (w > out + WORDS - GROUP) {
            return PAGE_SIZE;
        }
        size_t i = at / WORD;
        bitmap[i / GROUP] = pick(page + i, base + i, &w);
    }
    return (uint32_t)((size_t)(w - out) * WORD);
}

static enum err delta_decode(const word_t *in, uint32_t bytes, const void *base, word_t *page)
{
    const word_t *w = in + BITMAP_WORDS, *end = in + bytes / WORD;
    if (bytes < BITMAP_WORDS * WORD) {
        return ERR_INVALID;
    }
    if (base) {
        page_copy(page, base);
    } else {
        page_zero(page);
    }
    for (unsigned i = 0; i < BITMAP_WORDS; i++, page += 64) {
        for (uint64_t bits = in[i]; bits; bits &= bits - 1) {
            if (w == end) {
                return ERR_INVALID;
            }
            page[__builtin_ctzll(bits)] = *w++;
        }
    }
    return w == end ? OK : ERR_INVALID;
}

/* Returns the length, less than `limit` by LZ4_SAVES or more; 0 when that is not reached. */
static uint32_t lz4_encode(const void *page, word_t *out, uint32_t limit)
{
    static LZ4_stream_t work[CPUS_MAX];
    int n = LZ4_compress_fast_extState(&work[cpu_index()], page, (char *)(out + 1), PAGE_SIZE,
                                       (int)(limit - LZ4_SAVES - WORD), 1);
    if (n <= 0) {
        return 0;
    }
    out[0] = (unsigned)n;
    uint32_t bytes = (uint32_t)ALIGN_UP((size_t)n, WORD);
    memset((uint8_t *)(out + 1) + n, 0, bytes - (uint32_t)n);
    return bytes + (uint32_t)WORD;
}

static enum err lz4_decode(const word_t *in, uint32_t bytes, void *page)
{
    uint64_t n = in[0];
    if (n >= bytes || ALIGN_UP(n, WORD) + WORD != bytes) {
        return ERR_INVALID;
    }
    int got = LZ4_decompress_safe((const char *)(in + 1), page, (int)n, PAGE_SIZE);
    return got == (int)PAGE_SIZE ? OK : ERR_INVALID;
}

uint32_t codec_encode(const void *page, const void *base, void *out, enum store_coding *coding)
{
    const void *from = base ? base : zeroes;
    uint32_t bytes = delta_encode(page, from, out);
    if (bytes > LZ4_WORTH) {
        uint32_t packed = lz4_encode(page, out, bytes);
        if (packed) {
            *coding = STORE_LZ4;
            return packed;
        }
        bytes = delta_encode(page, from, out);
    }
    *coding = STORE_DELTA;
    if (bytes == PAGE_SIZE) {
        memcpy(out, page, PAGE_SIZE);
        *coding = STORE_RAW;
    }
    return bytes;
}

enum err codec_decode(const void *in, uint32_t bytes, enum store_coding coding, const void *base,
                      void *page)
{
    if (bytes == 0 || bytes > PAGE_SIZE || bytes % WORD != 0) {
        return ERR_INVALID;
    }
    if (coding == STORE_DELTA) {
        return delta_decode(in, bytes, base, page);
    }
    if (coding == STORE_LZ4) {
        return lz4_decode(in, bytes, page);
    }
    if (coding != STORE_RAW || bytes != PAGE_SIZE) {
        return ERR_INVALID;
    }
    memcpy(page, in, PAGE_SIZE);
    return OK;
}
