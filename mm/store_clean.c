/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cleaner: when few segments are free it picks those with the least that is live, looks through
 * all places for records that lie in them, and appends these to the log again, byte for byte. A
 * segment that nothing points to any more is free.
 *
 * Invariant: a record is moved only while its place still says what was read, and no newer one of
 * its slot is on the way; so the newest record of a slot stays the last one in the log.
 */
#include "arch/memory.h"
#include "core/base/string.h"
#include "mm/store_log.h"

#define MOVES 4u
#define VICTIMS 8u
#define SLOTS_AT_ONCE 4096u
#define LOW_SHARE 16u /* cleaning begins below this part of all segments */
#define LOW_LEAST (2 * SEGMENTS_RESERVED + 2)

enum move_state { MOVE_NONE, MOVE_READING, MOVE_READY };

struct move {
    struct store_io io;
    struct store_place place;
    uint32_t slot;
    uint8_t state;
    unsigned order;
    pa_t buffer;
};

static struct cleaner {
    struct move moves[MOVES];
    uint32_t victims[VICTIMS];
    uint32_t victim_count;
    uint32_t next; /* slot to be looked at next; 0: idle */
} c;

void clean_init(void)
{
    c = (struct cleaner){0};
}

static bool moving(void)
{
    bool busy = false;
    for (unsigned i = 0; i < MOVES; i++) {
        busy |= c.moves[i].state != MOVE_NONE;
    }
    return busy;
}

bool clean_is_idle(void)
{
    return c.next == 0 && !moving();
}

/* --- victims ------------------------------------------------------------------------------ */

bool store_segment_is_cleanable(uint32_t segment)
{
    const struct segment *s = &store.segment_table[segment];
    return s->live > 0 && s->era < store.durable_era && segment != store.segment &&
           segment != store.next_segment && s->live <= store.super.segment_sectors / 8 * 7;
}

static bool is_victim(uint32_t segment)
{
    for (uint32_t i = 0; i < c.victim_count; i++) {
        if (c.victims[i] == segment) {
            return true;
        }
    }
    return false;
}

/* The one with the least that is live, or NO_SEGMENT. */
static uint32_t least_live(void)
{
    uint32_t best = NO_SEGMENT;
    for (uint32_t i = 0; i < store.segments; i++) {
        if (store_segment_is_cleanable(i) && !is_victim(i) &&
            (best == NO_SEGMENT || store.segment_table[i].live < store.segment_table[best].live)) {
            best = i;
        }
    }
    return best;
}

static bool choose_victims(void)
{
    uint32_t low = MAX(store.segments / LOW_SHARE, LOW_LEAST);
    if (store.read_only || store.free_segments >= MIN(low, store.segments / 2)) {
        return false;
    }
    c.victim_count = 0;
    uint32_t live = 0, most = (SEGMENTS_RESERVED - 1) * store.super.segment_sectors;
    while (c.victim_count < VICTIMS) {
        uint32_t segment = least_live();
        if (segment == NO_SEGMENT || live + store.segment_table[segment].live > most) {
            break;
        }
        live += store.segment_table[segment].live;
        c.victims[c.victim_count++] = segment;
    }
    if (c.victim_count == 0) {
        return false;
    }
    store.counters.cleaned_segments += c.victim_count;
    c.next = 1;
    return true;
}

/* --- moves -------------------------------------------------------------------------------- */

static void move_end(struct move *m)
{
    frame_unref_block(m->buffer, m->order);
    m->state = MOVE_NONE;
}

static bool still_there(const struct move *m)
{
    const struct store_place *p = store.ops->place(m->slot);
    return p->sector == m->place.sector && !store_is_pending(m->slot);
}

/* Appends what was read. False: the open batch has no room now. */
static bool move_append(struct move *m)
{
    void *room;
    uint32_t bytes = m->place.sectors * STORE_SECTOR_BYTES;
    if (!still_there(m)) {
        move_end(m);
        return true;
    }
    if (store_room(bytes, true, &room) != OK) {
        return false;
    }
    struct store_place p = m->place;
    uint64_t deadline_ns = store.ops->describe(m->slot, &p);
    memory_copy(room, arch_ptr(m->buffer), bytes);
    store_append(m->slot, m->slot > store.super.vms ? STORE_KIND_TEMPLATE : STORE_KIND_RECORD,
                 &m->place, deadline_ns, m->place.sector);
    store.counters.moved++;
    store.counters.moved_sectors += m->place.sectors;
    move_end(m);
    return true;
}

/* A segment that cannot be read is left as it is. */
static void move_read(struct store_io *io, enum err e)
{
    struct move *m = container_of(io, struct move, io);
    if (e != OK) {
        store.segment_table[store_segment_of(m->place.sector)].era = UINT32_MAX;
        log_warn("store: sector %u: %s: its segment is not cleaned", m->place.sector, err_name(e));
        move_end(m);
        return;
    }
    m->state = MOVE_READY;
}

static struct move *free_move(void)
{
    for (unsigned i = 0; i < MOVES; i++) {
        if (c.moves[i].state == MOVE_NONE) {
            return &c.moves[i];
        }
    }
    return NULL;
}

/* Begins to move a slot's record. False: not now. */
static bool move_begin(uint32_t slot, const struct store_place *p)
{
    struct move *m = free_move();
    if (!m) {
        return false;
    }
    uint32_t bytes = p->sectors * STORE_SECTOR_BYTES;
    m->order = 0;
    while (PAGE_SIZE << m->order < bytes) {
        m->order++;
    }
    if (frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, m->order, &m->buffer) != OK) {
        return false;
    }
    m->slot = slot;
    m->place = *p;
    m->state = MOVE_READING;
    store_submit(&m->io, BLOCK_READ, p->sector, m->buffer, bytes, move_read);
    return true;
}

static void look_at_slots(void)
{
    for (uint32_t i = 0; i < SLOTS_AT_ONCE && c.next <= store.slots; i++, c.next++) {
        const struct store_place *p = store.ops->place(c.next);
        uint32_t segment = store_segment_of(p->sector);
        if (segment != NO_SEGMENT && is_victim(segment) && !store_is_pending(c.next) &&
            !move_begin(c.next, p)) {
            return;
        }
    }
}

bool clean_work(void)
{
    if (c.next == 0 && !choose_victims()) {
        return false;
    }
    for (unsigned i = 0; i < MOVES; i++) {
        if (c.moves[i].state == MOVE_READY && !move_append(&c.moves[i])) {
            return false; /* when the batch in flight has landed */
        }
    }
    if (c.next <= store.slots) {
        uint32_t before = c.next;
        look_at_slots();
        return c.next != before;
    }
    if (!moving() && !store.flying && store.open->header->count == 0) {
        c.next = 0;
        store_count_free();
    }
    return false;
}
