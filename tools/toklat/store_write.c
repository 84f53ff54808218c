/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Batches and checkpoints at the end of a log.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "tools/toklat/store.h"
#include "tools/toklat/store_write.h"
#include "tools/toklat/toklat.h"

#define CHUNK_SECTORS 2048u
#define NO_SEGMENT UINT32_MAX

bool packing_full(const struct packing *p, uint32_t sectors)
{
    return p->count == STORE_BATCH_ENTRIES || p->used + sectors > WRITE_BATCH_SECTORS;
}

bool packing_end(struct packing *p, uint32_t segment_sectors)
{
    uint32_t sectors = ALIGN_UP(p->used, STORE_BATCH_HEADER_SECTORS);
    bool fresh = p->segments == 0 || sectors > segment_sectors - p->offset;
    if (fresh) {
        p->segments++;
        p->offset = 0;
    }
    p->offset += sectors;
    p->count = 0;
    p->used = STORE_BATCH_HEADER_SECTORS;
    return fresh;
}

bool super_write(struct image *im, struct store_super *s)
{
    s->crc = structure_crc(s, sizeof(*s));
    return image_write(im, STORE_SUPER_SECTOR, s, 1) && im->flush(im) &&
           image_write(im, STORE_SUPER_COPY_SECTOR, s, 1) && im->flush(im);
}

static bool write_index(struct store *s, unsigned area)
{
    uint32_t sectors = (uint32_t)store_checkpoint_sectors(s->super.vms) - 1;
    const char *from = (const char *)s->index;
    bool well = true;
    for (uint32_t done = 0; done < sectors && well; done += CHUNK_SECTORS) {
        uint32_t n = MIN(sectors - done, CHUNK_SECTORS);
        well = image_write(s->image, s->super.checkpoint[area] + 1 + done,
                           from + (size_t)done * STORE_SECTOR_BYTES, n);
    }
    return well;
}

/* The index as it is; the log goes on at the start of w->segment. */
static bool write_checkpoint(struct writer *w, bool clean)
{
    struct store *s = w->store;
    size_t bytes = store_slots(&s->super) * sizeof(struct store_index);
    struct store_checkpoint c = {.magic = STORE_CHECKPOINT_MAGIC, .version = STORE_VERSION};
    memcpy(c.uuid, s->super.uuid, sizeof(c.uuid));
    c.sequence = w->checkpoint + 1;
    c.batch = s->next_batch;
    c.segment = w->segment;
    c.wall_ns = time_now_ns();
    c.ticks_ns = w->ticks_ns;
    c.entries = store_slots(&s->super);
    c.entries_crc = crc32c(0, s->index, bytes);
    c.clean = clean;
    c.next_segment = w->next_segment;
    c.boots = s->super.boots;
    c.crc = structure_crc(&c, sizeof(c));
    if (!write_index(s, w->area) || !image_write(s->image, s->super.checkpoint[w->area], &c, 1) ||
        !s->image->flush(s->image)) {
        return false;
    }
    w->checkpoint = c.sequence;
    w->area ^= 1;
    return true;
}

/* A free segment other than that which is written to; NO_SEGMENT: there is none. */
static uint32_t take_free(struct writer *w)
{
    const struct store *s = w->store;
    for (uint32_t i = 0; i < s->super.segments; i++) {
        if (store_segment_free(s, w->live, i) && i != w->segment && i != w->next_segment) {
            return i;
        }
    }
    return NO_SEGMENT;
}

static bool enough_free(struct writer *w, uint32_t segments, const char *path)
{
    const struct store *s = w->store;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->super.segments; i++) {
        n += store_segment_free(s, w->live, i);
    }
    if (n < segments + WRITE_KEPT_FREE) {
        complain("%s: %u segments needed, %u free, of which %u are kept", path, segments, n,
                 WRITE_KEPT_FREE);
        return false;
    }
    return true;
}

bool writer_begin(struct writer *w, struct store *s, uint32_t segments, const char *path)
{
    const struct store_checkpoint *c = &s->checkpoint[s->newest].head;
    *w = (struct writer){.store = s, .segment = NO_SEGMENT, .next_segment = NO_SEGMENT};
    w->packing.used = STORE_BATCH_HEADER_SECTORS;
    w->live = store_segments_live(s);
    w->batch = calloc(WRITE_BATCH_SECTORS, STORE_SECTOR_BYTES);
    w->checkpoint = c->sequence;
    w->ticks_ns = MAX(c->ticks_ns, s->last.ticks_ns);
    w->clean = c->clean && c->boots == s->super.boots && s->batches == 0;
    w->area = s->newest == 0;
    if (!w->live || !w->batch) {
        complain("%s: not enough memory", path);
        return false;
    }
    if (!enough_free(w, segments, path)) {
        return false;
    }
    w->segment = take_free(w);
    w->next_segment = take_free(w);
    if (!write_checkpoint(w, false)) {
        complain("%s: the checkpoint cannot be written", path);
        return false;
    }
    return true;
}

/* Where the records are is known now; so the entries, and the index. */
static void place_entries(struct writer *w, uint64_t sector)
{
    struct store *s = w->store;
    for (uint32_t i = 0; i < w->batch->count; i++) {
        struct store_entry *e = &w->batch->entries[i];
        if (e->kind != STORE_KIND_MARK) {
            e->place.sector = (uint32_t)(e->place.sector + sector);
            w->live[w->segment] += e->place.sectors;
        }
        store_apply(s, e, w->batch->sequence);
    }
}

static bool write_batch(struct writer *w)
{
    struct store *s = w->store;
    struct store_batch *b = w->batch;
    uint32_t sectors = ALIGN_UP(w->packing.used, STORE_BATCH_HEADER_SECTORS);
    bool first = w->packing.segments == 0;
    if (packing_end(&w->packing, s->super.segment_sectors) && !first) {
        w->segment = w->next_segment;
        w->next_segment = take_free(w);
    }
    if (w->segment == NO_SEGMENT || w->next_segment == NO_SEGMENT) {
        return false;
    }
    uint64_t sector = segment_sector(&s->super, w->segment) + w->packing.offset - sectors;
    b->magic = STORE_BATCH_MAGIC;
    b->version = STORE_VERSION;
    memcpy(b->uuid, s->super.uuid, sizeof(b->uuid));
    b->sequence = s->next_batch++;
    b->checkpoint = w->checkpoint;
    b->segment = w->segment;
    b->next_segment = w->next_segment;
    b->sectors = sectors;
    b->wall_ns = time_now_ns();
    b->ticks_ns = w->ticks_ns;
    b->boots = s->super.boots;
    place_entries(w, sector);
    b->crc = structure_crc(b, sizeof(*b));
    bool well = image_write(s->image, sector, b, sectors) && s->image->flush(s->image);
    memset(b, 0, WRITE_BATCH_SECTORS * (size_t)STORE_SECTOR_BYTES);
    w->failed = !well;
    return well;
}

bool writer_add(struct writer *w, const struct store_entry *e, const void *record)
{
    struct store *s = w->store;
    uint32_t sectors = record ? e->place.sectors : 0;
    if (packing_full(&w->packing, sectors) && !write_batch(w)) {
        return false;
    }
    struct store_entry *to = &w->batch->entries[w->batch->count++];
    *to = *e;
    w->packing.count++;
    if (record) {
        char *place = (char *)w->batch + (size_t)w->packing.used * STORE_SECTOR_BYTES;
        struct store_record *r = (struct store_record *)place;
        memcpy(r, record, (size_t)sectors * STORE_SECTOR_BYTES);
        memcpy(r->uuid, s->super.uuid, sizeof(r->uuid));
        r->slot = e->slot;
        r->sequence = s->next_batch;
        r->boots = s->super.boots;
        r->crc = structure_crc(r, r->head_bytes);
        to->place.sector = w->packing.used; /* made absolute when the batch is written */
        w->packing.used += sectors;
    }
    return true;
}

bool writer_end(struct writer *w)
{
    if (w->failed || (w->batch->count > 0 && !write_batch(w))) {
        return false;
    }
    if (w->packing.segments > 0) {
        w->segment = w->next_segment;
    }
    return write_checkpoint(w, w->clean);
}

void writer_free(struct writer *w)
{
    free(w->live);
    free(w->batch);
}
