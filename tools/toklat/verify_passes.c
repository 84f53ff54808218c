/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Passes over superblock, records and places.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/toklat.h"
#include "tools/toklat/verify.h"

void verify_super(struct store *s)
{
    struct store_super copy[2];
    if (!image_read(s->image, STORE_SUPER_SECTOR, &copy[0], 1) ||
        !image_read(s->image, STORE_SUPER_COPY_SECTOR, &copy[1], 1) ||
        !super_sound(&copy[0], NULL) || !super_sound(&copy[1], NULL)) {
        return; /* said when it was opened */
    }
    if (copy[0].boots != copy[1].boots) {
        finding(s->findings, FINDING_NOTE, "superblock: boots %ju, its copy %ju",
                (uintmax_t)copy[0].boots, (uintmax_t)copy[1].boots);
    }
    for (unsigned i = 0; i < 2; i++) { /* what a boot changes */
        copy[i].boots = 0;
        copy[i].deployment = 0;
        copy[i].crc = 0;
    }
    if (memcmp(&copy[0], &copy[1], sizeof(copy[0])) != 0) {
        finding(s->findings, FINDING_ERROR,
                "superblock: the copy at sector %u differs in more than boots and deployment",
                STORE_SUPER_COPY_SECTOR);
    }
}

/* Keys of the templates that are there. */
struct keys {
    uint64_t key[STORE_TEMPLATES_MAX];
    unsigned count;
};

static bool has_key(const struct keys *k, uint64_t key)
{
    unsigned i = 0;
    while (i < k->count && k->key[i] != key) {
        i++;
    }
    return i < k->count;
}

static void verify_record(struct store *s, uint32_t slot, struct keys *keys,
                          struct verify_counts *counts)
{
    const struct store_place *p = &s->index[slot - 1].place;
    struct why why;
    const struct store_record *r = store_record_whole(s, slot, p, &why);
    if (!r) {
        finding(s->findings, FINDING_ERROR, "slot %u: sector %u: %s", slot, p->sector, why.text);
        return;
    }
    counts->pages += r->pages;
    counts->bytes += (uint64_t)p->sectors * STORE_SECTOR_BYTES;
    if (slot > s->super.vms) {
        counts->templates++;
        keys->key[keys->count++] = r->template;
        return;
    }
    counts->records++;
    if (r->template && !has_key(keys, r->template)) {
        finding(s->findings, FINDING_NOTE, "slot %u: sector %u: template 0x%jx is not in the store",
                slot, p->sector, (uintmax_t)r->template);
    }
    if (r->boots > s->super.boots) {
        finding(s->findings, FINDING_ERROR, "slot %u: sector %u: boots %ju, limit %ju", slot,
                p->sector, (uintmax_t)r->boots, (uintmax_t)s->super.boots);
    }
    if (r->sequence >= s->next_batch) {
        finding(s->findings, FINDING_ERROR, "slot %u: sector %u: sequence %ju, limit %ju", slot,
                p->sector, (uintmax_t)r->sequence, (uintmax_t)s->next_batch - 1);
    }
}

void verify_records(struct store *s, struct verify_counts *counts)
{
    struct keys keys = {.count = 0};
    struct progress bar;
    uint32_t slots = store_slots(&s->super);
    progress_begin(&bar, "records", slots);
    for (uint32_t i = 0; i < slots && !cancelled(); i++) {
        uint32_t slot = slots - i; /* templates first */
        if (place_is_record(&s->index[slot - 1].place)) {
            verify_record(s, slot, &keys, counts);
        }
        progress_show(&bar, i);
    }
    progress_end(&bar);
}

struct span {
    uint32_t sector, sectors, slot;
};

static int by_sector(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return x->sector < y->sector ? -1 : x->sector > y->sector;
}

bool verify_places(struct store *s)
{
    uint32_t slots = store_slots(&s->super), n = 0;
    struct span *span = calloc(slots, sizeof(*span));
    for (uint32_t i = 0; span && i < slots; i++) {
        const struct store_place *p = &s->index[i].place;
        if (place_is_record(p)) {
            span[n++] = (struct span){p->sector, p->sectors, i + 1};
        }
    }
    if (!span) {
        return false;
    }
    qsort(span, n, sizeof(*span), by_sector);
    uint64_t end = 0;
    uint32_t owner = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (span[i].sector < end) {
            finding(s->findings, FINDING_ERROR,
                    "slot %u: sector %u is inside the record of slot %u, which ends before %ju",
                    span[i].slot, span[i].sector, owner, (uintmax_t)end);
        }
        if (span[i].sector + (uint64_t)span[i].sectors > end) {
            end = span[i].sector + (uint64_t)span[i].sectors;
            owner = span[i].slot;
        }
    }
    free(span);
    return true;
}
