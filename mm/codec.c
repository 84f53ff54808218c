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
typedef unsigned __int128 __attribute__((may_alias, aligned(8))) pair_t; /* moved by LDP, STP */

#define WORD sizeof(word_t)
#define WORDS (PAGE_SIZE / WORD)
#define GROUP (PAGE_GROUP_BYTES / WORD) /* a byte of the bitmap */
#define BITMAP_WORDS (WORDS / 64)

/* Measured (docs/store-codec.md): LZ4 is tried when a delta takes more bytes than LZ4_WORTH, and
 * kept when it takes LZ4_SAVES less. */
#define LZ4_WORTH (64 + PAGE_SIZE / 2)
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
    size_t at = page_differs(page, base, 0);
    while (at < PAGE_SIZE) {
        if (w > out + WORDS - GROUP) {
            return PAGE_SIZE;
        }
        size_t i = at / WORD;
        uint8_t bits = pick(page + i, base + i, &w);
        bitmap[i / GROUP] = bits;
        at += PAGE_GROUP_BYTES;
        if (!bits) { /* groups that differ lie together, so each is tried after one that did */
            at = page_differs(page, base, at);
        }
    }
    return (uint32_t)((size_t)(w - out) * WORD);
}

/* Copies to `page` what one word of the bitmap wants, run by run: words that differ lie together.
 * Returns where the next are; NULL: there are not so many. */
static const word_t *put(word_t *page, uint64_t bits, const word_t *w, const word_t *end)
{
    while (bits) {
        uint64_t after = bits + (bits & -bits); /* the lowest run is 0 and the bit after it 1 */
        unsigned i = (unsigned)__builtin_ctzll(bits);
        unsigned stop = after ? (unsigned)__builtin_ctzll(after) : 64;
        if (stop - i > (size_t)(end - w)) {
            return NULL;
        }
        for (; i + 2 <= stop; i += 2, w += 2) {
            *(pair_t *)(page + i) = *(const pair_t *)w;
        }
        if (i < stop) {
            page[i] = *w++;
        }
        bits &= after;
    }
    return w;
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
    for (unsigned i = 0; w && i < BITMAP_WORDS; i++) {
        w = put(page + i * 64, in[i], w, end);
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
        if (bytes < PAGE_SIZE) {
            delta_encode(page, from, out); /* again: the attempt lies over it */
        }
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
