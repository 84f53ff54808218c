/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: batches are filled, placed, written, flushed, and then believed.
 *
 * Invariants: batches are written in the order of their sequence, one at a time, each where the one
 * before it says that the log goes on: behind it, or at the start of its next segment. A place is
 * changed to point into a batch only when the device has it for good.
 */
#include "arch/memory.h"
#include "core/base/string.h"
#include "mm/store_log.h"

static void write_batch(void);

/* --- segments ----------------------------------------------------------------------------- */

bool store_segment_is_free(uint32_t segment)
{
    const struct segment *s = &store.segment_table[segment];
    return s->live == 0 && s->era < store.durable_era && segment != store.segment &&
           segment != store.next_segment;
}

void store_count_free(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < store.segments; i++) {
        n += store_segment_is_free(i);
    }
    store.free_segments = n;
}

/* A checkpoint makes segments that are empty free, and others cleanable. */
static void want_room(void)
{
    bool empty = false, cleanable = false;
    for (uint32_t i = 0; i < store.segments; i++) {
        const struct segment *s = &store.segment_table[i];
        empty |= s->live == 0 && s->era >= store.durable_era && i != store.segment;
        cleanable |= store_segment_is_cleanable(i);
    }
    if (store.log_sectors > 0 && (empty || !cleanable)) {
        index_request(false);
    }
}

/* The segment after this one: the first that is free, in turn. */
static void choose_next(void)
{
    store_count_free();
    for (uint32_t i = 0; i < store.segments; i++) {
        uint32_t segment = (store.search + i) % store.segments;
        if (store_segment_is_free(segment)) {
            store.next_segment = segment;
            store.search = segment + 1;
            store.free_segments--;
            return;
        }
    }
}

/* Goes on in the next segment, of which the log has told. */
static void advance(void)
{
    CHECK(store.promised == store.next_segment && store.promised != NO_SEGMENT);
    store.segment = store.next_segment;
    store.offset = 0;
    store.promised = store.next_segment = NO_SEGMENT;
    choose_next();
}

/* --- the open batch ----------------------------------------------------------------------- */

static void batch_clear(struct batch *b)
{
    b->header->count = 0;
    b->start = 0;
    b->sectors = STORE_BATCH_HEADER_SECTORS;
}

BOOT void log_init(pa_t memory)
{
    for (unsigned i = 0; i < 2; i++) {
        struct batch *b = &store.batches[i];
        b->pa = PA(memory.v + i * (PAGE_SIZE << BATCH_ORDER));
        b->header = arch_ptr(b->pa);
        memset(b->header, 0, STORE_BATCH_HEADER_BYTES);
        batch_clear(b);
    }
    store.open = &store.batches[0];
    store_count_free();
    if (store.next_segment == NO_SEGMENT) {
        choose_next();
    }
}

enum err store_room(uint32_t bytes, bool moving, void **out)
{
    struct batch *b = store.open;
    uint32_t sectors = (uint32_t)(ALIGN_UP(bytes, STORE_SECTOR_BYTES) / STORE_SECTOR_BYTES);
    if (b->header->count == STORE_BATCH_ENTRIES || b->sectors + sectors > BATCH_SECTORS) {
        return ERR_BUSY;
    }
    if (!moving && store.free_segments < SEGMENTS_RESERVED) {
        store.counters.refused_full++;
        want_room();
        return ERR_BUSY;
    }
    *out = (uint8_t *)b->header + b->sectors * STORE_SECTOR_BYTES;
    return OK;
}

void store_append(uint32_t slot, enum store_kind kind, const struct store_place *p,
                  uint64_t deadline_ns, uint32_t from)
{
    struct batch *b = store.open;
    uint32_t i = b->header->count++;
    struct store_entry *e = &b->header->entries[i];
    *e = (struct store_entry){
        .slot = slot, .kind = (uint8_t)kind, .place = *p, .deadline_ns = deadline_ns};
    b->from[i] = from;
    if (kind != STORE_KIND_MARK) {
        e->place.sector = b->sectors; /* from the batch's start, until it has its place */
        b->sectors += p->sectors;
    }
}

/* --- durable ------------------------------------------------------------------------------ */

static void settle_entry(const struct store_entry *e, uint32_t from)
{
    struct store_place *p = store.ops->place(e->slot);
    if (from == ENTRY_VOID || (from != ENTRY_NEW && p->sector != from)) {
        return; /* overtaken: what was written is dead */
    }
    store_account(p, &e->place);
    *p = e->place;
    if (from == ENTRY_NEW) {
        store.ops->written(e->slot, OK);
    }
}

static void land(void)
{
    struct batch *b = store.flying;
    store.flying = NULL;
    store.counters.batches++;
    store.counters.batch_sectors += b->sectors;
    for (uint32_t i = 0; i < b->header->count; i++) {
        settle_entry(&b->header->entries[i], b->from[i]);
    }
    batch_clear(b);
    store.ops->changed();
}

static void drop(struct batch *b, enum err e)
{
    for (uint32_t i = 0; i < b->header->count; i++) {
        if (b->from[i] == ENTRY_NEW) {
            store.ops->written(b->header->entries[i].slot, e);
        }
    }
    batch_clear(b);
}

void log_give_up(const char *what, enum err e)
{
    store.read_only = true;
    log_error("store: %s could not be written (%s): it takes no more records", what, err_name(e));
    drop(store.open, e);
    store.mark_count = 0;
}

static void failed(enum err e)
{
    store.counters.write_errors++;
    if (++store.tries < TRIES_MAX) {
        write_batch();
        return;
    }
    if (store.offset != 0 && store.promised != NO_SEGMENT) {
        log_warn("store: sector %llu: %s; the log goes on in segment %u",
                 (unsigned long long)store.flying->start, err_name(e), store.promised);
        advance();
        store.tries = 0;
        write_batch();
        return;
    }
    struct batch *b = store.flying;
    store.flying = NULL;
    log_give_up("a batch", e);
    drop(b, e);
}

static void flushed(struct store_io *io, enum err e)
{
    (void)io;
    if (e != OK) {
        failed(e);
        return;
    }
    store.offset += store.flying->sectors;
    store.log_sectors += store.flying->sectors;
    store.promised = store.flying->header->next_segment;
    if (store.offset + STORE_BATCH_HEADER_SECTORS > store.super.segment_sectors) {
        advance();
    }
    land();
}

static void written(struct store_io *io, enum err e)
{
    if (e != OK) {
        failed(e);
        return;
    }
    store_submit(io, BLOCK_FLUSH, 0, PA(0), 0, flushed);
}

/* --- writing ------------------------------------------------------------------------------ */

/* Says where the batch is. Its entries count from its start until then, or from where it could not
 * be written. */
static void place_batch(struct batch *b)
{
    struct store_batch *h = b->header;
    uint64_t start = segment_sector(store.segment) + store.offset;
    for (uint32_t i = 0; i < h->count; i++) {
        if (h->entries[i].kind != STORE_KIND_MARK) {
            h->entries[i].place.sector += (uint32_t)(start - b->start);
        }
    }
    b->start = start;
    h->segment = store.segment;
    h->next_segment = store.next_segment;
    store.segment_table[store.segment].era = store.era;
}

static void write_batch(void)
{
    struct batch *b = store.flying;
    struct store_batch *h = b->header;
    place_batch(b);
    h->crc = 0;
    h->crc = checksum(0, h, sizeof(*h));
    store_submit(&store.write, BLOCK_WRITE, b->start, b->pa, b->sectors * STORE_SECTOR_BYTES,
                 written);
}

/* Leaves out what nobody waits for any more: of a slot's records in one batch only the last one may
 * be found, even if the batch is there twice and torn once. */
static void drop_void(struct batch *b)
{
    struct store_batch *h = b->header;
    uint32_t n = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        if (b->from[i] != ENTRY_VOID || h->entries[i].kind == STORE_KIND_MARK) {
            h->entries[n] = h->entries[i];
            b->from[n++] = b->from[i];
        }
    }
    h->count = n;
}

static void fill_header(struct batch *b)
{
    struct store_batch *h = b->header;
    b->sectors = ALIGN_UP(b->sectors, BATCH_ALIGN_SECTORS);
    h->magic = STORE_BATCH_MAGIC;
    h->version = STORE_VERSION;
    memcpy(h->uuid, store.super.uuid, sizeof(h->uuid));
    h->sequence = store.sequence;
    h->checkpoint = store.checkpoint_sequence;
    h->sectors = b->sectors;
    h->wall_ns = store.ops->wall_ns();
    h->ticks_ns = store.ops->ticks_ns();
    h->boots = store.super.boots;
    memset(&h->entries[h->count], 0, (STORE_BATCH_ENTRIES - h->count) * sizeof(h->entries[0]));
}

/* Without this a short batch's last sectors would hold what an earlier record left there. */
static void clear_tail(struct batch *b, uint32_t used)
{
    memset((uint8_t *)b->header + used * STORE_SECTOR_BYTES, 0,
           (b->sectors - used) * STORE_SECTOR_BYTES);
}

static void launch(struct batch *b)
{
    uint32_t used = b->sectors;
    drop_void(b);
    fill_header(b);
    clear_tail(b, used);
    store.flying = b;
    store.sequence++;
    store.tries = 0;
    write_batch();
}

/* Whether `sectors` may be written where the log is: as long as it does not know where it goes on,
 * there must be room left for an empty batch that says it. */
static bool fits(uint32_t sectors)
{
    uint32_t left = store.super.segment_sectors - store.offset;
    return sectors + (store.next_segment == NO_SEGMENT ? STORE_BATCH_HEADER_SECTORS : 0) <= left;
}

void log_work(void)
{
    struct batch *b = store.open;
    struct batch *other = b == &store.batches[0] ? &store.batches[1] : &store.batches[0];
    if (store.flying || store.read_only || store.healing) {
        return;
    }
    (void)store_drain_marks();
    if (b->header->count == 0 || b->reading) {
        return;
    }
    if (store.next_segment == NO_SEGMENT) {
        choose_next();
    }
    if (!fits(ALIGN_UP(b->sectors, BATCH_ALIGN_SECTORS))) {
        if (store.next_segment == NO_SEGMENT) {
            want_room();
            return;
        }
        if (store.promised == NO_SEGMENT) {
            launch(other);
            return;
        }
        advance();
    }
    store.open = other;
    launch(b);
    store.ops->changed();
}
