/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine with little memory and a disk, and everything that may happen to it, one step a few
 * bytes: guests that idle, write, send, end, start and destroy each other; frames; time; a disk
 * that is slow, late, out of order, damaged or refuses; memory that runs out; power cuts and
 * shutdowns. After every step machine_check holds, and each VM that runs finds in its memory what
 * it last left there in this life. At the end nothing waits for ever.
 *
 * With several CPUs each step is one's, drawn; a CPU whose guest runs leaves its interrupts be
 * until it is drawn for them, so that messages wait for a while, each pair's for another. At the
 * end whoever lives, or is in the store, takes a frame.
 */
#ifndef TESTS_UNIT_RESIDENCE_STEPS_H
#define TESTS_UNIT_RESIDENCE_STEPS_H

#include "core/base/types.h"

extern unsigned residence_steps_cpus; /* 1 at first */

/* Aborts when something does not hold. The same bytes do the same. */
void residence_steps(const uint8_t *data, size_t size);

/* What happened in all runs so far, to see that it does happen. */
struct residence_steps_counts {
    uint64_t steps, boots, cuts, shutdowns, evictions, wakes, fetches, damaged, out_of_room,
        checked, older, moves, answers;
};
extern struct residence_steps_counts residence_steps_counts;

#endif
