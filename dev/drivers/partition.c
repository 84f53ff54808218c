/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master boot record.
 *
 *   offset 446: four entries of 16 bytes: status, CHS, type (4), CHS, first sector (8), sectors
 * (12) offset 510: 0x55 0xAA
 */
#include "dev/drivers/partition.h"

#include "abi/store.h"
#include "arch/memory.h"
#include "arch/time.h"
#include "core/base/log.h"
#include "core/base/string.h"
#include "mm/frame.h"

#define ENTRIES 4u
#define ENTRY_BYTES 16u
#define ENTRIES_OFFSET 446u
#define SIGNATURE_OFFSET 510u
#define TYPE_NONE 0u
#define TYPE_GPT 0xEEu

#define READ_NS (10 * NS_PER_S)

static uint32_t word(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static enum err refuse(struct refusal *why, enum err e, const char *what, uint64_t value,
                       uint64_t limit)
{
    *why = (struct refusal){"partition table", what, value, limit};
    return e;
}

static bool overlap(const struct partition *a, const struct partition *b)
{
    return a->first < b->first + b->sectors && b->first < a->first + a->sectors;
}

/* Reads entry `i` into `all`, and holds it against those before it. */
static enum err read_entry(const uint8_t *entry, struct partition *all, unsigned i,
                           uint64_t sectors, struct refusal *why)
{
    struct partition *p = &all[i];
    *p = (struct partition){word(entry + 8), word(entry + 12)};
    if (entry[4] == TYPE_GPT) {
        return refuse(why, ERR_UNSUPPORTED, "type of a partition (GPT; an MBR is needed)", TYPE_GPT,
                      PARTITION_STORE);
    }
    if (entry[4] == TYPE_NONE) {
        *p = (struct partition){0, 0};
        return OK;
    }
    if (p->first == 0 || p->sectors == 0) {
        return refuse(why, ERR_INVALID, "first sector or size of a partition", 0, 1);
    }
    if (p->first + p->sectors > sectors) {
        return refuse(why, ERR_RANGE, "end of partition", p->first + p->sectors, sectors);
    }
    for (unsigned k = 0; k < i; k++) {
        if (overlap(p, &all[k])) {
            return refuse(why, ERR_INVALID, "first sector (in another partition)", p->first,
                          all[k].first + all[k].sectors);
        }
    }
    return OK;
}

enum err partition_find(const void *sector, uint64_t sectors, struct partition *out,
                        struct refusal *why)
{
    static const uint64_t magic = STORE_SUPER_MAGIC;
    const uint8_t *s = sector;
    struct partition all[ENTRIES];
    *out = (struct partition){0, sectors};
    if (!memcmp(s, &magic, sizeof(magic)) || s[SIGNATURE_OFFSET] != 0x55 ||
        s[SIGNATURE_OFFSET + 1] != 0xAA) {
        return OK;
    }
    *out = (struct partition){0, 0};
    for (unsigned i = 0; i < ENTRIES; i++) {
        const uint8_t *entry = s + ENTRIES_OFFSET + i * ENTRY_BYTES;
        enum err e = read_entry(entry, all, i, sectors, why);
        if (e != OK) {
            return e;
        }
        if (entry[4] == PARTITION_STORE && out->sectors == 0) {
            *out = all[i];
        }
    }
    return out->sectors > 0 ? OK : refuse(why, ERR_NOT_FOUND, "partitions of type 0xDA", 0, 1);
}

/* --- boot ----------------------------------------------------------------------------------- */

static struct {
    bool done;
    enum err e;
} waited;

/* May be called long after boot, by a device that answers when nobody waits any more. */
RESIDENT static void read_done(struct block_request *r, enum err e)
{
    (void)r;
    waited.done = true;
    waited.e = e;
}

/* Reads sector 0. A device that does not answer in time may write to its memory later: the frame
 * stays the device's. */
static enum err read_first(struct block_device *d, pa_t pa)
{
    static struct block_piece piece;
    static struct block_request r;
    uint64_t end = counter_now() + ticks_from_ns(READ_NS);
    piece = (struct block_piece){pa, BLOCK_SECTOR_BYTES};
    r = (struct block_request){BLOCK_READ, 0, &piece, 1, read_done};
    waited.done = false;
    enum err e = d->submit(d, &r);
    if (e != OK) {
        return e;
    }
    d->kick(d);
    while (!waited.done && counter_now() < end) {
        d->poll(d);
    }
    return waited.done ? waited.e : ERR_BUSY;
}

enum err partition_open(struct block_device *d)
{
    pa_t pa;
    struct partition p = {0};
    struct refusal why = {.what = "sector 0 cannot be read"};
    enum err e = frame_alloc(FRAME_EL2, FRAME_OWNER_NONE, &pa);
    if (e != OK) {
        return e;
    }
    e = read_first(d, pa);
    bool answered = e != ERR_BUSY;
    if (e == OK) {
        e = partition_find(arch_ptr(pa), d->sectors, &p, &why);
    }
    if (answered) {
        (void)frame_unref(pa);
    }
    if (e != OK) {
        log_error("%s: %s: %s is %llu, limit %llu: no store", d->name, err_name(e), why.what,
                  (unsigned long long)why.value, (unsigned long long)why.limit);
        return e;
    }
    d->first = p.first;
    d->sectors = p.sectors;
    if (p.first > 0) {
        log_info("%s: the store's partition is sectors %llu to %llu", d->name,
                 (unsigned long long)p.first, (unsigned long long)(p.first + p.sectors - 1));
    }
    return OK;
}
