/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EL2's own translation: everything at its own address, nothing writable and executable.
 */
#ifndef ARCH_ARM64_MMU_H
#define ARCH_ARM64_MMU_H

#include "arch/machine.h"

/* Builds the boot tables for the machine's RAM and the image, and turns the MMU and the caches on
 * for this CPU. Boot CPU, MMU off. False: the pool of boot tables is too small. */
bool mmu_start(const struct machine *m) MUST_USE;

#endif
