/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checkpoints of the index: written piece by piece beside the log, in turn into two areas, the
 * header last. Everything from the batch on that the header names is read again at the next boot,
 * so it does not matter which places change while the index is written.
 *
 * Invariant: the area that holds the newest complete checkpoint is never written to.
 */
#include "arch/memory.h"
#include "core/base/string.h"
#include "mm/store_log.h"

#define PIECE_ORDER 4
#define PIECE_BYTES (PAGE_SIZE << PIECE_ORDER)
#define PIECE_ENTRIES ((uint32_t)(PIECE_BYTES / sizeof(struct store_index)))

/* Between two checkpoints the log grows by this and four times the index, so that checkpoints add
 * at most a quarter to what is written, and a boot has this much to read again. */
#define INTERVAL_SECTORS ((uint32_t)(MIB(64) / STORE_SECTOR_BYTES))
#define INTERVAL_INDEXES 4u

static struct writer {
    bool wanted, clean_wanted, running;
    struct store_io io;
    struct store_checkpoint header;
    unsigned tries;
    uint32_t next; /* slot that the next piece begins with */
    pa_t buffer;
} w;

bool index_is_writing(void)
{
    return w.running || w.wanted;
}

void index_request(bool clean)
{
    w.wanted = true;
    w.clean_wanted |= clean;
}

static void index_failed(enum err e)
{
    w.running = false;
    store.counters.write_errors++;
    if (++w.tries < TRIES_MAX) {
        index_request(w.header.clean);
    } else {
        log_give_up("the index", e);
    }
}

static void complete(struct store_io *io, enum err e)
{
    (void)io;
    if (e != OK) {
        index_failed(e);
        return;
    }
    w.running = false;
    w.tries = 0;
    store.healing = false;
    store.checkpoint_sequence = w.header.sequence;
    store.checkpoint_area ^= 1;
    store.durable_era = store.era; /* nothing was written to a segment of this era yet, or it is
                                      the log's own */
    store.counters.checkpoints++;
    store_count_free();
    store.ops->changed();
}

static void header_written(struct store_io *io, enum err e)
{
    if (e != OK) {
        index_failed(e);
        return;
    }
    store_submit(io, BLOCK_FLUSH, 0, PA(0), 0, complete);
}

static void entries_flushed(struct store_io *io, enum err e)
{
    if (e != OK) {
        index_failed(e);
        return;
    }
    struct store_checkpoint *h = arch_ptr(w.buffer);
    *h = w.header;
    h->crc = checksum(0, h, sizeof(*h));
    store_submit(io, BLOCK_WRITE, store.super.checkpoint[store.checkpoint_area], w.buffer,
                 STORE_SECTOR_BYTES, header_written);
}

static uint32_t fill_piece(void)
{
    struct store_index *at = arch_ptr(w.buffer);
    uint32_t n = MIN(store.slots - w.next + 1, PIECE_ENTRIES);
    for (uint32_t i = 0; i < n; i++) {
        at[i].place = *store.ops->place(w.next + i);
        at[i].deadline_ns = store.ops->describe(w.next + i, &at[i].place);
    }
    w.header.entries_crc = checksum(w.header.entries_crc, at, n * sizeof(*at));
    uint32_t bytes = ALIGN_UP(n * (uint32_t)sizeof(*at), STORE_SECTOR_BYTES);
    memset(at + n, 0, bytes - n * sizeof(*at));
    w.next += n;
    return bytes;
}

static void write_piece(struct store_io *io, enum err e)
{
    if (e != OK) {
        index_failed(e);
        return;
    }
    if (w.next > store.slots) {
        store_submit(io, BLOCK_FLUSH, 0, PA(0), 0, entries_flushed);
        return;
    }
    uint64_t at = store.super.checkpoint[store.checkpoint_area] + 1 +
                  (uint64_t)(w.next - 1) * sizeof(struct store_index) / STORE_SECTOR_BYTES;
    uint32_t bytes = fill_piece();
    store_submit(io, BLOCK_WRITE, at, w.buffer, bytes, write_piece);
}

/* The log is replayed from the batch in flight on, whose places are not in the index yet. */
static void begin(void)
{
    struct store_checkpoint *h = &w.header;
    *h = (struct store_checkpoint){
        .magic = STORE_CHECKPOINT_MAGIC,
        .version = STORE_VERSION,
        .sequence = store.checkpoint_sequence + 1,
        .batch = store.sequence - (store.flying ? 1 : 0),
        .segment = store.segment,
        .offset = store.offset,
        .next_segment = store.promised,
        .wall_ns = store.ops->wall_ns(),
        .ticks_ns = store.ops->ticks_ns(),
        .entries = store.slots,
        .clean = w.clean_wanted,
        .boots = store.super.boots,
    };
    memcpy(h->uuid, store.super.uuid, sizeof(h->uuid));
    w.wanted = w.clean_wanted = false;
    w.running = true;
    w.next = 1;
    store.era++;
    store.segment_table[store.segment].era = store.era;
    store.log_sectors = 0;
    write_piece(&w.io, OK);
}

BOOT void index_init(pa_t buffer)
{
    w = (struct writer){.buffer = buffer};
}

void index_work(void)
{
    uint64_t interval = INTERVAL_SECTORS + INTERVAL_INDEXES * store.super.checkpoint_sectors;
    if (store.log_sectors >= interval && !store.read_only) {
        w.wanted = true;
    }
    if (w.wanted && !w.running && !store.read_only) {
        begin();
    }
}
