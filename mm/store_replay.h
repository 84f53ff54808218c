/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the log at boot: from a checkpoint on, or all of it. The device is waited for.
 */
#ifndef MM_STORE_REPLAY_H
#define MM_STORE_REPLAY_H

#include "mm/store_log.h"

/* A slot's record is here, as far as has been read. What does not fit the store is left out. */
void replay_found(uint32_t slot, const struct store_place *p, uint64_t deadline_ns);

/* Forgets all that was found. */
void replay_forget(void);

/* Applies all batches from where the checkpoint says, and leaves the log ready to go on behind
 * them. False: a batch is missing, or the checkpoint is not the newest. `scratch`: 2 MiB. */
bool replay_log(const struct store_checkpoint *h, pa_t scratch) MUST_USE;

/* The same from everything that the segments hold. */
enum err replay_all(pa_t scratch) MUST_USE;

#endif
