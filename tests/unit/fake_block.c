/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block device in memory. Requests are carried out when they are polled, so those in flight are
 * where a device has not looked yet.
 */
#include "tests/unit/fake_block.h"

#include <stdlib.h>
#include <string.h>

#include "arch/host/host.h"
#include "arch/memory.h"

static struct fake_block *fake_of(struct block_device *d)
{
    return container_of(d, struct fake_block, device);
}

uint32_t fake_random(struct fake_block *f, uint32_t below)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return (uint32_t)((f->random >> 32) % below);
}

/* --- sectors ------------------------------------------------------------------------------ */

static uint8_t *sector_of(uint8_t *where, uint64_t sector)
{
    return where + sector * BLOCK_SECTOR_BYTES;
}

static void write_sector(struct fake_block *f, uint64_t sector, const uint8_t *data)
{
    memcpy(sector_of(f->now, sector), data, BLOCK_SECTOR_BYTES);
    if (!f->dirty[sector]) {
        f->dirty[sector] = true;
        f->dirty_list[f->dirty_count++] = (uint32_t)sector;
    }
}

static uint32_t bytes_of(const struct block_request *r)
{
    uint32_t bytes = 0;
    for (unsigned i = 0; i < r->piece_count; i++) {
        bytes += r->pieces[i].bytes;
    }
    return bytes;
}

/* Carries out a transfer; of each 1,000 sectors about `share` are. */
static void transfer(struct fake_block *f, const struct block_request *r, uint32_t share)
{
    uint64_t sector = r->sector;
    for (unsigned i = 0; i < r->piece_count; i++) {
        uint8_t *memory = arch_ptr(r->pieces[i].pa);
        for (uint32_t at = 0; at < r->pieces[i].bytes; at += BLOCK_SECTOR_BYTES, sector++) {
            if (r->op == BLOCK_READ) {
                memcpy(memory + at, sector_of(f->now, sector), BLOCK_SECTOR_BYTES);
            } else if (share == 1000 || fake_random(f, 1000) < share) {
                write_sector(f, sector, memory + at);
            }
        }
    }
}

static void flush(struct fake_block *f)
{
    for (size_t i = 0; i < f->dirty_count; i++) {
        uint32_t sector = f->dirty_list[i];
        memcpy(sector_of(f->durable, sector), sector_of(f->now, sector), BLOCK_SECTOR_BYTES);
        f->dirty[sector] = false;
    }
    f->dirty_count = 0;
}

/* --- requests ----------------------------------------------------------------------------- */

static struct fake_fault *fault_of(struct fake_block *f, const struct block_request *r)
{
    uint64_t end = r->sector + bytes_of(r) / BLOCK_SECTOR_BYTES;
    for (unsigned i = 0; i < FAKE_FAULTS; i++) {
        struct fake_fault *fault = &f->faults[i];
        bool touches = r->op == BLOCK_FLUSH || (r->sector < fault->to && end > fault->from);
        if (fault->times == 0 || fault->op != r->op || !touches) {
            continue;
        }
        if (fault->skip > 0) {
            fault->skip--;
            continue;
        }
        fault->times--;
        return fault;
    }
    return NULL;
}

static enum err carry_out(struct fake_block *f, const struct block_request *r)
{
    const struct fake_fault *fault = fault_of(f, r);
    if (fault && r->op == BLOCK_WRITE) {
        transfer(f, r, fault->whole ? 1000 : fake_random(f, 1001));
    }
    if (fault) {
        f->device.errors++;
        return ERR_IO;
    }
    if (r->op == BLOCK_FLUSH) {
        flush(f);
        f->device.flushes++;
        return OK;
    }
    transfer(f, r, 1000);
    uint32_t sectors = bytes_of(r) / BLOCK_SECTOR_BYTES;
    f->device.reads += r->op == BLOCK_READ;
    f->device.writes += r->op == BLOCK_WRITE;
    *(r->op == BLOCK_READ ? &f->device.read_sectors : &f->device.written_sectors) += sectors;
    return OK;
}

static enum err submit(struct block_device *d, struct block_request *r)
{
    struct fake_block *f = fake_of(d);
    uint32_t bytes = bytes_of(r);
    if (r->piece_count > d->pieces_max || bytes % BLOCK_SECTOR_BYTES != 0 ||
        r->sector > d->sectors || bytes / BLOCK_SECTOR_BYTES > d->sectors - r->sector ||
        (bytes == 0) != (r->op == BLOCK_FLUSH)) {
        return ERR_RANGE;
    }
    if (r->op == BLOCK_WRITE && d->read_only) {
        return ERR_DENIED;
    }
    if (f->queued == f->limit) {
        return ERR_BUSY;
    }
    f->queue[f->queued++] = r;
    d->in_flight = f->queued;
    d->in_flight_most = MAX(d->in_flight_most, f->queued);
    return OK;
}

static void kick(struct block_device *d)
{
    struct fake_block *f = fake_of(d);
    f->kicked = f->queued;
}

static void complete(struct fake_block *f, unsigned i)
{
    struct block_request *r = f->queue[i];
    if (f->done + 1 == f->cut_at) {
        f->dead = true;
        return;
    }
    f->done++;
    f->queued--;
    f->kicked--;
    memmove(&f->queue[i], &f->queue[i + 1], (f->queued - i) * sizeof(f->queue[0]));
    f->device.in_flight = f->queued;
    r->done(r, carry_out(f, r));
}

static unsigned poll(struct block_device *d)
{
    struct fake_block *f = fake_of(d);
    unsigned n = f->shuffled ? fake_random(f, f->kicked + 1) : f->kicked, done = 0;
    if (f->dead || f->silent) {
        host_time_advance(1ull << 32);
        return 0;
    }
    while (done < n && !f->dead && !f->held) {
        complete(f, f->shuffled ? fake_random(f, f->kicked) : 0);
        done++;
    }
    return done;
}

/* --- life --------------------------------------------------------------------------------- */

void fake_block_init(struct fake_block *f, uint64_t sectors, uint64_t seed)
{
    *f = (struct fake_block){
        .device = {submit, kick, poll, .name = "fake", .sectors = sectors, .pieces_max = 1},
        .limit = FAKE_QUEUE,
        .random = seed * 2 + 0x9E3779B97F4A7C15ull,
    };
    f->now = calloc(sectors, BLOCK_SECTOR_BYTES);
    f->durable = calloc(sectors, BLOCK_SECTOR_BYTES);
    f->dirty = calloc(sectors, sizeof(*f->dirty));
    f->dirty_list = calloc(sectors, sizeof(*f->dirty_list));
    if (!f->now || !f->durable || !f->dirty || !f->dirty_list) {
        abort();
    }
    for (unsigned i = 0; i < 8; i++) {
        (void)fake_random(f, 2);
    }
}

void fake_block_free(struct fake_block *f)
{
    free(f->now);
    free(f->durable);
    free(f->dirty);
    free(f->dirty_list);
}

void fake_block_cut(struct fake_block *f)
{
    static const uint32_t shares[] = {0, 1000, 500, 100, 900, 990};
    for (unsigned i = 0; i < f->queued; i++) {
        if (f->queue[i]->op == BLOCK_WRITE) {
            transfer(f, f->queue[i], shares[fake_random(f, ARRAY_SIZE(shares))]);
        }
    }
    uint32_t share = shares[fake_random(f, ARRAY_SIZE(shares))];
    for (size_t i = 0; i < f->dirty_count; i++) {
        uint32_t sector = f->dirty_list[i];
        bool kept = fake_random(f, 1000) < share;
        memcpy(sector_of(kept ? f->durable : f->now, sector),
               sector_of(kept ? f->now : f->durable, sector), BLOCK_SECTOR_BYTES);
        f->dirty[sector] = false;
    }
    f->dirty_count = 0;
    f->queued = f->kicked = f->device.in_flight = 0;
    f->cut_at = 0;
    f->dead = f->silent = f->held = false;
    memset(f->faults, 0, sizeof(f->faults));
}

void fake_block_fail(struct fake_block *f, struct fake_fault fault)
{
    for (unsigned i = 0; i < FAKE_FAULTS; i++) {
        if (f->faults[i].times == 0) {
            f->faults[i] = fault;
            return;
        }
    }
    abort();
}

void fake_block_flip(struct fake_block *f, uint64_t bit)
{
    f->now[bit / 8] ^= (uint8_t)(1u << bit % 8);
    f->durable[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

void fake_block_put(struct fake_block *f, uint64_t sector, const void *from, size_t bytes)
{
    memcpy(sector_of(f->now, sector), from, bytes);
    memcpy(sector_of(f->durable, sector), from, bytes);
}

void fake_block_truncate(struct fake_block *f, uint64_t sectors)
{
    f->device.sectors = sectors;
}

/* --- an empty store ----------------------------------------------------------------------- */

static void create_checkpoint(struct fake_block *f, const struct store_super *s, unsigned area)
{
    struct store_checkpoint h = {.magic = STORE_CHECKPOINT_MAGIC,
                                 .version = STORE_VERSION,
                                 .sequence = area + 1,
                                 .batch = 1,
                                 .next_segment = 1,
                                 .entries = s->vms + STORE_TEMPLATES_MAX};
    static const struct store_index nothing;
    memcpy(h.uuid, s->uuid, sizeof(h.uuid));
    for (uint32_t i = 0; i < h.entries; i++) {
        h.entries_crc = checksum(h.entries_crc, &nothing, sizeof(nothing));
    }
    h.crc = checksum(0, &h, sizeof(h));
    fake_block_put(f, s->checkpoint[area], &h, sizeof(h));
}

void fake_store_create(struct fake_block *f, uint32_t vms, uint32_t segment_sectors)
{
    uint64_t index = ALIGN_UP(store_checkpoint_sectors(vms), 8ull);
    struct store_super s = {.magic = STORE_SUPER_MAGIC,
                            .version = STORE_VERSION,
                            .uuid = "sixteen letters",
                            .sectors = f->device.sectors,
                            .first_segment = 16 + 2 * index,
                            .checkpoint = {16, 16 + index},
                            .checkpoint_sectors = (uint32_t)index,
                            .segment_sectors = segment_sectors,
                            .vms = vms};
    s.segments = (uint32_t)((s.sectors - s.first_segment) / segment_sectors);
    s.crc = checksum(0, &s, sizeof(s));
    fake_block_put(f, STORE_SUPER_SECTOR, &s, sizeof(s));
    fake_block_put(f, STORE_SUPER_COPY_SECTOR, &s, sizeof(s));
    create_checkpoint(f, &s, 0);
    create_checkpoint(f, &s, 1);
}
