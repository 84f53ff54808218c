/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A store as it will be brought back: the superblock that counts, the checkpoints, and the index
 * with the log applied to it. Nothing of the image is trusted; what is wrong with it goes to
 * `findings`, and reading goes on with what is sound.
 */
#ifndef TOKLAT_STORE_READ_H
#define TOKLAT_STORE_READ_H

#include "tools/toklat/image.h"
#include "tools/toklat/store_format.h"

enum severity {
    FINDING_NOTE,  /* as it should be after a power cut */
    FINDING_ERROR, /* damage */
};

struct findings {
    void (*say)(struct findings *f, enum severity severity, const char *text);
    uint64_t notes, errors;
};

/* A text, counted and handed on. */
void finding(struct findings *f, enum severity severity, const char *format, ...) PRINTF(3, 4);

enum store_result {
    STORE_OPEN,
    STORE_NOT_ONE, /* no superblock */
    STORE_NEWER,   /* of a version that is not known */
    STORE_NO_MEMORY,
    STORE_CANCELLED,
};

struct store_read_checkpoint {
    struct store_checkpoint head;
    bool sound; /* with its index */
};

struct store {
    struct image *image;
    struct findings *findings;
    struct store_super super;
    uint32_t version; /* with STORE_NEWER */
    struct store_read_checkpoint checkpoint[2];
    int newest;                /* that the index began from; -1: none is sound */
    struct store_index *index; /* slot i + 1 */
    uint64_t *sequence;        /* of the batch that said so; 0: the checkpoint did */
    uint32_t segment, offset;  /* where the log goes on */
    uint32_t next_segment;     /* and if it is full there; `segment` itself: not known */
    uint64_t next_batch;       /* sequence that is written next */
    uint64_t batches;          /* found after the checkpoint */
    struct store_batch last;   /* of them; sequence 0: there was none */
    bool full;                 /* all segments were read */
    uint64_t damaged;          /* records that were passed over by that */
    uint32_t torn;             /* records of the last batch that are not whole */
    void *record;              /* what was read last; NULL: nothing yet */
};

/* Reads all but the records. The store must be closed whatever the result is. */
enum store_result store_open(struct store *s, struct image *im, struct findings *f) MUST_USE;
void store_close(struct store *s);

/* The record at `p` (or its head only) in s->record; NULL, and why: it is not sound. `slot` 0: any.
 * The head of a record that is not sound in its pages is still in s->record. */
const struct store_record *store_record_head(struct store *s, uint32_t slot,
                                             const struct store_place *p, struct why *why);
const struct store_record *store_record_whole(struct store *s, uint32_t slot,
                                              const struct store_place *p, struct why *why);

/* s->record with STORE_RECORD_BYTES_MAX, for whoever reads one; NULL: no memory. */
void *store_buffer(struct store *s);

/* A sound header at (segment, offset) in `b`. */
bool store_batch_read(struct store *s, uint32_t segment, uint32_t offset, struct store_batch *b,
                      struct why *why);

/* Entry `i` of a sound batch at `offset` of its segment; NULL, and a finding: it is not sound. */
const struct store_entry *store_batch_entry(const struct store *s, const struct store_batch *b,
                                            uint32_t offset, uint32_t i);

/* Walks a segment from `offset` on: batch by batch, and where there is none in steps of 8 sectors,
 * looking at every sector for a record's head. */
struct walk {
    void (*batch)(struct walk *w, const struct store_batch *b, uint32_t offset);
    void (*orphan)(struct walk *w, const struct store_record *r, uint64_t sector); /* may be NULL */
    bool stop;
    bool gap; /* what comes now was not where the batch before ended */
};
void store_walk(struct store *s, struct walk *w, uint32_t segment, uint32_t offset);

/* What store_open does beyond checkpoints (store_log.c, store_full.c). */
void store_log_read(struct store *s);
void store_full_read(struct store *s);

/* The index as the checkpoint has it, or empty. */
void store_index_again(struct store *s);

/* A record that belongs to no sound batch: taken when it is whole, and its sequence is above
 * `above` or there is nothing left where the index points to. Whether it was. */
bool store_take_orphan(struct store *s, const struct store_record *head, uint64_t sector,
                       uint64_t above);

/* Applies an entry of a batch with `sequence`. */
void store_apply(struct store *s, const struct store_entry *e, uint64_t sequence);

#endif
