/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EL2's own translation: everything at its own address, nothing writable and executable.
 */
#ifndef ARCH_ARM64_MMU_H
#define ARCH_ARM64_MMU_H

#include "arch/machine.h"

/* What turns a CPU's MMU on, the same on all. Written by mmu_start(), and never again. The CPUs
 * must agree in the physical addresses that TCR and VTCR name. arch/arm64/head.S knows the order.
 */
struct mmu_registers {
    uint64_t mair, tcr, vtcr, ttbr0, sctlr;
};

extern struct mmu_registers mmu_registers;

/* Turns the MMU and the caches on for this CPU; arch/arm64/head.S. */
void mmu_enable(const struct mmu_registers *r);

/* Builds the boot tables for the machine's RAM and the image, and turns the MMU and the caches on
 * for this CPU. Boot CPU, MMU off. False: the pool of boot tables is too small. */
bool mmu_start(const struct machine *m) MUST_USE;

/* Whether the byte at `at` is mapped as RAM. */
bool mmu_has_ram(uint64_t at);

#endif
