/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EL2's journal, piece by piece.
 */
#ifndef GUESTS_SUPERVISOR_JOURNAL_H
#define GUESTS_SUPERVISOR_JOURNAL_H

#include <stddef.h>

#include "guests/supervisor/control.h"

/* What one read gave; valid until the next. */
struct journal {
    const char *at;  /* the entry that comes next */
    uint64_t cursor; /* of it */
    uint64_t lost;   /* bytes before it that the ring no longer holds */
    size_t left;
};

/* Reads from `cursor` on. False if nothing is there yet. */
bool journal_read(struct journal *j, uint64_t cursor);

/* The entry that comes next, with its text behind it; NULL at the end of what was read. */
const struct toklat_journal_entry *journal_peek(const struct journal *j);
void journal_skip(struct journal *j);

static inline const char *journal_text(const struct toklat_journal_entry *entry)
{
    return (const char *)(entry + 1);
}

#endif
