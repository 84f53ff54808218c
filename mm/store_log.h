/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of the store, for the files that make it up.
 */
#ifndef MM_STORE_LOG_H
#define MM_STORE_LOG_H

#include "core/base/log.h"
#include "mm/frame.h"
#include "mm/store.h"

#define BATCH_ORDER 8
#define BATCH_SECTORS ((uint32_t)((PAGE_SIZE << BATCH_ORDER) / STORE_SECTOR_BYTES))
#define BATCH_ALIGN_SECTORS 8u
#define NO_SEGMENT UINT32_MAX
#define MARKS_MAX 512u
#define TRIES_MAX 3u /* of a write that fails, at the same place */

/* Segments that only what is moved by the cleaner may take; and the share of all that live records
 * may take: at three quarters a segment that is cleaned is three quarters full at most, so that
 * four are written for each that is gained: a write amplification below 4. */
#define SEGMENTS_RESERVED 3u
#define FULL_NUMERATOR 3u
#define FULL_DENOMINATOR 4u

/* What a record that takes the place of another may use beyond that: those who are in a full store
 * come and go. */
#define REPLACE_SHARE 8u

#define ENTRY_NEW 0u          /* batch.from: a record that came from above */
#define ENTRY_VOID UINT32_MAX /* nobody waits for it any more */

struct batch {
    struct store_batch *header; /* at the start of its memory */
    pa_t pa;
    uint64_t start;                     /* sector that it is written to; 0: not known yet */
    uint32_t sectors;                   /* used, with the header */
    uint32_t reading;                   /* records that the cleaner is still reading into it */
    uint32_t from[STORE_BATCH_ENTRIES]; /* of a record that was moved: where it was */
};

struct segment {
    uint32_t live; /* sectors that places point to, and reads that are under way */
    uint32_t era;  /* of its last batch: eras are counted by checkpoints */
};

struct store {
    struct block_device *device; /* NULL: there is no store */
    const struct store_ops *ops;
    struct store_super super;
    uint32_t slots;    /* vms and templates of the store */
    uint32_t segments; /* that the device really has */
    struct segment *segment_table;
    uint32_t vms;      /* of the deployment */
    uint32_t stranger; /* the last VM that has a record and is not deployed; 0: none */
    bool read_only;
    bool was_clean;
    bool was_full; /* and it was said */
    bool healing;  /* nothing is written before the next checkpoint is complete */

    /* The log. */
    struct batch batches[2];
    struct batch *open, *flying;
    uint64_t sequence; /* of the open batch */
    uint32_t segment, offset, next_segment;
    uint32_t promised; /* the next segment that the log itself names, or NO_SEGMENT */
    uint32_t search;   /* where the next free segment is looked for */
    uint32_t free_segments;
    uint64_t live_sectors;
    unsigned tries; /* of the batch in flight */
    bool flushing;
    struct store_io write;
    uint32_t marks[MARKS_MAX]; /* slots whose markers are not in the log yet */
    uint32_t mark_count;

    /* The checkpoints. `era` is that of batches written now; those before `durable_era` are in the
     * last complete checkpoint. */
    uint64_t checkpoint_sequence;
    unsigned checkpoint_area; /* that the next one goes to */
    uint32_t era, durable_era;
    uint64_t log_sectors; /* written since it was begun */
    uint64_t last_ticks_ns;

    struct list waiting; /* requests that found the device busy */
    struct store_counters counters;
};

extern struct store store;

static inline uint64_t segment_sector(uint32_t segment)
{
    return store.super.first_segment + (uint64_t)segment * store.super.segment_sectors;
}

/* Which segment a record at `sector` lies in, or NO_SEGMENT for markers and nonsense. */
uint32_t store_segment_of(uint64_t sector);

/* Moves the books from one place of a slot to another. */
void store_account(const struct store_place *from, const struct store_place *to);

/* Submits, now or when the device can; `done` of the request is called in any case. */
void store_submit(struct store_io *io, enum block_op op, uint64_t sector, pa_t pa, uint32_t bytes,
                  void (*done)(struct store_io *io, enum err e));

/* Whether a segment may be written anew, or cleaned; and how many may be written. */
bool store_segment_is_free(uint32_t segment);
bool store_segment_is_cleanable(uint32_t segment); /* it gains something to move what is live */
void store_count_free(void);

/* The log's share of the start, with two batches of memory, and of store_work. */
void log_init(pa_t memory);
void log_work(void);

/* The device does not keep what it is given: what is in memory stays there, what was written before
 * can still be read, and what is in flight may yet be. */
void log_give_up(const char *what, enum err e);

/* Room in the open batch, also for what the cleaner moves. */
enum err store_room(uint32_t bytes, bool moving, void **out) MUST_USE;
void store_append(uint32_t slot, enum store_kind kind, const struct store_place *p,
                  uint64_t deadline_ns, uint32_t from);

/* Enters marks in the log, before any record that may be of the same slot. False: some are left. */
bool store_drain_marks(void);

/* The checkpoint's and the cleaner's share of store_work. */
void index_init(pa_t buffer);
void index_work(void);
bool index_is_writing(void);
void index_request(bool clean);
void clean_init(void);
bool clean_work(void);
bool clean_is_idle(void);

/* Takes what the device finished and gives it what waits. Returns whether anything moved. */
bool store_pump(void);

/* One transfer at boot, waited for. */
enum err store_transfer(enum block_op op, uint64_t sector, pa_t pa, uint32_t bytes) MUST_USE;

#endif
