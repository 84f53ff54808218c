/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening a store: superblock, checkpoint, log. The device is waited for, up to a bound.
 *
 * Invariant: nothing that is read is used before its checksum holds and its numbers fit the device;
 * nothing is written before all of it is understood.
 */
#include "arch/memory.h"
#include "arch/time.h"
#include "core/base/string.h"
#include "mm/store_log.h"
#include "mm/store_replay.h"

#define TRANSFER_NS (30 * NS_PER_S)
#define PIECE_BYTES ((uint32_t)MIB(1))

#define ULL(x) ((unsigned long long)(x))

/* --- transfers ---------------------------------------------------------------------------- */

static struct wait {
    struct store_io io;
    bool done;
    enum err e;
} wait;

/* May be called long after boot, by a device that answers when nobody waits any more. */
RESIDENT static void wait_done(struct store_io *io, enum err e)
{
    (void)io;
    wait.done = true;
    wait.e = e;
}

enum err store_transfer(enum block_op op, uint64_t sector, pa_t pa, uint32_t bytes)
{
    uint64_t end = counter_now() + ticks_from_ns(TRANSFER_NS);
    wait.done = false;
    store_submit(&wait.io, op, sector, pa, bytes, wait_done);
    while (!wait.done) {
        store_pump();
        if (counter_now() > end) {
            log_error("store: the device does not answer");
            return ERR_IO;
        }
    }
    return wait.e;
}

enum err store_read_now(uint64_t sector, pa_t to, uint32_t bytes)
{
    return store_transfer(BLOCK_READ, sector, to, bytes);
}

/* --- superblock --------------------------------------------------------------------------- */

static bool super_fits(const struct store_super *s)
{
    uint64_t index = store_checkpoint_sectors(s->vms);
    return s->segment_sectors >= STORE_SEGMENT_SECTORS_MIN &&
           s->segment_sectors <= STORE_SEGMENT_SECTORS_MAX &&
           (s->segment_sectors & (s->segment_sectors - 1)) == 0 &&
           s->segments >= STORE_SEGMENTS_MIN && s->segments <= STORE_SEGMENTS_MAX && s->vms > 0 &&
           s->vms <= STORE_VMS_MAX && s->checkpoint_sectors >= index && s->sectors <= UINT32_MAX &&
           s->checkpoint[0] > STORE_SUPER_COPY_SECTOR && s->checkpoint[0] < s->sectors &&
           s->checkpoint[1] >= s->checkpoint[0] + s->checkpoint_sectors &&
           s->checkpoint[1] < s->sectors &&
           s->first_segment >= s->checkpoint[1] + s->checkpoint_sectors &&
           s->first_segment < s->sectors &&
           s->segments <= (s->sectors - s->first_segment) / s->segment_sectors;
}

/* Reads one of the two copies. ERR_NOT_FOUND: there is none. */
static enum err read_super(uint64_t sector, pa_t scratch, struct store_super *out)
{
    enum err e = store_transfer(BLOCK_READ, sector, scratch, STORE_SECTOR_BYTES);
    if (e != OK) {
        return e;
    }
    struct store_super *s = arch_ptr(scratch);
    uint32_t crc = s->crc;
    s->crc = 0;
    if (s->magic != STORE_SUPER_MAGIC) {
        return ERR_NOT_FOUND;
    }
    if (checksum(0, s, sizeof(*s)) != crc) {
        return ERR_INVALID;
    }
    if (s->version != STORE_VERSION) {
        log_error("store: version %u, this Toklat knows %u", s->version, STORE_VERSION);
        return ERR_UNSUPPORTED;
    }
    *out = *s;
    return super_fits(s) ? OK : ERR_INVALID;
}

static enum err find_super(pa_t scratch)
{
    struct store_super copy;
    enum err first = read_super(STORE_SUPER_SECTOR, scratch, &store.super);
    enum err second = read_super(STORE_SUPER_COPY_SECTOR, scratch, &copy);
    if (first == ERR_UNSUPPORTED || second == ERR_UNSUPPORTED) {
        return ERR_UNSUPPORTED;
    }
    if (second == OK && (first != OK || copy.boots > store.super.boots)) {
        store.super = copy;
    }
    if (first == OK || second == OK) {
        if (first != OK || second != OK) {
            log_warn("store: one of its two superblocks is damaged; the other one is used");
        }
        return OK;
    }
    if (first == ERR_NOT_FOUND && second == ERR_NOT_FOUND) {
        log_error("store: the device holds none; toklat store create makes one");
        return ERR_NOT_FOUND;
    }
    log_error("store: both superblocks are damaged (%s)", err_name(first));
    return first == ERR_NOT_FOUND ? second : first;
}

static enum err write_supers(pa_t scratch)
{
    static const uint64_t sectors[] = {STORE_SUPER_SECTOR, STORE_SUPER_COPY_SECTOR};
    struct store_super *s = arch_ptr(scratch);
    enum err e = OK;
    for (unsigned i = 0; e == OK && i < ARRAY_SIZE(sectors); i++) {
        *s = store.super;
        s->crc = 0;
        s->crc = checksum(0, s, sizeof(*s));
        e = store_transfer(BLOCK_WRITE, sectors[i], scratch, STORE_SECTOR_BYTES);
        if (e == OK) {
            e = store_transfer(BLOCK_FLUSH, 0, PA(0), 0);
        }
    }
    return e;
}

/* Whose it is, and whether all of it is there. */
static enum err check_super(uint32_t vms, uint64_t deployment)
{
    const struct store_super *s = &store.super;
    if (s->deployment != 0 && s->deployment != deployment) {
        log_error("store: of another deployment (%016llx, this one is %016llx): not used",
                  ULL(s->deployment), ULL(deployment));
        return ERR_DENIED;
    }
    if (vms > s->vms) {
        log_error("store: has places for %u VMs, the deployment has %u: not used", s->vms, vms);
        return ERR_RANGE;
    }
    store.segments = s->segments;
    if (store.device->sectors < s->sectors) {
        uint64_t there = store.device->sectors > s->first_segment
                             ? (store.device->sectors - s->first_segment) / s->segment_sectors
                             : 0;
        store.segments = (uint32_t)MIN(there, s->segments);
        log_warn("store: cut off: %llu sectors of %llu; %u segments of %u are there",
                 ULL(store.device->sectors), ULL(s->sectors), store.segments, s->segments);
    }
    return store.segments >= STORE_SEGMENTS_MIN ? OK : ERR_RANGE;
}

/* --- checkpoint --------------------------------------------------------------------------- */

static bool read_checkpoint(unsigned area, pa_t scratch, struct store_checkpoint *out)
{
    uint64_t sector = store.super.checkpoint[area];
    if (store_transfer(BLOCK_READ, sector, scratch, STORE_SECTOR_BYTES) != OK) {
        return false;
    }
    struct store_checkpoint *h = arch_ptr(scratch);
    uint32_t crc = h->crc;
    h->crc = 0;
    bool sound = h->magic == STORE_CHECKPOINT_MAGIC && h->version == STORE_VERSION &&
                 checksum(0, h, sizeof(*h)) == crc &&
                 memcmp(h->uuid, store.super.uuid, sizeof(h->uuid)) == 0 &&
                 h->entries == store.slots && h->segment < store.super.segments &&
                 h->offset <= store.super.segment_sectors && IS_ALIGNED(h->offset, 8u);
    *out = *h;
    return sound;
}

/* Reads the index of a checkpoint, and hands every entry on if `apply`. False: it is damaged. */
static bool read_index(unsigned area, const struct store_checkpoint *h, pa_t scratch, bool apply)
{
    uint32_t crc = 0;
    uint64_t sector = store.super.checkpoint[area] + 1;
    const uint32_t most = PIECE_BYTES / sizeof(struct store_index);
    for (uint32_t slot = 1; slot <= h->entries;) {
        uint32_t n = MIN(h->entries - slot + 1, most);
        uint32_t used = n * (uint32_t)sizeof(struct store_index);
        uint32_t bytes = ALIGN_UP(used, STORE_SECTOR_BYTES);
        if (store_transfer(BLOCK_READ, sector, scratch, bytes) != OK) {
            return false;
        }
        const struct store_index *at = arch_ptr(scratch);
        crc = checksum(crc, at, used);
        for (uint32_t i = 0; apply && i < n; i++) {
            if (at[i].place.sector != STORE_NOTHING) {
                replay_found(slot + i, &at[i].place, at[i].deadline_ns);
            }
        }
        slot += n;
        sector += bytes / STORE_SECTOR_BYTES;
    }
    return crc == h->entries_crc;
}

/* The newest checkpoint and the log behind it; or, when one of them is not sound, all segments. */
static enum err find_records(pa_t scratch)
{
    struct store_checkpoint h[2];
    bool sound[2];
    for (unsigned i = 0; i < 2; i++) {
        sound[i] = read_checkpoint(i, scratch, &h[i]);
    }
    unsigned newest = sound[0] && (!sound[1] || h[0].sequence > h[1].sequence) ? 0 : 1;
    store.checkpoint_area = newest ^ 1;
    store.checkpoint_sequence = sound[newest] ? h[newest].sequence : 0;
    if (sound[newest] && read_index(newest, &h[newest], scratch, false)) {
        store.last_ticks_ns = h[newest].ticks_ns;
        (void)read_index(newest, &h[newest], scratch, true);
        if (replay_log(&h[newest], scratch)) {
            store.was_clean = h[newest].clean && h[newest].boots == store.super.boots &&
                              store.counters.replayed_batches == 0;
            return OK;
        }
    }
    log_warn("store: the index is damaged; reading all %u segments", store.segments);
    replay_forget();
    return replay_all(scratch);
}

/* --- mount -------------------------------------------------------------------------------- */

static enum err allocate(pa_t *piece)
{
    pa_t table;
    unsigned order = 0;
    while (PAGE_SIZE << order < store.segments * sizeof(struct segment)) {
        order++;
    }
    enum err e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, order, &table);
    if (e == OK) {
        e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, 4, piece);
    }
    if (e == OK) {
        store.segment_table = arch_ptr(table);
        memset(store.segment_table, 0, PAGE_SIZE << order);
    }
    return e;
}

static enum err open_store(uint32_t vms, uint64_t deployment, pa_t scratch)
{
    pa_t piece;
    enum err e = find_super(scratch);
    if (e == OK) {
        e = check_super(vms, deployment);
    }
    if (e == OK) {
        e = allocate(&piece);
    }
    if (e != OK) {
        return e;
    }
    store.slots = store.super.vms + STORE_TEMPLATES_MAX;
    store.era = store.durable_era = 1;
    store.vms = vms;
    e = find_records(scratch);
    if (e == OK && store.stranger) {
        log_error("store: holds VM %u, the deployment has %u: not used", store.stranger, vms);
        e = ERR_DENIED;
    }
    if (e != OK) {
        return e;
    }
    store.super.boots++;
    store.super.deployment = deployment;
    store.read_only |= store.device->read_only;
    if (!store.read_only && write_supers(scratch) != OK) {
        log_error("store: the superblock cannot be written: it takes no records");
        store.read_only = true;
    }
    index_init(piece);
    clean_init();
    log_init(scratch);
    if (store.healing) {
        index_request(false);
    }
    return OK;
}

enum err store_mount(struct block_device *d, const struct store_ops *ops, uint32_t vms,
                     uint64_t deployment)
{
    pa_t scratch;
    store = (struct store){.device = d, .ops = ops};
    list_init(&store.waiting);
    enum err e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, BATCH_ORDER + 1, &scratch);
    if (e == OK) {
        e = open_store(vms, deployment, scratch);
    }
    if (e != OK) {
        log_error("store: %s; VMs live in memory only", err_name(e));
        store.device = NULL;
        return e;
    }
    log_info("store: %u of %u segments are free, %llu MiB of records", store.free_segments,
             store.segments, ULL(store.live_sectors >> 11));
    return OK;
}
