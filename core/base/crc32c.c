/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRC32C by tables, eight bytes a step. They are filled when they are first needed: whoever does so
 * at the same time writes the same.
 */
#include "core/base/crc32c.h"

#define POLYNOMIAL 0x82F63B78u /* reflected */
#define STEP 8

static uint32_t table[STEP][256]; /* [k][b]: of the byte b and k bytes of zero after it */
static bool filled;

static void fill(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (unsigned bit = 0; bit < STEP * 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
            if (bit % 8 == 7) {
                __atomic_store_n(&table[bit / 8][byte], crc, __ATOMIC_RELAXED);
            }
        }
    }
    __atomic_store_n(&filled, true, __ATOMIC_RELEASE); /* with crc32c's acquire */
}

uint32_t crc32c(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;
    if (!__atomic_load_n(&filled, __ATOMIC_ACQUIRE)) { /* with fill's release */
        fill();
    }
    crc = ~crc;
    for (; n >= STEP; n -= STEP, p += STEP) {
        uint32_t next = 0;
#pragma GCC unroll 8
        for (unsigned i = 0; i < STEP; i++) {
            uint32_t before = i < 4 ? crc >> 8 * i : 0;
            next ^= table[STEP - 1 - i][(before ^ p[i]) & 0xFF];
        }
        crc = next;
    }
    while (n--) {
        crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xFF];
    }
    return ~crc;
}
