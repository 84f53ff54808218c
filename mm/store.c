/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store as its users see it: room in the open batch, reads, marks, and the books of what is
 * live where.
 */
#include "mm/store.h"
#include "arch/memory.h"
#include "core/base/string.h"
#include "mm/store_log.h"

struct store store;

bool store_is_open(void)
{
    return store.device;
}

bool store_takes_records(void)
{
    return store.device && !store.read_only;
}

uint32_t store_template_slot(unsigned index)
{
    return store.super.vms + 1 + index;
}

uint64_t store_last_ticks_ns(void)
{
    return store.last_ticks_ns;
}

uint64_t store_boots(void)
{
    return store.super.boots;
}

const uint8_t *store_uuid(void)
{
    return store.super.uuid;
}

bool store_was_clean(void)
{
    return store.was_clean;
}

/* --- books -------------------------------------------------------------------------------- */

uint32_t store_segment_of(uint64_t sector)
{
    uint64_t segment = (sector - store.super.first_segment) / store.super.segment_sectors;
    return sector >= store.super.first_segment && segment < store.segments ? (uint32_t)segment
                                                                           : NO_SEGMENT;
}

void store_account(const struct store_place *from, const struct store_place *to)
{
    uint32_t old = store_segment_of(from->sector), new = store_segment_of(to->sector);
    if (old != NO_SEGMENT) {
        store.segment_table[old].live -= MIN(store.segment_table[old].live, from->sectors);
        store.live_sectors -= from->sectors;
    }
    if (new != NO_SEGMENT) {
        store.segment_table[new].live += to->sectors;
        store.live_sectors += to->sectors;
    }
}

/* --- transfers ---------------------------------------------------------------------------- */

static struct store_io *io_of(struct block_request *r)
{
    return container_of(r, struct store_io, request);
}

/* A segment is not written anew while it is read. */
static void hold(const struct block_request *r, uint32_t by)
{
    bool reads = r->op == BLOCK_READ && store.segment_table;
    uint32_t segment = reads ? store_segment_of(r->sector) : NO_SEGMENT;
    if (segment != NO_SEGMENT) {
        store.segment_table[segment].live += by;
    }
}

static void io_done(struct block_request *r, enum err e)
{
    struct store_io *io = io_of(r);
    hold(r, -1u);
    if (e != OK && r->op == BLOCK_READ) {
        store.counters.read_errors++;
    }
    io->done(io, e);
}

/* Hands waiting requests to the device as long as it takes them. One that it refuses for good ends
 * with that error. */
static bool submit_waiting(void)
{
    bool moved = false;
    while (!list_empty(&store.waiting)) {
        struct store_io *io = list_first(&store.waiting, struct store_io, link);
        enum err e = store.device->submit(store.device, &io->request);
        if (e == ERR_BUSY) {
            break;
        }
        list_remove(&io->link);
        moved = true;
        if (e != OK) {
            io_done(&io->request, e);
        }
    }
    return moved;
}

void store_submit(struct store_io *io, enum block_op op, uint64_t sector, pa_t pa, uint32_t bytes,
                  void (*done)(struct store_io *io, enum err e))
{
    io->piece = (struct block_piece){pa, bytes};
    io->request = (struct block_request){.op = op,
                                         .sector = sector,
                                         .pieces = bytes ? &io->piece : NULL,
                                         .piece_count = bytes ? 1 : 0,
                                         .done = io_done};
    io->done = done;
    hold(&io->request, 1);
    list_push_back(&store.waiting, &io->link);
}

void store_read(struct store_io *io, uint64_t sector, uint32_t sectors, pa_t to,
                void (*done)(struct store_io *io, enum err e))
{
    store.counters.reads++;
    store.counters.read_sectors += sectors;
    store_submit(io, BLOCK_READ, sector, to, sectors * STORE_SECTOR_BYTES, done);
}

bool store_pump(void)
{
    bool moved = store.device->poll(store.device) > 0;
    moved |= submit_waiting();
    store.device->kick(store.device);
    return moved;
}

bool store_work(void)
{
    if (!store.device) {
        return false;
    }
    index_work();
    bool moved = clean_work();
    log_work();
    return store_pump() || moved;
}

/* --- records ------------------------------------------------------------------------------ */

void store_stamp(struct store_record *head)
{
    head->magic = STORE_RECORD_MAGIC;
    head->version = STORE_VERSION;
    memcpy(head->uuid, store.super.uuid, sizeof(head->uuid));
    head->sequence = store.sequence;
    head->boots = store.super.boots;
    head->wall_ns = store.ops->wall_ns();
}

bool store_is_pending(uint32_t slot)
{
    struct batch *batches[] = {store.open, store.flying};
    for (unsigned b = 0; b < ARRAY_SIZE(batches); b++) {
        for (uint32_t i = 0; batches[b] && i < batches[b]->header->count; i++) {
            if (batches[b]->header->entries[i].slot == slot && batches[b]->from[i] != ENTRY_VOID) {
                return true;
            }
        }
    }
    return false;
}

/* Nobody is told of what is pending of `slot`, and its place does not follow. */
static void void_pending(uint32_t slot)
{
    struct batch *batches[] = {store.open, store.flying};
    for (unsigned b = 0; b < ARRAY_SIZE(batches); b++) {
        for (uint32_t i = 0; batches[b] && i < batches[b]->header->count; i++) {
            if (batches[b]->header->entries[i].slot == slot) {
                batches[b]->from[i] = ENTRY_VOID;
            }
        }
    }
}

bool store_drain_marks(void)
{
    while (store.mark_count > 0) {
        void *room;
        if (store_room(0, true, &room) != OK) {
            return false;
        }
        uint32_t slot = store.marks[--store.mark_count];
        struct store_place p = {.sector = store.ops->place(slot)->sector}; /* of its last mark */
        store_append(slot, STORE_KIND_MARK, &p, 0, ENTRY_VOID);
        store.counters.marks++;
    }
    return true;
}

/* What live records may take at most: a share of all but where the log is, where it goes on, and
 * what is reserved. */
static uint64_t full_sectors(void)
{
    uint64_t usable = store.segments - SEGMENTS_RESERVED - 2;
    return usable * store.super.segment_sectors / FULL_DENOMINATOR * FULL_NUMERATOR;
}

static void say_full(void)
{
    if (!store.was_full) {
        log_warn("store: full: VMs that have no record in it stay in memory");
    }
    store.was_full = true;
    store.counters.refused_full++;
}

enum err store_reserve(uint32_t slot, uint32_t bytes, void **out)
{
    if (!store_takes_records()) {
        return ERR_DENIED;
    }
    uint64_t sectors = ((uint64_t)bytes + STORE_SECTOR_BYTES - 1) / STORE_SECTOR_BYTES;
    if (sectors > STORE_RECORD_SECTORS_MAX) {
        return ERR_RANGE;
    }
    const struct store_place *old = store.ops->place(slot);
    uint32_t own = store_segment_of(old->sector) == NO_SEGMENT ? 0 : old->sectors;
    uint64_t full = full_sectors(), live = store.live_sectors + sectors - own;
    full += own ? full / REPLACE_SHARE : 0;
    if (live > full) {
        say_full();
        return ERR_NO_MEMORY;
    }
    uint32_t pending = store.open->sectors + (store.flying ? store.flying->sectors : 0);
    if (live + pending > full + STORE_BATCH_HEADER_SECTORS) {
        return ERR_BUSY; /* what is on the way may need the room, or give some back */
    }
    return store_drain_marks() ? store_room(bytes, false, out) : ERR_BUSY;
}

void store_commit(uint32_t slot, enum store_kind kind, const struct store_place *sizes,
                  uint64_t deadline_ns)
{
    store.counters.records++;
    store.counters.record_sectors += sizes->sectors;
    void_pending(slot);
    store_append(slot, kind, sizes, deadline_ns, ENTRY_NEW);
}

/* Should there be more marks than are remembered, a checkpoint of the index says it all. */
void store_mark(uint32_t slot, uint32_t marker)
{
    struct store_place *p = store.ops->place(slot), to = {.sector = marker};
    void_pending(slot);
    uint32_t segment = store_segment_of(p->sector);
    if (segment != NO_SEGMENT) { /* the record stays until the mark is durable */
        store.segment_table[segment].era = MAX(store.segment_table[segment].era, store.era);
    }
    store_account(p, &to);
    *p = to;
    if (!store_takes_records()) {
        return;
    }
    if (store.mark_count < MARKS_MAX) {
        store.marks[store.mark_count++] = slot;
    } else {
        index_request(false);
    }
}

void store_checkpoint(bool clean)
{
    index_request(clean);
}

bool store_settled(void)
{
    return !store.device || store.read_only ||
           (!store.flying && store.open->header->count == 0 && store.mark_count == 0 &&
            !index_is_writing() && clean_is_idle());
}

struct store_counters store_get_counters(void)
{
    struct store_counters c = store.counters;
    c.live_sectors = store.live_sectors;
    c.capacity_sectors = (uint64_t)store.segments * store.super.segment_sectors;
    c.segments = store.segments;
    c.free_segments = store.free_segments;
    return c;
}
