/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal: what happened, in a ring that the supervisor reads (abi/control.h). Any CPU.
 *
 *   ring[next - size ..... first ... next)    cursors run on and are masked
 */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H

#include "abi/control.h"
#include "arch/lock.h"
#include "core/base/error.h"
#include "mm/space.h"

/* Takes memory for the ring, by the size of the machine's. What comes before is not kept, nor is
 * anything if there is none. Boot CPU. */
void journal_init(void);

/* Adds an entry; its text is cut at 255 bytes. Never fails, and wakes the supervisor at the end of
 * a trap if it waits for it. */
void journal_add(enum toklat_journal kind, uint32_t vm, int64_t value, const char *text, size_t n);

static inline void journal_note(enum toklat_journal kind, uint32_t vm, int64_t value)
{
    journal_add(kind, vm, value, NULL, 0);
}

/* VM `vm` was created: counted, and told as one entry by journal_tell_created. The keeper. */
void journal_created(uint32_t vm);
void journal_tell_created(void);

/* A sink of the log: what EL2 says of itself; not what debug keys print. */
void journal_log(const char *text, size_t n);

/* Copies whole entries from `*cursor` on, or from the first that is there, to a guest's memory, and
 * moves the cursor on. `*done`: bytes. When it is 0 the next entry makes journal_has_news true.
 * Errors of guest_write when nothing was copied. */
enum err journal_read(struct space *to, ipa_t ipa, uint64_t bytes, uint64_t *cursor,
                      uint64_t *done) MUST_USE;

/* Once, when there is an entry for who found none. The keeper. */
bool journal_has_news(void);

uint64_t journal_first(void);
uint64_t journal_next(void);
const struct lock *journal_lock(void);

#endif
