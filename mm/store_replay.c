/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the log at boot.
 *
 *   scratch: | header | header held back | gap, piece by piece |  ...  | 1 MiB for a record |
 *
 * A batch was complete when the next one was begun, so behind a checkpoint only the last one may be
 * torn: each is held back until the next one is found, and of the last every record is looked at by
 * itself. So it is with all when all segments are read, where any may once have been the last.
 * Where the log seems to end, what follows is searched for younger batches: there are none unless a
 * header in the middle is damaged. Should the last header be the damaged one, the records behind
 * it speak for themselves.
 */
#include "mm/store_replay.h"
#include "arch/memory.h"
#include "core/base/string.h"
#include "mm/record.h"

#define HELD_AT 4096u
#define GAP_AT 8192u
#define GAP_SECTORS 1024u
#define HEAD_SECTORS_MAX 136u /* pieces of a gap overlap by this, so that each head is in one */
#define RECORD_AT MIB(1)
#define SEEN_BLOCKS 8u
#define SEEN_IN_BLOCK ((uint32_t)(BLOCK_SIZE / sizeof(uint64_t)))

struct position {
    uint32_t segment, offset, next;
    uint64_t sequence; /* that is expected there */
};

static pa_t scratch;

/* --- what is found ------------------------------------------------------------------------ */

static bool place_fits(const struct store_place *p)
{
    uint64_t end =
        store.super.first_segment + (uint64_t)store.super.segments * store.super.segment_sectors;
    uint64_t in_segment = (p->sector - store.super.first_segment) % store.super.segment_sectors;
    return p->sector < STORE_MARKERS ||
           (p->sector >= store.super.first_segment && p->sector < end && p->sectors > 0 &&
            p->sectors <= STORE_RECORD_SECTORS_MAX &&
            in_segment + p->sectors <= store.super.segment_sectors);
}

void replay_found(uint32_t slot, const struct store_place *p, uint64_t deadline_ns)
{
    if (slot == 0 || slot > store.slots || !place_fits(p)) {
        return;
    }
    if (slot > store.vms && slot <= store.super.vms && p->sector >= STORE_MARKERS) {
        store.stranger = MAX(store.stranger, slot);
    }
    store_account(store.ops->place(slot), p);
    store.ops->found(slot, p, deadline_ns);
    store.counters.found_records++;
}

void replay_forget(void)
{
    static const struct store_place nothing;
    for (uint32_t slot = 1; slot <= store.slots; slot++) {
        store.ops->found(slot, &nothing, 0);
    }
    memset(store.segment_table, 0, store.segments * sizeof(struct segment));
    store.live_sectors = 0;
    store.stranger = 0;
}

/* --- batches ------------------------------------------------------------------------------ */

static struct store_batch *header_at(uint32_t place)
{
    return arch_ptr(PA(scratch.v + place));
}

static bool header_is_sound(struct store_batch *h)
{
    if (h->magic != STORE_BATCH_MAGIC || h->version != STORE_VERSION ||
        memcmp(h->uuid, store.super.uuid, sizeof(h->uuid)) != 0) {
        return false;
    }
    uint32_t crc = h->crc;
    h->crc = 0;
    bool sound = checksum(0, h, sizeof(*h)) == crc;
    h->crc = crc;
    return sound && h->count <= STORE_BATCH_ENTRIES && h->sectors >= STORE_BATCH_HEADER_SECTORS &&
           IS_ALIGNED(h->sectors, BATCH_ALIGN_SECTORS);
}

/* Reads the header at a place of a segment. */
static bool read_header(uint32_t segment, uint32_t offset)
{
    uint32_t size = store.super.segment_sectors;
    if (segment >= store.segments || offset + STORE_BATCH_HEADER_SECTORS > size ||
        store_transfer(BLOCK_READ, segment_sector(segment) + offset, scratch,
                       STORE_BATCH_HEADER_BYTES) != OK) {
        return false;
    }
    const struct store_batch *h = header_at(0);
    return header_is_sound(header_at(0)) && h->segment == segment && h->sectors <= size - offset;
}

/* Whether all of a record is as it was written. */
static bool entry_is_whole(const struct store_entry *e)
{
    pa_t to = PA(scratch.v + RECORD_AT);
    return e->kind == STORE_KIND_MARK || e->place.sector < STORE_MARKERS ||
           (place_fits(&e->place) && e->place.sectors <= STORE_RECORD_SECTORS_MAX &&
            store_transfer(BLOCK_READ, e->place.sector, to,
                           e->place.sectors * STORE_SECTOR_BYTES) == OK &&
            record_is_whole(arch_ptr(to), e->place.sectors * STORE_SECTOR_BYTES, e->slot,
                            store.super.uuid));
}

/* Sequence of the newest batch or record of each slot, while all segments are read. */
static uint64_t *seen[SEEN_BLOCKS];

static uint64_t *newest_of(uint32_t slot)
{
    static uint64_t none;
    none = 0;
    bool counts = slot > 0 && slot <= store.slots && seen[0];
    return counts ? &seen[slot / SEEN_IN_BLOCK][slot % SEEN_IN_BLOCK] : &none;
}

/* Applies an entry, unless something newer of its slot was seen. `look`: only if all of its record
 * is there. False: it is not. */
static bool apply_entry(const struct store_entry *e, uint64_t sequence, bool look)
{
    if (sequence < *newest_of(e->slot)) {
        return true;
    }
    if (look && !entry_is_whole(e)) {
        return false;
    }
    *newest_of(e->slot) = sequence;
    replay_found(e->slot, &e->place, e->deadline_ns);
    return true;
}

/* Applies a batch's entries. Returns whether all were whole. */
static bool apply(const struct store_batch *h, bool look)
{
    bool whole = true;
    for (uint32_t i = 0; i < h->count; i++) {
        whole &= apply_entry(&h->entries[i], h->sequence, look);
    }
    store.last_ticks_ns = MAX(store.last_ticks_ns, h->ticks_ns);
    store.checkpoint_sequence = MAX(store.checkpoint_sequence, h->checkpoint);
    store.log_sectors += h->sectors;
    store.counters.replayed_batches++;
    return whole;
}

/* --- gaps --------------------------------------------------------------------------------- */

/* Records that no header tells of. */
static struct lost {
    uint64_t least; /* older ones are of no interest */
    uint64_t after; /* behind the sequences of all that were seen */
    bool applying;
    bool any;
} lost;

static void take_lost(const struct store_record *r, uint64_t sector)
{
    struct store_entry e = {.slot = r->slot,
                            .kind = STORE_KIND_RECORD,
                            .place = record_place(r),
                            .deadline_ns = r->deadline_ns};
    e.place.sector = (uint32_t)sector;
    if (r->sequence >= lost.least) {
        lost.after = MAX(lost.after, r->sequence + 1);
        lost.any = true;
        if (lost.applying) {
            (void)apply_entry(&e, r->sequence, true);
        }
    }
}

/* One piece of a gap, of `n` sectors: how many lie before a sound header at or behind `from`, or
 * all. */
static uint32_t look_at_piece(uint64_t sector, uint32_t from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct store_batch *h = header_at(GAP_AT + i * STORE_SECTOR_BYTES);
        const struct store_record *r = (const void *)h;
        if (i >= from && IS_ALIGNED(i, BATCH_ALIGN_SECTORS) &&
            n - i >= STORE_BATCH_HEADER_SECTORS && header_is_sound(h)) {
            return i;
        }
        if (record_head_is_sound(r, (n - i) * STORE_SECTOR_BYTES, store.super.uuid)) {
            take_lost(r, sector + i);
        }
    }
    return n;
}

/* From a place that holds no header that is looked for to the next one that holds a sound one, or
 * to `end`; records on the way are taken by themselves. What cannot be read is passed over. */
static uint32_t look_through_gap(uint32_t segment, uint32_t start, uint32_t end)
{
    uint32_t n = 0, offset = start;
    for (; offset < end; offset += n < GAP_SECTORS ? n : n - HEAD_SECTORS_MAX) {
        uint64_t sector = segment_sector(segment) + offset;
        n = MIN(end - offset, GAP_SECTORS);
        if (store_transfer(BLOCK_READ, sector, PA(scratch.v + GAP_AT), n * STORE_SECTOR_BYTES) !=
            OK) {
            continue;
        }
        uint32_t found = look_at_piece(sector, offset == start ? 1 : 0, n);
        if (found < n) {
            return offset + found;
        }
    }
    return end;
}

/* --- the end of the log ------------------------------------------------------------------- */

/* A segment that nothing is known of, to go on in at once. */
static bool find_fresh(struct position *p)
{
    for (uint32_t i = 0; i < store.segments; i++) {
        if (store.segment_table[i].live == 0 && i != p->segment && i != p->next) {
            *p = (struct position){i, 0, NO_SEGMENT, p->sequence};
            return true;
        }
    }
    return false;
}

/* Where records were found that no header tells of, the log must not go on. */
static void go_on_at(struct position *p, bool whole)
{
    if (p->next >= store.segments || p->next == p->segment ||
        store.segment_table[p->next].live != 0) {
        p->next = NO_SEGMENT;
    }
    bool full = p->offset + STORE_BATCH_HEADER_SECTORS > store.super.segment_sectors &&
                p->next == NO_SEGMENT;
    p->sequence = MAX(p->sequence, lost.after);
    if ((lost.any || full) && !find_fresh(p)) {
        log_error("store: no segment is free to go on in: it takes no more records");
        store.read_only = true;
    }
    store.segment = p->segment;
    store.offset = p->offset;
    store.promised = store.next_segment = p->next;
    store.sequence = p->sequence;
    store.healing = !whole || lost.any || full;
    store.segment_table[p->segment].era = store.era;
}

/* --- from a checkpoint -------------------------------------------------------------------- */

/* Reads the batch that is expected next; or the one before once more, `last`, which was written to
 * the next segment again because it was not believed to be durable where it was found. That
 * happens to a batch once, and never to one at a segment's start. */
static bool read_next(struct position *p, const struct store_batch *last)
{
    const struct store_batch *h = header_at(0);
    if (read_header(p->segment, p->offset) && h->sequence == p->sequence) {
        return true;
    }
    if (!read_header(p->next, 0)) {
        return false;
    }
    bool again = last && h->sequence == last->sequence && p->offset > last->sectors;
    if (h->sequence != p->sequence && !again) {
        return false;
    }
    *p = (struct position){p->next, 0, h->next_segment, h->sequence};
    return true;
}

/* Whether [at, end) of a segment holds the header of a batch as young as `sequence`, or younger. */
static bool holds_younger(uint32_t segment, uint32_t at, uint32_t end, uint64_t sequence)
{
    while ((at = look_through_gap(segment, at, end)) < end) {
        if (!read_header(segment, at) || header_at(0)->sequence >= sequence) {
            return true;
        }
    }
    return false;
}

/* Whether a batch that is as young as the expected one, or younger, lies behind it: a header in the
 * middle is damaged. Should only the last one be, the records behind it are taken; and so are
 * those of a last batch that is in the next segment again, as it could not be written here. */
static bool younger_follows(const struct position *p)
{
    const uint32_t size = store.super.segment_sectors;
    lost = (struct lost){.least = p->sequence - 1, .applying = true};
    if (read_header(p->next, 0) && header_at(0)->sequence >= p->sequence) {
        return true;
    }
    return (p->next < store.segments &&
            holds_younger(p->next, 0, MIN(size, BATCH_SECTORS + STORE_BATCH_HEADER_SECTORS),
                          p->sequence)) ||
           holds_younger(p->segment, p->offset, size, p->sequence);
}

bool replay_log(const struct store_checkpoint *c, pa_t memory)
{
    struct position p = {c->segment, c->offset, c->next_segment, c->batch};
    bool holds = false;
    scratch = memory;
    struct store_batch *h = header_at(0), *held = header_at(HELD_AT);
    if (p.segment >= store.segments) {
        return false;
    }
    store.segment_table[p.segment].era = store.era; /* also if the first batch is in the next one */
    while (read_next(&p, holds ? held : NULL)) {
        if (h->checkpoint > c->sequence) {
            return false;
        }
        if (holds) {
            (void)apply(held, h->sequence == held->sequence);
        }
        *held = *h;
        holds = true;
        store.segment_table[p.segment].era = store.era;
        p.offset += h->sectors;
        p.next = h->next_segment;
        p.sequence++;
    }
    bool whole = !holds || apply(held, true);
    if (younger_follows(&p)) {
        return false;
    }
    go_on_at(&p, whole);
    return true;
}

/* --- all segments ------------------------------------------------------------------------- */

struct scan {
    struct position end; /* behind the youngest batch */
    bool applying;
};

static void scan_batch(struct scan *s, const struct store_batch *h, uint32_t segment,
                       uint32_t offset)
{
    if (s->applying) {
        *header_at(HELD_AT) = *h;
        (void)apply(header_at(HELD_AT), true);
    } else if (h->sequence + 1 >= s->end.sequence) {
        s->end = (struct position){segment, offset + h->sectors, h->next_segment, h->sequence + 1};
    }
}

static bool never_used(uint32_t segment)
{
    if (store_transfer(BLOCK_READ, segment_sector(segment), scratch, STORE_BATCH_HEADER_BYTES) !=
        OK) {
        return false;
    }
    const uint64_t *words = arch_ptr(scratch);
    uint64_t any = 0;
    for (unsigned i = 0; i < STORE_BATCH_HEADER_BYTES / 8; i++) {
        any |= words[i];
    }
    return any == 0;
}

static void scan_segment(struct scan *s, uint32_t segment)
{
    const uint32_t size = store.super.segment_sectors;
    store.counters.scanned_segments++;
    for (uint32_t offset = 0; offset + STORE_BATCH_HEADER_SECTORS <= size;) {
        if (read_header(segment, offset)) {
            uint32_t sectors = header_at(0)->sectors;
            scan_batch(s, header_at(0), segment, offset);
            offset += sectors;
        } else {
            offset = look_through_gap(segment, offset, size);
        }
    }
}

static void scan_all(struct scan *s)
{
    for (uint32_t i = 0; i < store.segments; i++) {
        if (!never_used(i)) {
            scan_segment(s, i);
        }
        if ((i + 1) % 4096 == 0) {
            log_info("store: %u of %u segments read", i + 1, store.segments);
        }
    }
}

/* All blocks are of one size, which is small when there are few slots. */
static unsigned seen_order(void)
{
    unsigned order = 0;
    while (order < FRAME_ORDER_MAX && PAGE_SIZE << order <= store.slots * sizeof(uint64_t)) {
        order++;
    }
    return order;
}

static enum err seen_allocate(void)
{
    for (uint32_t i = 0; i <= store.slots / SEEN_IN_BLOCK; i++) {
        pa_t pa;
        enum err e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, seen_order(), &pa);
        if (e != OK) {
            return e;
        }
        seen[i] = arch_ptr(pa);
        memset(seen[i], 0, PAGE_SIZE << seen_order());
    }
    return OK;
}

static void seen_free(void)
{
    for (uint32_t i = 0; i < SEEN_BLOCKS; i++) {
        if (seen[i]) {
            frame_unref_block(arch_pa(seen[i]), seen_order());
            seen[i] = NULL;
        }
    }
}

enum err replay_all(pa_t memory)
{
    struct scan s = {.end = {.next = NO_SEGMENT, .sequence = 1}};
    scratch = memory;
    lost = (struct lost){0};
    enum err e = seen_allocate();
    if (e == OK) {
        scan_all(&s);
        s.applying = lost.applying = true;
        scan_all(&s);
        lost.any = true; /* who knows what the end of the log hides */
        store.checkpoint_sequence++;
        go_on_at(&s.end, false);
    }
    seen_free();
    return e;
}
