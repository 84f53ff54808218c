/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random number generators of the Raspberry Pi. Both begin with numbers that are no good: the
 * BCM2835's is told how many to drop, the RNG200 has drawn enough when it has counted so many bits.
 *
 * There is no manual: registers are as the kernels of Linux and NetBSD have them.
 */
#include "dev/drivers/rng.h"

#include "arch/time.h"
#include "core/base/string.h"
#include "dev/drivers/mmio.h"

#define BCM2835_CONTROL 0x0
#define BCM2835_STATUS 0x4 /* words that are there, above bit 24; what is dropped, written */
#define BCM2835_DATA 0x8
#define BCM2835_DROPPED 0x40000u

#define RNG200_CONTROL 0x00
#define RNG200_BITS 0x0C
#define RNG200_DATA 0x20
#define RNG200_COUNT 0x24
#define RNG200_BITS_MIN 16u

#define WAIT_NS NS_PER_S

static bool bcm2835_has_word(uintptr_t base)
{
    return mmio_read32(base + BCM2835_STATUS) >> 24;
}

static bool rng200_has_word(uintptr_t base)
{
    return mmio_read32(base + RNG200_BITS) > RNG200_BITS_MIN &&
           mmio_read32(base + RNG200_COUNT) & 0xFF;
}

static size_t take(uintptr_t base, uintptr_t data, bool (*has_word)(uintptr_t base), uint8_t *out,
                   size_t n)
{
    size_t done = 0;
    uint64_t end = counter_now() + ticks_from_ns(WAIT_NS);
    while (n - done >= sizeof(uint32_t) && counter_now() < end) {
        if (has_word(base)) {
            uint32_t word = mmio_read32(data);
            memcpy(out + done, &word, sizeof(word));
            done += sizeof(word);
        }
    }
    return done;
}

size_t rng_bcm2835_read(uintptr_t base, void *out, size_t n)
{
    mmio_write32(base + BCM2835_STATUS, BCM2835_DROPPED);
    mmio_write32(base + BCM2835_CONTROL, 1);
    return take(base, base + BCM2835_DATA, bcm2835_has_word, out, n);
}

size_t rng_200_read(uintptr_t base, void *out, size_t n)
{
    mmio_write32(base + RNG200_CONTROL, 1);
    return take(base, base + RNG200_DATA, rng200_has_word, out, n);
}
