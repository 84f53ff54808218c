/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Appends records to a store that was opened without errors and that nobody else uses. A checkpoint
 * first moves the log's end to a free segment, then batches follow, then a checkpoint ends it; so
 * whenever this is interrupted, the store is sound and has the batches that were complete.
 */
#ifndef TOKLAT_STORE_WRITE_H
#define TOKLAT_STORE_WRITE_H

#include "tools/toklat/store_read.h"

#define WRITE_BATCH_SECTORS STORE_SEGMENT_SECTORS_MIN /* the largest record fits */
#define WRITE_KEPT_FREE 4u                            /* segments that are left to EL2's cleaner */

/* How entries are put into batches, and batches into segments. */
struct packing {
    uint32_t count, used;      /* of the batch that is being filled: entries, sectors */
    uint32_t offset, segments; /* in the last of `segments` segments that were begun */
};

/* An entry with `sectors` more; first, if it does not fit, true: the batch is full and ends. */
bool packing_full(const struct packing *p, uint32_t sectors);
/* Ends the batch: true: it goes into a new segment. */
bool packing_end(struct packing *p, uint32_t segment_sectors);

struct writer {
    struct store *store;
    struct packing packing;
    uint32_t *live;
    uint32_t segment, next_segment;
    uint64_t checkpoint; /* sequence of the newest complete one */
    uint64_t ticks_ns;
    bool clean, failed;
    unsigned area;             /* that the next checkpoint is written to */
    struct store_batch *batch; /* with WRITE_BATCH_SECTORS behind it */
};

/* False: no memory, not `segments` free ones, or an I/O error; says so. */
bool writer_begin(struct writer *w, struct store *s, uint32_t segments, const char *path) MUST_USE;
/* `e` with the record of its place.sectors, whose identity becomes the store's. `e` and record are
 * sound but for place.sector. NULL for a marker. */
bool writer_add(struct writer *w, const struct store_entry *e, const void *record) MUST_USE;
bool writer_end(struct writer *w) MUST_USE;
void writer_free(struct writer *w);

/* The superblock and its copy. */
bool super_write(struct image *im, struct store_super *s) MUST_USE;

#endif
