/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The passes of a verification. Each looks at a store that was opened, and says what it finds.
 */
#ifndef TOKLAT_VERIFY_H
#define TOKLAT_VERIFY_H

#include "tools/toklat/store_read.h"

struct verify_counts {
    uint64_t batches, orphans, records, templates, pages, bytes;
};

/* Superblock's copies against each other. */
void verify_super(struct store *s);
/* Every slot's record: head, pages, code words, and its template. */
void verify_records(struct store *s, struct verify_counts *counts);
/* No two live records overlap. False: no memory. */
bool verify_places(struct store *s);
/* All batches that are left, against the end of the log and the index. False: no memory. */
bool verify_history(struct store *s, struct verify_counts *counts);

#endif
