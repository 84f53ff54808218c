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

static bool has_word(enum rng_kind kind, uintptr_t base)
{
    if (kind == RNG_BCM2835) {
        return mmio_read32(base + BCM2835_STATUS) >> 24;
    }
    return mmio_read32(base + RNG200_BITS) > RNG200_BITS_MIN &&
           mmio_read32(base + RNG200_COUNT) & 0xFF;
}

static void turn_on(enum rng_kind kind, uintptr_t base)
{
    if (kind == RNG_BCM2835) {
        mmio_write32(base + BCM2835_STATUS, BCM2835_DROPPED);
        mmio_write32(base + BCM2835_CONTROL, 1);
    } else {
        mmio_write32(base + RNG200_CONTROL, 1);
    }
}

size_t rng_read(enum rng_kind kind, uintptr_t base, void *out, size_t n)
{
    size_t done = 0;
    uintptr_t data = base + (kind == RNG_BCM2835 ? BCM2835_DATA : RNG200_DATA);
    uint64_t end = counter_now() + ticks_from_ns(WAIT_NS);
    turn_on(kind, base);
    while (n - done >= sizeof(uint32_t) && counter_now() < end) {
        if (has_word(kind, base)) {
            uint32_t word = mmio_read32(data);
            memcpy((uint8_t *)out + done, &word, sizeof(word));
            done += sizeof(word);
        }
    }
    return done;
}
