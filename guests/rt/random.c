/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ChaCha20 (RFC 8439, section 2.3) as a generator: of each block of 64 bytes the first 32 become
 * the next key and the other 32 are handed out, then wiped.
 */
#include "guests/rt/random.h"

#include <string.h>

#include "guests/rt/hypercall.h"

#define KEY_WORDS 8
#define POOL_BYTES 32

static struct {
    uint32_t key[KEY_WORDS];
    uint8_t pool[POOL_BYTES];
    uint32_t left; /* bytes at the end of the pool that were not yet handed out */
} generator;

static uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static void quarter_round(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

/* The key changes with every block, so that counter and nonce may stay zero. */
static void chacha_block(uint32_t out[16], const uint32_t key[KEY_WORDS])
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t state[16] = {0};
    memcpy(state, constants, sizeof(constants));
    memcpy(&state[4], key, KEY_WORDS * sizeof(uint32_t));
    memcpy(out, state, sizeof(state));
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++) {
            quarter_round(out, i, 4 + i, 8 + i, 12 + i);
        }
        for (unsigned i = 0; i < 4; i++) {
            quarter_round(out, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        out[i] += state[i];
    }
}

static void refill(void)
{
    uint32_t block[16];
    chacha_block(block, generator.key);
    memcpy(generator.key, block, sizeof(generator.key));
    memcpy(generator.pool, &block[KEY_WORDS], POOL_BYTES);
    generator.left = POOL_BYTES;
}

void random_reseed(void)
{
    struct toklat_system_page *page = system_page();
    uint32_t seed[KEY_WORDS];
    memcpy(seed, page->seed, sizeof(seed));
    memset(page->seed, 0, sizeof(page->seed));
    for (unsigned i = 0; i < KEY_WORDS; i++) {
        generator.key[i] ^= seed[i];
    }
    refill();
    generator.left = 0;
}

void random_bytes(void *to, size_t length)
{
    uint8_t *out = to;
    while (length > 0) {
        if (generator.left == 0) {
            refill();
        }
        size_t part = length < generator.left ? length : generator.left;
        uint8_t *from = &generator.pool[POOL_BYTES - generator.left];
        memcpy(out, from, part);
        memset(from, 0, part);
        generator.left -= (uint32_t)part;
        out += part;
        length -= part;
    }
}

uint32_t random_u32(void)
{
    uint32_t value;
    random_bytes(&value, sizeof(value));
    return value;
}

uint64_t random_u64(void)
{
    uint64_t value;
    random_bytes(&value, sizeof(value));
    return value;
}
