/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The freestanding part of <string.h>. Copies go by words of 8 bytes, at aligned addresses only,
 * because EL2 is built for strict alignment. No byte outside the arguments is ever read.
 *
 * The compiler must not turn these loops into calls of the functions that they implement:
 * -fno-tree-loop-distribute-patterns (see el2.mk).
 */
#include "core/base/string.h"

typedef uint64_t __attribute__((may_alias)) word_t;
typedef unsigned __int128 __attribute__((may_alias, aligned(8))) pair_t; /* moved by LDP, STP */

#define WORD sizeof(word_t)
#define WORD_OFFSET(p) ((uintptr_t)(p) & (WORD - 1))

/* Below this many bytes, a byte loop is as good. */
#define WORDS_WORTH 16

typedef uint32_t __attribute__((may_alias)) half_t;

/* For a few bytes: packets lie at multiples of 4 mostly. */
static inline void copy_few(uint8_t *d, const uint8_t *s, size_t n)
{
    if ((((uintptr_t)d | (uintptr_t)s) & 3) == 0) {
        for (; n >= 4; n -= 4, d += 4, s += 4) {
            *(half_t *)d = *(const half_t *)s;
        }
    }
    while (n--) {
        *d++ = *s++;
    }
}

/* Copies n / 8 words, both sides aligned, in pairs. */
static inline size_t copy_words(uint8_t *dst, const uint8_t *src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;
    size_t left = n;
    for (; left >= 32; left -= 32, d += 32, s += 32) {
        *(pair_t *)d = *(const pair_t *)s;
        *(pair_t *)(d + 16) = *(const pair_t *)(s + 16);
    }
    for (; left >= WORD; left -= WORD, d += WORD, s += WORD) {
        *(word_t *)d = *(const word_t *)s;
    }
    return n - left;
}

/* Copies whole words to the aligned `dst` from a `src` that is `skew` bytes past alignment, by
 * merging neighbouring words (little-endian). n >= WORD. Returns the number of bytes copied. */
static inline size_t copy_skewed(uint8_t *dst, const uint8_t *src, size_t n)
{
    size_t skew = WORD_OFFSET(src);
    unsigned low = (unsigned)(8 * skew), high = (unsigned)(8 * (WORD - skew));
    word_t carry = 0;
    for (size_t i = 0; i < WORD - skew; i++) {
        carry |= (word_t)src[i] << (8 * i);
    }
    word_t *d = (word_t *)dst;
    const word_t *s = (const word_t *)(src + WORD - skew);
    size_t words = (n - (WORD - skew)) / WORD; /* that lie whole in what is left of src */
    for (size_t i = 0; i < words; i++) {
        word_t next = s[i];
        d[i] = carry | next << high;
        carry = next >> low;
    }
    return words * WORD;
}

/* Without restrict here: knowing of it, gcc 12 no longer pairs loads and stores. */
void *memcpy(void *dst, const void *src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;
    if (n >= WORDS_WORTH) {
        size_t head = (WORD - WORD_OFFSET(d)) & (WORD - 1);
        copy_few(d, s, head);
        d += head;
        s += head;
        n -= head;
        size_t done = WORD_OFFSET(s) == 0 ? copy_words(d, s, n) : copy_skewed(d, s, n);
        d += done;
        s += done;
        n -= done;
    }
    copy_few(d, s, n);
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    uint8_t *d = dst;
    const uint8_t *s = src;
    if ((uintptr_t)d - (uintptr_t)s >= n) { /* forward is safe: also when dst is below src */
        bool together = WORD_OFFSET(d) == 0 && WORD_OFFSET(s) == 0;
        size_t done = together ? copy_words(d, s, n) : 0;
        copy_few(d + done, s + done, n - done);
        return dst;
    }
    while (n--) {
        d[n] = s[n];
    }
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    uint8_t *d = dst;
    if (n >= WORDS_WORTH) {
        for (; WORD_OFFSET(d) != 0; n--) {
            *d++ = (uint8_t)c;
        }
        word_t fill = (uint8_t)c * 0x0101010101010101ull;
        pair_t wide = (pair_t)fill << 64 | fill;
        for (; n >= 128; n -= 128, d += 128) { /* a descriptor is 1 KiB */
#pragma GCC unroll 8
            for (unsigned i = 0; i < 128; i += 16) {
                *(pair_t *)(d + i) = wide;
            }
        }
        for (; n >= WORD; n -= WORD, d += WORD) {
            *(word_t *)d = fill;
        }
    }
    while (n--) {
        *d++ = (uint8_t)c;
    }
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (; n > 0; n--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}

void *memchr(const void *s, int c, size_t n)
{
    for (const uint8_t *p = s; n > 0; n--, p++) {
        if (*p == (uint8_t)c) {
            return (void *)(uintptr_t)p;
        }
    }
    return NULL;
}

size_t strlen(const char *s)
{
    const char *end = s;
    while (*end != '\0') {
        end++;
    }
    return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;
    while (n < max && s[n] != '\0') {
        n++;
    }
    return n;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++) {
        if (*a != *b || *a == '\0') {
            return (uint8_t)*a - (uint8_t)*b;
        }
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c) {
            return (char *)(uintptr_t)s;
        }
        if (*s == '\0') {
            return NULL;
        }
    }
}

char *strrchr(const char *s, int c)
{
    const char *last = NULL;
    for (;; s++) {
        if (*s == (char)c) {
            last = s;
        }
        if (*s == '\0') {
            return (char *)(uintptr_t)last;
        }
    }
}
