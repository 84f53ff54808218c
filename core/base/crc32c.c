/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRC32C by a table of bytes, which is filled when it is first needed: whoever fills it at the same
 * time writes the same.
 */
#include "core/base/crc32c.h"

#define POLYNOMIAL 0x82F63B78u /* reflected */

static uint32_t table[256];

static void fill(void)
{
    for (uint32_t i = 255; i > 0; i--) { /* table[1] last: it says that all are there */
        uint32_t crc = i;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        }
        __atomic_store_n(&table[i], crc, __ATOMIC_RELEASE);
    }
}

uint32_t crc32c(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;
    if (__atomic_load_n(&table[1], __ATOMIC_ACQUIRE) == 0) {
        fill();
    }
    crc = ~crc;
    while (n--) {
        crc = crc >> 8 ^ table[(crc ^ *p++) & 0xFF];
    }
    return ~crc;
}
