/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random numbers: ChaCha20 keyed from the system page's seed, with its key replaced after every
 * block, so that what was given out cannot be computed from the memory of later.
 */
#ifndef GUESTS_RT_RANDOM_H
#define GUESTS_RT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Takes the seed of this generation out of the system page, mixes it in and wipes it there. Call
 * once at start and after each TOKLAT_EVENT_RESUMED. Before the first seed (a template has none)
 * the numbers are the same in every VM and must not be used as secrets. */
void random_reseed(void);

void random_bytes(void *to, size_t length);
uint32_t random_u32(void);
uint64_t random_u64(void);

#endif
