/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ChaCha20 (RFC 8439, section 2.3) from one machine-wide key. The key changes only at boot, while
 * entropy is added; afterwards every CPU reads it without a lock.
 *
 * Invariant: the first nonce word tells streams (0) from mixing (1), so nothing that a VM is given
 * ever was, or becomes, the key.
 */
#include "core/base/random.h"
#include "core/base/log.h"
#include "core/base/string.h"

#define BLOCK_BYTES 64
#define KEY_WORDS (RANDOM_KEY_BYTES / 4)

enum { USE_STREAM = 0, USE_MIX = 1 };

static uint32_t key[KEY_WORDS];
static uint32_t mixed; /* blocks mixed in: equal chunks do not cancel */

static inline uint32_t rotate(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static inline void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b;
    *d = rotate(*d ^ *a, 16);
    *c += *d;
    *b = rotate(*b ^ *c, 12);
    *a += *b;
    *d = rotate(*d ^ *a, 8);
    *c += *d;
    *b = rotate(*b ^ *c, 7);
}

static inline void store_le32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

void chacha20_block(const uint32_t k[8], uint32_t counter, const uint32_t nonce[3], uint8_t out[64])
{
    uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, k[0], k[1],
                          k[2],       k[3],       k[4],       k[5],       k[6], k[7],
                          counter,    nonce[0],   nonce[1],   nonce[2]};
    uint32_t x[16];
    memcpy(x, start, sizeof(x));
    for (unsigned i = 0; i < 10; i++) {
        quarter(&x[0], &x[4], &x[8], &x[12]);
        quarter(&x[1], &x[5], &x[9], &x[13]);
        quarter(&x[2], &x[6], &x[10], &x[14]);
        quarter(&x[3], &x[7], &x[11], &x[15]);
        quarter(&x[0], &x[5], &x[10], &x[15]);
        quarter(&x[1], &x[6], &x[11], &x[12]);
        quarter(&x[2], &x[7], &x[8], &x[13]);
        quarter(&x[3], &x[4], &x[9], &x[14]);
    }
    for (unsigned i = 0; i < 16; i++) {
        store_le32(out + 4 * i, x[i] + start[i]);
    }
}

/* The key becomes a one-way function of itself and one chunk. */
static void mix(const uint8_t *chunk, size_t n)
{
    uint8_t block[BLOCK_BYTES] = {0};
    memcpy(block, chunk, n);
    for (unsigned i = 0; i < KEY_WORDS; i++) {
        key[i] ^= (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
                  (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
    }
    uint32_t nonce[3] = {USE_MIX, (uint32_t)n, 0};
    chacha20_block(key, mixed++, nonce, block);
    memcpy(key, block, sizeof(key));
    memset(block, 0, sizeof(block));
}

BOOT void random_add_entropy(const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n > 0) {
        size_t chunk = MIN(n, sizeof(key));
        mix(p, chunk);
        p += chunk;
        n -= chunk;
    }
}

void random_stream(uint64_t nonce, uint32_t counter, void *out, size_t n)
{
    CHECK(n <= BLOCK_BYTES);
    uint8_t block[BLOCK_BYTES];
    uint32_t words[3] = {USE_STREAM, (uint32_t)nonce, (uint32_t)(nonce >> 32)};
    chacha20_block(key, counter, words, block);
    memcpy(out, block, n);
    memset(block, 0, sizeof(block));
}
