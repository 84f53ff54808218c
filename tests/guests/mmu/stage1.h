/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's own translation: 30 bits of virtual address, 4 KiB granule, memory at its own
 * address, and one window of a page that may be laid anywhere.
 */
#ifndef TESTS_GUESTS_MMU_STAGE1_H
#define TESTS_GUESTS_MMU_STAGE1_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW 0x20000000ull    /* virtual address of the window */
#define NOWHERE 0x30000000ull   /* virtual address that nothing is mapped at */
#define UNTOUCHED 0x20200000ull /* one whose table is a page that nobody has touched yet */

/* Builds the tables for `memory_bytes` (at most 2 MiB), with the window on `page`. */
void stage1_build(uint64_t memory_bytes, const volatile void *page);

/* Turns translation and caches on, or tells whether they are. */
void stage1_on(void);
bool stage1_is_on(void);

/* Lays the window on another page, break before make. */
void stage1_move_window(const volatile void *page);

/* vectors.S: makes aborts at EL1 be counted and skipped, all else the runtime's. */
void stage1_vectors(void);

/* Aborts that were taken, and ESR_EL1 and FAR_EL1 of the last. */
extern volatile uint64_t aborts, abort_esr, abort_far;

#endif
