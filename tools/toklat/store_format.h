/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether the structures of abi/store.h are sound, one at a time. Nothing here reads or prints:
 * each function looks at bytes, and says in `why` (which may be NULL) what is wrong: the field, its
 * value and the limit.
 */
#ifndef TOKLAT_STORE_FORMAT_H
#define TOKLAT_STORE_FORMAT_H

#include "abi/store.h"
#include "core/base/types.h"

#define STORE_RECORD_BYTES_MAX (STORE_RECORD_SECTORS_MAX * STORE_SECTOR_BYTES)
#define STORE_HEAD_SECTORS_MAX 131u
#define STORE_PAGES_MAX 8192u /* of 4 KiB, in the 32 MiB that a VM may have */

_Static_assert(STORE_HEAD_SECTORS_MAX *STORE_SECTOR_BYTES >=
                   sizeof(struct store_record) + sizeof(struct store_extra) +
                       STORE_PAGES_MAX * sizeof(struct store_page),
               "a head");

struct why {
    char text[200];
};

/* Writes the reason; always false. */
bool refuse(struct why *why, const char *format, ...) PRINTF(2, 3);

/* The checksum of a structure whose `crc` is at offset 12, as all of them have it. */
uint32_t structure_crc(const void *structure, size_t bytes);

/* All but its `sectors` against the device, which may be shorter. */
bool super_sound(const struct store_super *s, struct why *why);
bool checkpoint_sound(const struct store_super *s, const struct store_checkpoint *c,
                      struct why *why);
/* A batch header that was read there. */
bool batch_sound(const struct store_super *s, const struct store_batch *b, uint32_t segment,
                 uint32_t offset, struct why *why);
/* An entry of a sound batch at `offset` of its segment. */
bool entry_sound(const struct store_super *s, const struct store_batch *b, uint32_t offset,
                 const struct store_entry *e, struct why *why);
/* What an index says of a slot: a marker that is known, or a record's place in a segment. */
bool place_sound(const struct store_super *s, const struct store_place *p, struct why *why);

/* A record's head, of which `bytes` are there, aligned to 8. `slot` 0: any. */
bool head_sound(const struct store_super *s, uint32_t slot, const struct store_record *r,
                size_t bytes, struct why *why);
/* Whether a sound head fits what its place says. */
bool head_fits(const struct store_record *r, const struct store_place *p, struct why *why);
/* The pages of a sound head; all of the record is there. */
bool pages_sound(const struct store_record *r, struct why *why);
/* The table of pages, of a sound head. */
const struct store_page *record_pages(const struct store_record *r);

static inline uint32_t store_slots(const struct store_super *s)
{
    return s->vms + STORE_TEMPLATES_MAX;
}

static inline uint64_t segment_sector(const struct store_super *s, uint32_t segment)
{
    return s->first_segment + (uint64_t)segment * s->segment_sectors;
}

/* Of a place that is a record's. */
static inline uint32_t segment_of(const struct store_super *s, uint64_t sector)
{
    return (uint32_t)((sector - s->first_segment) / s->segment_sectors);
}

static inline bool place_is_record(const struct store_place *p)
{
    return p->sector >= STORE_MARKERS;
}

#endif
