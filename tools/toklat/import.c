/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat store import: an archive's VMs into a store. The whole archive is checked before anything
 * is written; nothing in it is trusted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "tools/toklat/archive.h"
#include "tools/toklat/store.h"
#include "tools/toklat/store_write.h"
#include "tools/toklat/toklat.h"

static const char usage[] =
    "Usage: toklat store import FILE IN [--force]\n"
    "\n"
    "Adds the VMs of the archive IN, and the templates that they need, to the store FILE, which "
    "no\n"
    "machine may be using.\n"
    "\n"
    "  --force        although it is of another deployment, or VMs are there already\n"
    "  --no-progress  no bar\n";

struct import_job {
    struct store *store;
    const char *path, *in_path;
    FILE *in;
    bool force;
    struct archive_head head;
    struct store_super origin; /* what of the source's superblock a record's check needs */
    uint8_t *seen;             /* slots of the store */
    struct packing packing;
    uint64_t key[STORE_TEMPLATES_MAX];     /* of the templates in the store */
    uint32_t slot_of[STORE_TEMPLATES_MAX]; /* where a template of the archive goes, 0: nowhere */
    uint32_t entries, taken;
};

/* "IN: ..."; always false. */
static bool broken(const struct import_job *m, const char *what)
{
    complain("%s: entry %u: %s", m->in_path, m->entries + 1, what);
    return false;
}

static bool get(struct import_job *m, void *to, size_t n, uint32_t *crc)
{
    if (fread(to, 1, n, m->in) != n) {
        return broken(m, "the archive ends too early, or cannot be read");
    }
    *crc = crc32c(*crc, to, n);
    return true;
}

static bool read_head(struct import_job *m)
{
    struct archive_head *h = &m->head;
    if (fread(h, sizeof(*h), 1, m->in) != 1 || h->magic != ARCHIVE_MAGIC) {
        complain("%s: not an archive of a store", m->in_path);
        return false;
    }
    if (h->version != ARCHIVE_VERSION) {
        complain("%s: archive version %u, this tool knows %u", m->in_path, h->version,
                 ARCHIVE_VERSION);
        return false;
    }
    if (h->crc != structure_crc(h, sizeof(*h)) || h->vms == 0 || h->vms > STORE_VMS_MAX) {
        complain("%s: its head is damaged", m->in_path);
        return false;
    }
    m->origin.vms = h->vms;
    memcpy(m->origin.uuid, h->uuid, sizeof(m->origin.uuid));
    return true;
}

static bool same_deployment(const struct import_job *m)
{
    uint64_t ours = m->store->super.deployment, theirs = m->head.deployment;
    if (ours == theirs || ours == 0 || m->force) {
        return true;
    }
    complain("%s: deployment 0x%jx, the store's is 0x%jx; --force imports it anyway", m->in_path,
             (uintmax_t)theirs, (uintmax_t)ours);
    return false;
}

/* Keys of the store's own templates. */
static void learn_templates(struct import_job *m)
{
    struct store *s = m->store;
    for (uint32_t i = 0; i < STORE_TEMPLATES_MAX; i++) {
        uint32_t slot = s->super.vms + 1 + i;
        const struct store_place *p = &s->index[slot - 1].place;
        const struct store_record *r =
            place_is_record(p) ? store_record_head(s, slot, p, NULL) : NULL;
        m->key[i] = r ? r->template : 0;
    }
}

/* Where the template of the archive's `slot` goes. 0: it is there already. */
static bool template_slot(struct import_job *m, uint32_t slot, uint64_t key, uint32_t *to)
{
    struct store *s = m->store;
    uint32_t vacant = 0;
    for (uint32_t i = 0; i < STORE_TEMPLATES_MAX; i++) {
        uint32_t own = s->super.vms + 1 + i;
        if (m->key[i] == key && key) {
            *to = 0;
            return true;
        }
        if (!vacant && !place_is_record(&s->index[own - 1].place) && !m->seen[own - 1]) {
            vacant = own;
        }
    }
    if (!vacant) {
        return broken(m, "the store has no slot left for its template");
    }
    m->slot_of[slot - m->head.vms - 1] = vacant;
    m->key[vacant - s->super.vms - 1] = key;
    *to = vacant;
    return true;
}

static bool entry_shape(struct import_job *m, const struct store_entry *e)
{
    struct why why;
    bool record = e->kind != STORE_KIND_MARK;
    if (e->slot == 0 || e->slot > store_slots(&m->origin) || e->kind < STORE_KIND_RECORD ||
        e->kind > STORE_KIND_MARK || record != place_is_record(&e->place) ||
        (e->slot > m->head.vms) != (e->kind == STORE_KIND_TEMPLATE)) {
        return broken(m, "slot, kind and place do not go together");
    }
    /* Its geometry alone: as if it were the first of a segment of this store. */
    struct store_place p = e->place;
    if (record) {
        p.sector = (uint32_t)m->store->super.first_segment + STORE_BATCH_HEADER_SECTORS;
    }
    return place_sound(&m->store->super, &p, &why) || broken(m, why.text);
}

/* An entry and its record, in the store's buffer; `record` NULL: it has none. */
static bool read_entry(struct import_job *m, struct store_entry *e,
                       const struct store_record **record, uint32_t *crc)
{
    struct store *s = m->store;
    struct why why;
    *record = NULL;
    if (!get(m, e, sizeof(*e), crc) || !entry_shape(m, e)) {
        return false;
    }
    if (e->kind == STORE_KIND_MARK) {
        return true;
    }
    size_t bytes = (size_t)e->place.sectors * STORE_SECTOR_BYTES;
    if (!store_buffer(s) || !get(m, s->record, bytes, crc)) {
        return false;
    }
    if (!head_sound(&m->origin, e->slot, s->record, bytes, &why) ||
        !head_fits(s->record, &e->place, &why) || !pages_sound(s->record, &why)) {
        return broken(m, why.text);
    }
    *record = s->record;
    return true;
}

static bool vm_slot(struct import_job *m, uint32_t slot)
{
    struct store *s = m->store;
    if (slot > s->super.vms) {
        complain("%s: VM %u, limit 1 to %u in %s", m->in_path, slot, s->super.vms, m->path);
        return false;
    }
    if (s->index[slot - 1].place.sector != STORE_NOTHING && !m->force) {
        complain("%s: VM %u is there already; --force replaces it", m->path, slot);
        return false;
    }
    return true;
}

/* What the entry will take. */
static bool plan_entry(struct import_job *m, const struct store_entry *e,
                       const struct store_record *r)
{
    uint32_t to = e->slot;
    bool template = e->kind == STORE_KIND_TEMPLATE;
    if (template ? !template_slot(m, e->slot, r->template, &to) : !vm_slot(m, e->slot)) {
        return false;
    }
    if (to == 0) {
        return true;
    }
    if (m->seen[to - 1]) {
        return broken(m, "its slot comes twice");
    }
    m->seen[to - 1] = 1;
    uint32_t sectors = r ? e->place.sectors : 0;
    if (packing_full(&m->packing, sectors)) {
        packing_end(&m->packing, m->store->super.segment_sectors);
    }
    m->packing.count++;
    m->packing.used += sectors;
    m->taken++;
    return true;
}

/* Whether the end is here: what comes next is struct archive_end, not an entry. */
static bool at_end(struct import_job *m, struct archive_end *end)
{
    bool is_end = fread(end, sizeof(*end), 1, m->in) == 1 && end->magic == ARCHIVE_END_MAGIC;
    if (!is_end) {
        fseek(m->in, -(long)sizeof(*end), SEEK_CUR);
    }
    return is_end;
}

static bool check_archive(struct import_job *m)
{
    struct archive_end end;
    struct store_entry e;
    const struct store_record *r;
    uint32_t crc = 0;
    m->packing.used = STORE_BATCH_HEADER_SECTORS;
    learn_templates(m);
    while (!at_end(m, &end)) {
        if (cancelled() || !read_entry(m, &e, &r, &crc) || !plan_entry(m, &e, r)) {
            return false;
        }
        m->entries++;
    }
    if (end.entries != m->entries || end.crc != crc) {
        complain("%s: %u entries with crc 0x%08x, its end says %u and 0x%08x", m->in_path,
                 m->entries, crc, end.entries, end.crc);
        return false;
    }
    packing_end(&m->packing, m->store->super.segment_sectors);
    return true;
}

static uint32_t target_of(const struct import_job *m, const struct store_entry *e)
{
    return e->kind == STORE_KIND_TEMPLATE ? m->slot_of[e->slot - m->head.vms - 1] : e->slot;
}

/* The second time through the archive; it is checked again, as it may have changed. */
static bool add_all(struct import_job *m, struct writer *w)
{
    struct store_entry e;
    const struct store_record *r;
    struct progress bar;
    uint32_t all = m->entries, crc = 0;
    bool well = fseek(m->in, (long)sizeof(m->head), SEEK_SET) == 0;
    progress_begin(&bar, "import", all);
    m->taken = 0;
    for (m->entries = 0; m->entries < all && well && !cancelled(); m->entries++) {
        progress_show(&bar, m->entries);
        well = read_entry(m, &e, &r, &crc);
        e.slot = well ? target_of(m, &e) : 0;
        if (e.slot && m->seen[e.slot - 1]) {
            well = writer_add(w, &e, r);
            m->taken++;
        }
    }
    progress_end(&bar);
    return well;
}

/* An archive of one deployment makes a store that was nobody's that one's. */
static bool take_deployment(struct import_job *m)
{
    struct store_super *p = &m->store->super;
    if (p->deployment == m->head.deployment || p->deployment != 0) {
        return true;
    }
    p->deployment = m->head.deployment;
    return super_write(m->store->image, p);
}

static int write_all(struct import_job *m)
{
    struct writer w;
    bool begun = writer_begin(&w, m->store, m->packing.segments + 1, m->path);
    bool well = begun && take_deployment(m) && add_all(m, &w);
    /* What was added before it went wrong is kept, as a sound store. */
    bool ended = begun && writer_end(&w);
    writer_free(&w);
    if (begun && (!well || !ended)) {
        complain("%s: cannot be written", m->path);
    }
    if (!well || !ended) {
        return EXIT_OPERATIONAL;
    }
    printf("%s: %u entries imported%s\n", m->path, m->taken, cancelled() ? ", then cancelled" : "");
    return cancelled() ? EXIT_CANCELLED : EXIT_CLEAN;
}

static int import_archive(struct import_job *m)
{
    if (m->store->findings->errors) {
        complain("%s: damaged, nothing is imported: see toklat store verify", m->path);
        return EXIT_ERRORS;
    }
    m->seen = calloc(store_slots(&m->store->super), 1);
    m->in = fopen(m->in_path, "rb");
    int code = EXIT_OPERATIONAL;
    if (!m->in || !m->seen) {
        complain("%s: %s", m->in_path, strerror(errno));
    } else if (read_head(m) && same_deployment(m) && check_archive(m)) {
        code = write_all(m);
    }
    if (m->in) {
        fclose(m->in);
    }
    free(m->seen);
    return code == EXIT_OPERATIONAL && cancelled() ? EXIT_CANCELLED : code;
}

int store_import_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"force", no_argument, NULL, 'f'},
        {"no-progress", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct findings findings = {.say = store_warn};
    struct import_job m = {0};
    struct image_file f;
    struct store s;
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (c) {
        case 'f':
            m.force = true;
            break;
        case 'p':
            progress_wanted = false;
            break;
        default:
            return usage_exit(c, usage);
        }
    }
    if (optind + 2 != argc) {
        return usage_exit('?', usage);
    }
    m.path = argv[optind];
    m.in_path = argv[optind + 1];
    int code = store_file_open(&s, &f, m.path, true, &findings);
    if (code == EXIT_CLEAN) {
        m.store = &s;
        code = import_archive(&m);
        store_file_close(&s, &f);
    }
    return code;
}
