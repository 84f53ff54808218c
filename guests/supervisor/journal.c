/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the journal.
 */
#include "guests/supervisor/journal.h"

#define BUFFER_BYTES 4096

_Static_assert(BUFFER_BYTES >= TOKLAT_JOURNAL_ENTRY_MAX, "an entry fits");

bool journal_read(struct journal *j, uint64_t cursor)
{
    static char buffer[BUFFER_BYTES] __attribute__((aligned(8)));
    struct control_more more;
    int64_t bytes =
        control(TOKLAT_JOURNAL_READ, cursor, (uintptr_t)buffer, sizeof(buffer), 0, &more);
    *j = (struct journal){.at = buffer, .cursor = cursor};
    if (bytes <= 0 || (uint64_t)bytes > sizeof(buffer)) {
        return false;
    }
    j->left = (size_t)bytes;
    j->cursor = more.x1 - (uint64_t)bytes;
    j->lost = j->cursor > cursor ? j->cursor - cursor : 0;
    return true;
}

const struct toklat_journal_entry *journal_peek(const struct journal *j)
{
    const struct toklat_journal_entry *entry = (const void *)j->at;
    bool whole = j->left >= sizeof(*entry) && entry->bytes <= j->left && entry->bytes % 8 == 0 &&
                 entry->bytes >= sizeof(*entry) + entry->text_bytes;
    return whole ? entry : NULL;
}

void journal_skip(struct journal *j)
{
    const struct toklat_journal_entry *entry = journal_peek(j);
    size_t bytes = entry != NULL ? entry->bytes : j->left;
    j->at += bytes;
    j->cursor += bytes;
    j->left -= bytes;
}
