/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the device tree says of the machine: memory, what of it is taken, the boot loader's
 * arguments. Says what it does not believe; never fails, and needs no machine to run on.
 */
#ifndef ARCH_ARM64_BOOT_TREE_H
#define ARCH_ARM64_BOOT_TREE_H

#include "arch/machine.h"

/* EL2's own translation spans this much; RAM above is not used. */
#define BOOT_ADDRESS_BITS 39

/* A tree is no longer than this (Linux Documentation/arm64/booting). */
#define BOOT_TREE_BYTES_MAX MIB(2)

/* Whether `fdt`, readable and aligned to 8 bytes, begins like a device tree that EL2 can read. */
bool boot_tree_is_sound(const void *fdt) MUST_USE;

/* Fills `m`, zeroed, from a sound tree, but for the sizes of EL2. `image` is in `used` afterwards,
 * and the tree, which lies at `fdt_at`, in `ram` and in `used`. */
void boot_tree_read(struct machine *m, const void *fdt, uint64_t fdt_at,
                    struct machine_range image);

#endif
