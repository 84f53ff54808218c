/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The format's rules: superblock, checkpoint, batch, entry and place.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "tools/toklat/store_format.h"

#define CRC_OFFSET 12u

_Static_assert(offsetof(struct store_super, crc) == CRC_OFFSET, "structure_crc");
_Static_assert(offsetof(struct store_checkpoint, crc) == CRC_OFFSET, "structure_crc");
_Static_assert(offsetof(struct store_batch, crc) == CRC_OFFSET, "structure_crc");
_Static_assert(offsetof(struct store_record, crc) == CRC_OFFSET, "structure_crc");

bool refuse(struct why *why, const char *format, ...)
{
    va_list args;
    if (why) {
        va_start(args, format);
        vsnprintf(why->text, sizeof(why->text), format, args);
        va_end(args);
    }
    return false;
}

uint32_t structure_crc(const void *structure, size_t bytes)
{
    static const uint32_t zero;
    const char *p = structure;
    uint32_t crc = crc32c(0, p, CRC_OFFSET);
    crc = crc32c(crc, &zero, sizeof(zero));
    return crc32c(crc, p + CRC_OFFSET + sizeof(zero), bytes - CRC_OFFSET - sizeof(zero));
}

/* `bytes` of a structure that begins as all do: magic, version, crc. */
static bool begins_well(const void *structure, uint64_t magic, size_t bytes, struct why *why)
{
    struct {
        uint64_t magic;
        uint32_t version, crc;
    } head;
    memcpy(&head, structure, sizeof(head));
    if (head.magic != magic) {
        return refuse(why, "magic 0x%016jx is not 0x%016jx", (uintmax_t)head.magic,
                      (uintmax_t)magic);
    }
    uint32_t crc = structure_crc(structure, bytes);
    if (head.crc != crc) {
        return refuse(why, "crc 0x%08x, computed 0x%08x", head.crc, crc);
    }
    if (head.version != STORE_VERSION) {
        return refuse(why, "version %u, this tool knows %u", head.version, STORE_VERSION);
    }
    return true;
}

static bool same_store(const struct store_super *s, const uint8_t *uuid, struct why *why)
{
    if (memcmp(s->uuid, uuid, sizeof(s->uuid)) != 0) {
        return refuse(why, "uuid of another store");
    }
    return true;
}

static bool super_sizes_sound(const struct store_super *s, struct why *why)
{
    if (s->vms == 0 || s->vms > STORE_VMS_MAX) {
        return refuse(why, "vms %u, limit 1 to %u", s->vms, STORE_VMS_MAX);
    }
    if (s->checkpoint_sectors < store_checkpoint_sectors(s->vms)) {
        return refuse(why, "checkpoint_sectors %u, needed %ju for %u VMs", s->checkpoint_sectors,
                      (uintmax_t)store_checkpoint_sectors(s->vms), s->vms);
    }
    if (s->segment_sectors < STORE_SEGMENT_SECTORS_MIN ||
        s->segment_sectors > STORE_SEGMENT_SECTORS_MAX ||
        (s->segment_sectors & (s->segment_sectors - 1)) != 0) {
        return refuse(why, "segment_sectors %u, limit a power of two from %u to %u",
                      s->segment_sectors, STORE_SEGMENT_SECTORS_MIN, STORE_SEGMENT_SECTORS_MAX);
    }
    if (s->segments < STORE_SEGMENTS_MIN || s->segments > STORE_SEGMENTS_MAX) {
        return refuse(why, "segments %u, limit %u to %u", s->segments, STORE_SEGMENTS_MIN,
                      STORE_SEGMENTS_MAX);
    }
    return true;
}

bool super_sound(const struct store_super *s, struct why *why)
{
    if (!begins_well(s, STORE_SUPER_MAGIC, sizeof(*s), why) || !super_sizes_sound(s, why)) {
        return false;
    }
    if (s->sectors > 1ull << 32) {
        return refuse(why, "sectors %ju, limit %ju", (uintmax_t)s->sectors, (uintmax_t)1 << 32);
    }
    uint64_t room = (uint64_t)s->segments * s->segment_sectors;
    if (room > s->sectors || s->first_segment > s->sectors - room) {
        return refuse(why, "first_segment %ju with %u segments of %u sectors, limit %ju sectors",
                      (uintmax_t)s->first_segment, s->segments, s->segment_sectors,
                      (uintmax_t)s->sectors);
    }
    uint64_t after = STORE_SUPER_COPY_SECTOR + 1;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t at = s->checkpoint[i];
        if (at < after || at > s->first_segment || s->checkpoint_sectors > s->first_segment - at) {
            return refuse(why, "checkpoint[%u] %ju of %u sectors, limit %ju to %ju", i,
                          (uintmax_t)at, s->checkpoint_sectors, (uintmax_t)after,
                          (uintmax_t)s->first_segment);
        }
        after = at + s->checkpoint_sectors;
    }
    return true;
}

bool checkpoint_sound(const struct store_super *s, const struct store_checkpoint *c,
                      struct why *why)
{
    if (!begins_well(c, STORE_CHECKPOINT_MAGIC, sizeof(*c), why) || !same_store(s, c->uuid, why)) {
        return false;
    }
    if (c->entries != store_slots(s)) {
        return refuse(why, "entries %u, must be %u", c->entries, store_slots(s));
    }
    if (c->sequence == 0 || c->batch == 0) {
        return refuse(why, "sequence %ju, batch %ju: both count from 1", (uintmax_t)c->sequence,
                      (uintmax_t)c->batch);
    }
    if (c->segment >= s->segments) {
        return refuse(why, "segment %u, limit %u", c->segment, s->segments - 1);
    }
    if (c->offset > s->segment_sectors || !IS_ALIGNED(c->offset, 8)) {
        return refuse(why, "offset %u, limit a multiple of 8 up to %u", c->offset,
                      s->segment_sectors);
    }
    return true;
}

bool batch_sound(const struct store_super *s, const struct store_batch *b, uint32_t segment,
                 uint32_t offset, struct why *why)
{
    if (!begins_well(b, STORE_BATCH_MAGIC, sizeof(*b), why) || !same_store(s, b->uuid, why)) {
        return false;
    }
    if (b->segment != segment) {
        return refuse(why, "segment %u, but it is in %u", b->segment, segment);
    }
    if (b->next_segment >= s->segments && b->next_segment != UINT32_MAX) {
        return refuse(why, "next_segment %u, limit %u", b->next_segment, s->segments - 1);
    }
    if (b->sectors < STORE_BATCH_HEADER_SECTORS || !IS_ALIGNED(b->sectors, 8) ||
        b->sectors > s->segment_sectors - offset) {
        return refuse(why, "sectors %u, limit a multiple of 8 from %u to %u", b->sectors,
                      STORE_BATCH_HEADER_SECTORS, s->segment_sectors - offset);
    }
    if (b->count > STORE_BATCH_ENTRIES) {
        return refuse(why, "count %u, limit %u", b->count, STORE_BATCH_ENTRIES);
    }
    if (b->sequence == 0) {
        return refuse(why, "sequence 0: batches count from 1");
    }
    return true;
}

bool place_sound(const struct store_super *s, const struct store_place *p, struct why *why)
{
    const uint32_t least = (sizeof(struct store_record) - 1) / STORE_SECTOR_BYTES + 1;
    if (!place_is_record(p)) {
        return p->sector <= STORE_EXISTS
                   ? true
                   : refuse(why, "marker %u, limit %u", p->sector, STORE_EXISTS);
    }
    uint64_t end = segment_sector(s, s->segments);
    if (p->sector < s->first_segment || p->sector >= end) {
        return refuse(why, "sector %u, limit %ju to %ju", p->sector, (uintmax_t)s->first_segment,
                      (uintmax_t)end - 1);
    }
    if (p->sectors < least || p->sectors > STORE_RECORD_SECTORS_MAX) {
        return refuse(why, "sectors %u, limit %u to %u", p->sectors, least,
                      STORE_RECORD_SECTORS_MAX);
    }
    uint32_t offset = (uint32_t)((p->sector - s->first_segment) % s->segment_sectors);
    if (offset < STORE_BATCH_HEADER_SECTORS || p->sectors > s->segment_sectors - offset) {
        return refuse(why, "sector %u with %u sectors, limit offsets %u to %u of its segment",
                      p->sector, p->sectors, STORE_BATCH_HEADER_SECTORS, s->segment_sectors);
    }
    if (store_size(p->hot) == 0 || store_size(p->hot) > store_size(store_size_code(p->sectors))) {
        return refuse(why, "hot %u sectors, limit 1 to %u", store_size(p->hot), p->sectors);
    }
    return true;
}

static bool kind_sound(const struct store_super *s, const struct store_entry *e, struct why *why)
{
    bool record = place_is_record(&e->place);
    if (e->kind < STORE_KIND_RECORD || e->kind > STORE_KIND_MARK) {
        return refuse(why, "kind %u, limit %u to %u", e->kind, STORE_KIND_RECORD, STORE_KIND_MARK);
    }
    if (record != (e->kind != STORE_KIND_MARK)) {
        return refuse(why, "kind %u with sector %u: records are from %u on", e->kind,
                      e->place.sector, STORE_MARKERS);
    }
    if (record && (e->slot > s->vms) != (e->kind == STORE_KIND_TEMPLATE)) {
        return refuse(why, "kind %u for slot %u: templates are the slots after %u", e->kind,
                      e->slot, s->vms);
    }
    return true;
}

bool entry_sound(const struct store_super *s, const struct store_batch *b, uint32_t offset,
                 const struct store_entry *e, struct why *why)
{
    if (e->slot == 0 || e->slot > store_slots(s)) {
        return refuse(why, "slot %u, limit 1 to %u", e->slot, store_slots(s));
    }
    if (!kind_sound(s, e, why) || !place_sound(s, &e->place, why)) {
        return false;
    }
    if (!place_is_record(&e->place)) {
        return true;
    }
    uint64_t begin = segment_sector(s, b->segment) + offset;
    uint64_t first = begin + STORE_BATCH_HEADER_SECTORS, end = begin + b->sectors;
    if (e->place.sector < first || e->place.sector + (uint64_t)e->place.sectors > end) {
        return refuse(why, "sector %u with %u sectors, limit %ju to %ju, its batch",
                      e->place.sector, e->place.sectors, (uintmax_t)first, (uintmax_t)end - 1);
    }
    return true;
}
