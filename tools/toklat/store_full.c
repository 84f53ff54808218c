/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every segment, when a checkpoint or a batch header is damaged. The newest sound record of every
 * slot wins: by the sequence of its batch, or by its own where its batch's header is lost. What a
 * checkpoint says counts as of the batch before the one that it names.
 */
#include "tools/toklat/store_read.h"
#include "tools/toklat/toklat.h"

struct full {
    struct walk walk;
    struct store *store;
    uint64_t base; /* batches below it are in the index */
    uint32_t last_offset;
};

/* The sequence that counts for what the index says of a slot. */
static uint64_t sequence_of(const struct full *f, uint32_t slot)
{
    uint64_t sequence = f->store->sequence[slot - 1];
    return sequence ? sequence : f->base - 1;
}

static void take_entry(struct full *f, const struct store_batch *b, uint32_t offset, uint32_t i)
{
    struct store *s = f->store;
    const struct store_entry *e = store_batch_entry(s, b, offset, i);
    if (!e || b->sequence < sequence_of(f, e->slot)) {
        return;
    }
    struct why why;
    if (place_is_record(&e->place) && !store_record_whole(s, e->slot, &e->place, &why)) {
        s->damaged++;
        finding(s->findings, FINDING_NOTE, "slot %u: passed over in batch %ju: sector %u: %s",
                e->slot, (uintmax_t)b->sequence, e->place.sector, why.text);
        return;
    }
    store_apply(s, e, b->sequence);
}

static void take_batch(struct walk *w, const struct store_batch *b, uint32_t offset)
{
    struct full *f = container_of(w, struct full, walk);
    struct store *s = f->store;
    if (b->sequence >= s->next_batch) {
        s->last = *b;
        s->segment = b->segment;
        s->offset = offset + b->sectors;
        s->next_segment = b->next_segment < s->super.segments ? b->next_segment : b->segment;
        s->next_batch = b->sequence + 1;
    }
    if (b->sequence >= f->base) {
        s->batches++;
        for (uint32_t i = 0; i < b->count; i++) {
            take_entry(f, b, offset, i);
        }
    }
}

bool store_take_orphan(struct store *s, const struct store_record *head, uint64_t sector,
                       uint64_t above)
{
    uint32_t slot = head->slot, frames = MIN(head->hot_pages + 4u, STORE_SIZE_MAX);
    struct store_place place = {.sector = (uint32_t)sector, .sectors = (uint16_t)head->sectors};
    uint64_t sequence = head->sequence, deadline_ns = head->deadline_ns;
    uint32_t hot = (uint32_t)(((uint64_t)head->hot_bytes + 511) / STORE_SECTOR_BYTES);
    if (slot == 0 || slot > store_slots(&s->super) || head->sectors > STORE_RECORD_SECTORS_MAX) {
        return false;
    }
    place.hot = store_size_code(MIN(hot, head->sectors));
    place.frames = store_size_code(frames);
    if (!place_sound(&s->super, &place, NULL) || !store_record_whole(s, slot, &place, NULL)) {
        return false;
    }
    const struct store_place *old = &s->index[slot - 1].place;
    bool lost = place_is_record(old) && !store_record_head(s, slot, old, NULL);
    if (sequence <= above && !lost) {
        return false;
    }
    struct store_entry e = {.slot = slot, .place = place, .deadline_ns = deadline_ns};
    store_apply(s, &e, sequence);
    return true;
}

static void take_orphan(struct walk *w, const struct store_record *head, uint64_t sector)
{
    struct full *f = container_of(w, struct full, walk);
    bool has_slot = head->slot > 0 && head->slot <= store_slots(&f->store->super);
    (void)(has_slot && store_take_orphan(f->store, head, sector, sequence_of(f, head->slot)));
}

void store_full_read(struct store *s)
{
    struct full f = {.walk = {.batch = take_batch, .orphan = take_orphan}, .store = s, .base = 1};
    struct progress bar;
    store_index_again(s);
    if (s->newest >= 0) {
        f.base = s->checkpoint[s->newest].head.batch;
    }
    s->full = true;
    s->batches = 0;
    s->torn = 0;
    s->last = (struct store_batch){0};
    s->next_batch = f.base;
    progress_begin(&bar, "all segments", s->super.segments);
    for (uint32_t i = 0; i < s->super.segments && !cancelled(); i++) {
        progress_show(&bar, i);
        store_walk(s, &f.walk, i, 0);
    }
    progress_end(&bar);
}
