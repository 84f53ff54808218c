/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Free frames that no CPU has in its cache: in batches, and in blocks of powers of two. All
 * functions lock for themselves; what they are given is marked free in the table already.
 */
#ifndef MM_BUDDY_H
#define MM_BUDDY_H

#include "arch/lock.h"
#include "mm/frame_table.h"

/* Nothing is free. */
void buddy_init(void);

/* Gives the frames from `first` to `end`, as large as their alignment allows. Boot only. */
void buddy_give_run(uint32_t first, uint32_t end);

/* Gives `n` frames, each united with its free neighbours. */
void buddy_give(const uint32_t *frames, uint32_t n);

/* Gives a batch, in constant time: nothing is united. */
void buddy_give_batch(const uint32_t frames[BATCH_FRAMES]);

/* Takes up to BATCH_FRAMES frames, and says how many. */
uint32_t buddy_take_batch(uint32_t frames[BATCH_FRAMES]);

/* Takes an aligned block, or NO_FRAME. When there is none, some batches are united first, not
 * more than a bounded number. */
uint32_t buddy_take_block(unsigned order);

/* The lock under which batches and blocks are taken and given, for the debug keys. */
const struct lock *buddy_lock(void);

#endif
