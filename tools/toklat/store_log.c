/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log from the newest sound checkpoint on. Every batch but the last was flushed before the next
 * one began, so only the last may be torn: its records are looked at one by one.
 *
 *   expected n:  at the end of batch n - 1?  or at the start of its next_segment?  else it ends
 *
 * Whatever says that this is not all there is (a later batch, a later checkpoint) leads to reading
 * everything (store_full.c). Every header has one sequence, so following rising sequences ends.
 */
#include "tools/toklat/store_read.h"
#include "tools/toklat/toklat.h"

enum place_holds { HOLDS_NEXT, HOLDS_OTHER, HOLDS_LATER };

bool store_batch_read(struct store *s, uint32_t segment, uint32_t offset, struct store_batch *b,
                      struct why *why)
{
    if (segment >= s->super.segments || offset > s->super.segment_sectors ||
        s->super.segment_sectors - offset < STORE_BATCH_HEADER_SECTORS) {
        refuse(why, "no room for a header");
        return false;
    }
    uint64_t sector = segment_sector(&s->super, segment) + offset;
    if (!image_read(s->image, sector, b, STORE_BATCH_HEADER_SECTORS)) {
        refuse(why, "cannot be read");
        return false;
    }
    return batch_sound(&s->super, b, segment, offset, why);
}

/* Heads of records in 8 sectors that are no batch header. */
static void walk_gap(struct walk *w, uint64_t sector, const void *bytes)
{
    for (unsigned i = 0; w->orphan && i < STORE_BATCH_HEADER_SECTORS; i++) {
        const struct store_record *head =
            (const struct store_record *)((const char *)bytes + (size_t)i * STORE_SECTOR_BYTES);
        if (head->magic == STORE_RECORD_MAGIC) {
            w->orphan(w, head, sector + i);
        }
    }
}

/* Where data is next, from `offset` of the segment on; rounded down to 8 sectors. */
static uint32_t next_data(struct store *s, uint32_t segment, uint32_t offset)
{
    uint64_t begin = segment_sector(&s->super, segment);
    uint64_t from = (begin + offset) * STORE_SECTOR_BYTES;
    uint64_t at = s->image->next_data(s->image, from);
    uint64_t sector = at / STORE_SECTOR_BYTES - begin;
    if (at < from || at >= s->image->bytes || sector >= s->super.segment_sectors) {
        return s->super.segment_sectors;
    }
    return MAX(offset, ALIGN_DOWN((uint32_t)sector, STORE_BATCH_HEADER_SECTORS));
}

void store_walk(struct store *s, struct walk *w, uint32_t segment, uint32_t offset)
{
    _Alignas(8) struct store_batch b;
    w->gap = false;
    while (!w->stop && !cancelled()) {
        uint32_t data = next_data(s, segment, offset);
        w->gap = w->gap || data > offset;
        offset = data;
        if (s->super.segment_sectors - offset < STORE_BATCH_HEADER_SECTORS) {
            break;
        }
        uint64_t sector = segment_sector(&s->super, segment) + offset;
        if (!image_read(s->image, sector, &b, STORE_BATCH_HEADER_SECTORS)) {
            w->gap = true;
            offset += STORE_BATCH_HEADER_SECTORS;
        } else if (batch_sound(&s->super, &b, segment, offset, NULL)) {
            w->batch(w, &b, offset);
            w->gap = false;
            offset += b.sectors;
        } else {
            w->gap = true;
            walk_gap(w, sector, &b);
            offset += STORE_BATCH_HEADER_SECTORS;
        }
    }
}

void store_apply(struct store *s, const struct store_entry *e, uint64_t sequence)
{
    s->index[e->slot - 1] = (struct store_index){e->place, e->deadline_ns};
    s->sequence[e->slot - 1] = sequence;
}

const struct store_entry *store_batch_entry(const struct store *s, const struct store_batch *b,
                                            uint32_t offset, uint32_t i)
{
    const struct store_entry *e = &b->entries[i];
    struct why why;
    if (!entry_sound(&s->super, b, offset, e, &why)) {
        finding(s->findings, FINDING_ERROR, "batch %ju, segment %u, offset %u: entry %u: %s",
                (uintmax_t)b->sequence, b->segment, offset, i, why.text);
        return NULL;
    }
    return e;
}

static void apply_batch(struct store *s, const struct store_batch *b, uint32_t offset, bool last)
{
    struct why why;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct store_entry *e = store_batch_entry(s, b, offset, i);
        if (!e) {
            continue;
        }
        if (last && place_is_record(&e->place) &&
            !store_record_whole(s, e->slot, &e->place, &why)) {
            s->torn++;
            finding(s->findings, FINDING_NOTE,
                    "slot %u: torn in the last batch, %ju, and stays as it was: sector %u: %s",
                    e->slot, (uintmax_t)b->sequence, e->place.sector, why.text);
        } else {
            store_apply(s, e, b->sequence);
        }
    }
}

static enum place_holds look(struct store *s, uint32_t segment, uint32_t offset,
                             struct store_batch *b)
{
    uint64_t checkpoint = s->checkpoint[s->newest].head.sequence;
    if (!store_batch_read(s, segment, offset, b, NULL)) {
        return HOLDS_OTHER;
    }
    if (b->sequence > s->next_batch) {
        return HOLDS_LATER;
    }
    if (b->sequence < s->next_batch) {
        return HOLDS_OTHER;
    }
    return b->checkpoint > checkpoint ? HOLDS_LATER : HOLDS_NEXT;
}

/* Whether the last batch is at the start of the next segment again, because it was not believed to
 * be durable where it was found. That happens to one once, and never at a segment's start. */
static bool written_again(struct store *s, struct store_batch *b)
{
    return s->batches > 0 && s->offset > s->last.sectors &&
           store_batch_read(s, s->next_segment, 0, b, NULL) && b->sequence == s->last.sequence;
}

/* The batch `next_batch`, at s->offset of s->segment, or at the start of the next segment. */
static enum place_holds look_on(struct store *s, struct store_batch *b, uint32_t *segment,
                                uint32_t *offset)
{
    enum place_holds here = look(s, s->segment, s->offset, b);
    *segment = s->segment;
    *offset = s->offset;
    if (here != HOLDS_NEXT && s->next_segment != s->segment) {
        enum place_holds next = look(s, s->next_segment, 0, b);
        *segment = s->next_segment;
        *offset = 0;
        next = next == HOLDS_OTHER && written_again(s, b) ? HOLDS_NEXT : next;
        here = next == HOLDS_OTHER ? here : next;
    }
    return here;
}

struct ahead {
    struct walk walk;
    struct store *store;
    uint64_t expected;
};

static void see_ahead(struct walk *w, const struct store_batch *b, uint32_t offset)
{
    struct ahead *a = container_of(w, struct ahead, walk);
    (void)offset;
    w->stop = b->sequence > a->expected;
}

/* The last batch may be torn in its header: what is whole of it counts. */
static void take_ahead(struct walk *w, const struct store_record *head, uint64_t sector)
{
    struct ahead *a = container_of(w, struct ahead, walk);
    struct store *s = a->store;
    uint64_t sequence = head->sequence;
    uint32_t slot = head->slot;
    if (sequence >= a->expected && store_take_orphan(s, head, sector, a->expected - 1)) {
        s->next_batch = MAX(s->next_batch, sequence + 1);
        finding(s->findings, FINDING_NOTE,
                "slot %u: the header of its batch, %ju, the last one, is torn: sector %ju", slot,
                (uintmax_t)sequence, (uintmax_t)sector);
    }
}

static bool walk_ahead(struct store *s, struct ahead *a)
{
    store_walk(s, &a->walk, s->segment, s->offset);
    if (!a->walk.stop && s->next_segment != s->segment) {
        store_walk(s, &a->walk, s->next_segment, 0);
    }
    return a->walk.stop;
}

/* Whether a later batch is where the next ones would be: then one in between is damaged. */
static bool later_ahead(struct store *s)
{
    struct ahead a = {.walk = {.batch = see_ahead}, .store = s, .expected = s->next_batch};
    return walk_ahead(s, &a);
}

static void take_torn(struct store *s)
{
    struct ahead a = {
        .walk = {.batch = see_ahead, .orphan = take_ahead}, .store = s, .expected = s->next_batch};
    (void)walk_ahead(s, &a);
}

/* Where the log goes on; in its own segment when nothing says so. */
static uint32_t next_or(const struct store *s, uint32_t next, uint32_t segment)
{
    return next < s->super.segments ? next : segment;
}

static void begin_at_checkpoint(struct store *s)
{
    const struct store_checkpoint *c = &s->checkpoint[s->newest].head;
    s->segment = c->segment;
    s->offset = c->offset;
    s->next_segment = next_or(s, c->next_segment, c->segment);
    s->next_batch = c->batch;
}

void store_log_read(struct store *s)
{
    struct store_batch b;
    uint32_t segment, offset, last_offset = 0;
    enum place_holds holds;
    begin_at_checkpoint(s);
    while ((holds = look_on(s, &b, &segment, &offset)) == HOLDS_NEXT && !cancelled()) {
        if (s->batches > 0) {
            apply_batch(s, &s->last, last_offset, b.sequence == s->last.sequence);
        }
        s->last = b;
        s->batches++;
        last_offset = offset;
        s->segment = segment;
        s->offset = offset + b.sectors;
        s->next_segment = next_or(s, b.next_segment, segment);
        s->next_batch = b.sequence + 1;
    }
    if (holds == HOLDS_LATER || later_ahead(s)) {
        finding(s->findings, FINDING_ERROR,
                "log: batch %ju is missing after segment %u, offset %u, and later ones are there: "
                "all segments are read",
                (uintmax_t)s->next_batch, s->segment, s->offset);
        store_full_read(s);
        return;
    }
    if (s->batches > 0) {
        apply_batch(s, &s->last, last_offset, true);
    }
    take_torn(s);
}
