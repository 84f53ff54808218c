/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding the machine's devices in its device tree.
 */
#ifndef CORE_DEVICES_H
#define CORE_DEVICES_H

#include "arch/machine.h"
#include "mm/block.h"

/* The hypervisor's console: /chosen/stdout-path, or the first UART that EL2 has a driver for. From
 * here on the log is seen. Works with the MMU off. False: there is none; all else goes on. */
bool devices_start_console(const struct machine *m);

/* Interrupts of the console, after the interrupt controller is up: each key pressed goes to `key`.
 */
void devices_start_keys(const struct machine *m, void (*key)(char c));

/* Which UART may be the uplink: its path or alias in the device tree, "off", or NULL (any that is
 * free, if there is nothing faster). Before devices_start_network. */
void devices_use_slip(const char *uart);

/* The first network device that works becomes the uplink; or else a UART that is neither the
 * console nor wired to anything, as SLIP. One that devices_use_slip names comes before all, and may
 * be the console's: then nothing is logged any more. */
void devices_start_network(const struct machine *m);

/* The first block device that works is for the store. Its interrupt is acknowledged, and then
 * `interrupt` is called, which polls it; EL2, interrupts masked. */
void devices_start_block(const struct machine *m, void (*interrupt)(void));

/* That device; NULL: there is none. */
struct block_device *devices_block(void);

/* Unix time in seconds, or 0 when the board has no clock. */
uint64_t devices_read_clock(const struct machine *m);

/* Feeds the machine's entropy: CPU, the board's generator, /chosen/rng-seed and kaslr-seed, and the
 * counter. Returns the number of bytes that an observer cannot know. */
size_t devices_gather_entropy(const struct machine *m);

#endif
