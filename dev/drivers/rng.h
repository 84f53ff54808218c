/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random number generators of the Raspberry Pi, read once at boot: the BCM2835's, and the RNG200 of
 * the BCM2711.
 */
#ifndef DEV_DRIVERS_RNG_H
#define DEV_DRIVERS_RNG_H

#include "core/base/types.h"

#define RNG_BCM2835_COMPATIBLE "brcm,bcm2835-rng"
#define RNG_200_COMPATIBLE "brcm,bcm2711-rng200"

enum rng_kind { RNG_BCM2835, RNG_200 };

/* Turns the generator on and takes up to `n` bytes, whole words; returns how many it gave within a
 * second. */
size_t rng_read(enum rng_kind kind, uintptr_t base, void *out, size_t n);

#endif
