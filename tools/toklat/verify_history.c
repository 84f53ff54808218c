/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The index against the log's history, as far as that reaches: segments are used again, so what is
 * left is not all. Yet every record that is live has its batch, and nothing newer of its slot may
 * be whole anywhere.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/toklat.h"
#include "tools/toklat/verify.h"

/* The newest entry of a slot that is not where the index says. */
struct newest {
    uint64_t sequence;
    struct store_place place;
};

struct history {
    struct walk walk;
    struct store *store;
    struct verify_counts *counts;
    struct newest *other; /* slot i + 1 */
    uint64_t *seen;       /* sequence of the batch that has what the index says; 0: none yet */
    uint64_t *newest;     /* highest sequence of a batch, by segment */
    uint64_t previous;    /* sequence of the batch before, in this segment */
};

static void see_entry(struct history *h, const struct store_batch *b, uint32_t offset, uint32_t i)
{
    struct store *s = h->store;
    const struct store_entry *e = store_batch_entry(s, b, offset, i);
    if (!e) {
        return;
    }
    const struct store_place *p = &s->index[e->slot - 1].place;
    if (memcmp(p, &e->place, sizeof(*p)) == 0) {
        h->seen[e->slot - 1] = MAX(h->seen[e->slot - 1], b->sequence);
    } else if (b->sequence > h->other[e->slot - 1].sequence) {
        h->other[e->slot - 1] = (struct newest){b->sequence, e->place};
    }
}

static void see_batch(struct walk *w, const struct store_batch *b, uint32_t offset)
{
    struct history *h = container_of(w, struct history, walk);
    struct store *s = h->store;
    h->counts->batches++;
    if (b->sequence >= s->next_batch) {
        finding(s->findings, FINDING_ERROR,
                "batch %ju, segment %u, offset %u: sequence %ju, limit %ju, the log's end",
                (uintmax_t)b->sequence, b->segment, offset, (uintmax_t)b->sequence,
                (uintmax_t)s->next_batch - 1);
    }
    if (w->gap && h->previous && b->sequence > h->previous) {
        finding(s->findings, FINDING_NOTE, /* should a live record be there, it says so itself */
                "batch %ju, segment %u, offset %u: what was before it, after batch %ju, is damaged",
                (uintmax_t)b->sequence, b->segment, offset, (uintmax_t)h->previous);
    }
    if (b->boots > s->super.boots) {
        finding(s->findings, FINDING_ERROR,
                "batch %ju, segment %u, offset %u: boots %ju, limit %ju", (uintmax_t)b->sequence,
                b->segment, offset, (uintmax_t)b->boots, (uintmax_t)s->super.boots);
    }
    h->previous = b->sequence;
    h->newest[b->segment] = MAX(h->newest[b->segment], b->sequence);
    for (uint32_t i = 0; i < b->count; i++) {
        see_entry(h, b, offset, i);
    }
}

static void see_orphan(struct walk *w, const struct store_record *r, uint64_t sector)
{
    (void)r;
    (void)sector;
    container_of(w, struct history, walk)->counts->orphans++;
}

/* Whether the batch of a record may have been the last one, torn in its header: the log went on
 * elsewhere. */
static bool was_last(const struct history *h, uint32_t slot, const struct store_place *p)
{
    const struct store_super *super = &h->store->super;
    const struct store_record *r = store_record_head(h->store, slot, p, NULL);
    return r &&
           r->sequence > h->newest[(p->sector - super->first_segment) / super->segment_sectors];
}

static void compare(struct history *h, uint32_t slot)
{
    struct store *s = h->store;
    const struct store_place *p = &s->index[slot - 1].place;
    const struct newest *other = &h->other[slot - 1];
    uint64_t seen = h->seen[slot - 1];
    if (!place_is_record(p)) {
        return; /* its batch may be gone */
    }
    if (seen == 0) {
        finding(s->findings, was_last(h, slot, p) ? FINDING_NOTE : FINDING_ERROR,
                "slot %u: sector %u: no sound batch has this record", slot, p->sector);
        return;
    }
    if (other->sequence <= seen) {
        return;
    }
    bool torn = place_is_record(&other->place) && !store_record_whole(s, slot, &other->place, NULL);
    if (!torn) {
        finding(s->findings, FINDING_ERROR,
                "slot %u: the index says sector %u, of batch %ju; batch %ju says sector %u", slot,
                p->sector, (uintmax_t)seen, (uintmax_t)other->sequence, other->place.sector);
    }
}

static void look_at_all(struct history *h)
{
    struct store *s = h->store;
    struct progress bar;
    progress_begin(&bar, "segments", s->super.segments);
    for (uint32_t i = 0; i < s->super.segments && !cancelled(); i++) {
        h->previous = 0;
        progress_show(&bar, i);
        store_walk(s, &h->walk, i, 0);
    }
    for (uint32_t slot = 1; slot <= store_slots(&s->super) && !cancelled(); slot++) {
        compare(h, slot);
    }
    progress_end(&bar);
}

bool verify_history(struct store *s, struct verify_counts *counts)
{
    struct history h = {.store = s, .counts = counts};
    uint32_t slots = store_slots(&s->super);
    h.walk = (struct walk){.batch = see_batch, .orphan = see_orphan};
    h.other = calloc(slots, sizeof(*h.other));
    h.seen = calloc(slots, sizeof(*h.seen));
    h.newest = calloc(s->super.segments, sizeof(*h.newest));
    bool memory = h.other && h.seen && h.newest;
    if (memory) {
        look_at_all(&h);
    }
    free(h.other);
    free(h.seen);
    free(h.newest);
    return memory;
}
