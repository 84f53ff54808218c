/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cleaner: when few segments are free it picks those with the least that is live, looks through
 * all places for records that lie in them, and appends these to the log again, byte for byte. A
 * segment that nothing points to any more is free.
 *
 * A record is read to where it is written from, in the open batch, which waits for it: cleaning
 * needs no memory, or it could not make the room that eviction waits for.
 *
 * Invariant: a record is moved only when no newer one of its slot is on the way, and what is
 * appended later comes later; so the newest record of a slot stays the last one in the log.
 */
#include "arch/memory.h"
#include "core/base/string.h"
#include "mm/store_log.h"

#define MOVES 4u
#define VICTIMS 8u
#define SLOTS_AT_ONCE 4096u
#define LOW_SHARE 16u /* cleaning begins below this part of all segments */
#define LOW_LEAST (2 * SEGMENTS_RESERVED + 2)

struct move {
    struct store_io io;
    struct batch *batch; /* that it is read into; NULL: there is none */
    uint32_t sector;     /* that it is read from */
    uint32_t entry;      /* in the batch */
    uint32_t sectors;
};

static struct cleaner {
    struct move moves[MOVES];
    uint32_t victims[VICTIMS];
    uint32_t victim_count;
    uint32_t next; /* slot to be looked at next; 0: idle */
} c;

BOOT void clean_init(void)
{
    c = (struct cleaner){0};
}

static bool moving(void)
{
    bool busy = false;
    for (unsigned i = 0; i < MOVES; i++) {
        busy |= c.moves[i].batch != NULL;
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

/* A segment that cannot be read is left as it is. */
static void move_read(struct store_io *io, enum err e)
{
    struct move *m = container_of(io, struct move, io);
    m->batch->reading--;
    if (e != OK) {
        store.segment_table[store_segment_of(m->sector)].era = UINT32_MAX;
        log_warn("store: sector %u: %s: its segment is not cleaned", m->sector, err_name(e));
        m->batch->from[m->entry] = ENTRY_VOID;
    } else {
        store.counters.moved++;
        store.counters.moved_sectors += m->sectors;
    }
    m->batch = NULL;
}

static struct move *free_move(void)
{
    for (unsigned i = 0; i < MOVES; i++) {
        if (!c.moves[i].batch) {
            return &c.moves[i];
        }
    }
    return NULL;
}

/* Begins to move a slot's record. False: not now. */
static bool move_begin(uint32_t slot, const struct store_place *p)
{
    struct move *m = free_move();
    struct store_place copy = *p;
    uint32_t bytes = p->sectors * STORE_SECTOR_BYTES;
    void *room;
    if (!m || store_room(bytes, true, &room) != OK) {
        return false;
    }
    m->batch = store.open;
    m->entry = m->batch->header->count;
    m->sector = p->sector;
    m->sectors = p->sectors;
    m->batch->reading++;
    store_append(slot, slot > store.super.vms ? STORE_KIND_TEMPLATE : STORE_KIND_RECORD, p,
                 store.ops->describe(slot, &copy), p->sector);
    store_submit(&m->io, BLOCK_READ, p->sector, arch_pa(room), bytes, move_read);
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
    if (c.next <= store.slots) {
        uint32_t before = c.next;
        look_at_slots();
        return c.next != before;
    }
    if (!moving() && !store.flying && store.open->header->count == 0) {
        c.next = 0;
        store_count_free();
        store.ops->changed();
    }
    return false;
}
