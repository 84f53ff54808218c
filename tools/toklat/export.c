/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat store export: records into an archive. A record that is not whole is not exported.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/crc32c.h"
#include "tools/toklat/archive.h"
#include "tools/toklat/store.h"
#include "tools/toklat/toklat.h"

#define VMS_NAMED_MAX 1024u

static const char usage[] =
    "Usage: toklat store export FILE [--vm N]... OUT [--force]\n"
    "\n"
    "Writes VMs, and the templates that they need, into the archive OUT (- is standard output).\n"
    "\n"
    "  --vm N         this one; may be given up to 1024 times; by default all\n"
    "  --force        OUT's present content is lost\n"
    "  --no-progress  no bar\n";

struct export_job {
    struct store *store;
    FILE *out;
    const char *path, *out_path;
    uint64_t vm[VMS_NAMED_MAX];
    unsigned vms;
    bool force;
    uint8_t *wanted; /* slot i + 1 */
    uint32_t entries, damaged, crc;
};

static bool put(struct export_job *x, const void *bytes, size_t n)
{
    x->crc = crc32c(x->crc, bytes, n);
    return fwrite(bytes, 1, n, x->out) == n;
}

/* Marks the template of a record. */
static void want_template(struct export_job *x, uint64_t key)
{
    struct store *s = x->store;
    for (uint32_t slot = s->super.vms + 1; key && slot <= store_slots(&s->super); slot++) {
        const struct store_place *p = &s->index[slot - 1].place;
        const struct store_record *r =
            place_is_record(p) ? store_record_head(s, slot, p, NULL) : NULL;
        if (r && r->template == key) {
            x->wanted[slot - 1] = 1;
            return;
        }
    }
}

/* What is to be written: the VMs, then their templates. */
static void choose(struct export_job *x)
{
    struct store *s = x->store;
    uint64_t last_key = 0;
    for (uint32_t i = 0; i < x->vms; i++) {
        x->wanted[x->vm[i] - 1] = 1;
    }
    for (uint32_t slot = 1; slot <= s->super.vms && !cancelled(); slot++) {
        const struct store_place *p = &s->index[slot - 1].place;
        if (x->vms == 0) {
            x->wanted[slot - 1] = p->sector != STORE_NOTHING;
        }
        if (!x->wanted[slot - 1] || !place_is_record(p)) {
            continue;
        }
        const struct store_record *r = store_record_head(s, slot, p, NULL);
        if (r && r->template != last_key) {
            last_key = r->template;
            want_template(x, last_key);
        }
    }
}

static bool put_slot(struct export_job *x, uint32_t slot)
{
    struct store *s = x->store;
    const struct store_index *i = &s->index[slot - 1];
    struct store_entry e = {.slot = slot, .place = i->place, .deadline_ns = i->deadline_ns};
    struct why why;
    e.kind = slot > s->super.vms ? STORE_KIND_TEMPLATE : STORE_KIND_RECORD;
    if (!place_is_record(&i->place)) {
        e.kind = STORE_KIND_MARK;
    } else if (!store_record_whole(s, slot, &i->place, &why)) {
        complain("%s: slot %u: sector %u: %s: not exported", x->path, slot, i->place.sector,
                 why.text);
        x->damaged++;
        return true;
    }
    x->entries++;
    return put(x, &e, sizeof(e)) &&
           (e.kind == STORE_KIND_MARK ||
            put(x, s->record, (size_t)i->place.sectors * STORE_SECTOR_BYTES));
}

static bool put_all(struct export_job *x)
{
    const struct store_super *p = &x->store->super;
    struct archive_head head = {.magic = ARCHIVE_MAGIC, .version = ARCHIVE_VERSION};
    struct archive_end end = {.magic = ARCHIVE_END_MAGIC};
    struct progress bar;
    memcpy(head.uuid, p->uuid, sizeof(head.uuid));
    head.deployment = p->deployment;
    head.made_ns = time_now_ns();
    head.vms = p->vms;
    head.crc = structure_crc(&head, sizeof(head));
    bool well = fwrite(&head, sizeof(head), 1, x->out) == 1;
    progress_begin(&bar, "export", store_slots(p));
    for (uint32_t i = 0; i < store_slots(p) && well && !cancelled(); i++) {
        /* Templates first: p->vms + 1 and on, then 1 and on. */
        uint32_t slot = (i + p->vms) % store_slots(p) + 1;
        well = !x->wanted[slot - 1] || put_slot(x, slot);
        progress_show(&bar, i);
    }
    progress_end(&bar);
    end.entries = x->entries;
    end.crc = x->crc;
    return well && !cancelled() && fwrite(&end, sizeof(end), 1, x->out) == 1 && fflush(x->out) == 0;
}

static int write_archive(struct export_job *x)
{
    bool to_stdout = !strcmp(x->out_path, "-");
    x->out = to_stdout ? stdout : fopen(x->out_path, x->force ? "wb" : "wbx");
    if (!x->out) {
        complain("%s: %s%s", x->out_path, strerror(errno),
                 errno == EEXIST ? "; --force overwrites it" : "");
        return EXIT_OPERATIONAL;
    }
    bool well = put_all(x);
    int error = errno;
    if (!to_stdout) {
        well = fclose(x->out) == 0 && well;
    }
    if (!well && !to_stdout) {
        unlink(x->out_path); /* nobody takes half of it for an archive */
    }
    if (!well) {
        complain("%s: %s", x->out_path, cancelled() ? "cancelled" : strerror(error));
        return cancelled() ? EXIT_CANCELLED : EXIT_OPERATIONAL;
    }
    fprintf(to_stdout ? stderr : stdout, "%s: %u entries\n", x->out_path, x->entries);
    return x->damaged ? EXIT_ERRORS : EXIT_CLEAN;
}

static bool vms_exist(const struct export_job *x)
{
    const struct store_super *p = &x->store->super;
    for (unsigned i = 0; i < x->vms; i++) {
        if (x->vm[i] > p->vms) {
            complain("%s: VM %ju, limit 1 to %u", x->path, (uintmax_t)x->vm[i], p->vms);
            return false;
        }
    }
    return true;
}

static int export_store(struct export_job *x)
{
    if (!vms_exist(x)) {
        return EXIT_USAGE;
    }
    x->wanted = calloc(store_slots(&x->store->super), 1);
    if (!x->wanted) {
        return store_result_exit(x->store, STORE_NO_MEMORY, x->path);
    }
    choose(x);
    int code = write_archive(x);
    free(x->wanted);
    return code == EXIT_CLEAN && x->store->findings->errors ? EXIT_ERRORS : code;
}

int store_export_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"vm", required_argument, NULL, 'v'},
        {"force", no_argument, NULL, 'f'},
        {"no-progress", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct findings findings = {.say = store_warn};
    struct image_file f;
    struct store s;
    struct export_job x = {.store = &s};
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (c) {
        case 'v':
            if (x.vms == VMS_NAMED_MAX || !parse_number(optarg, 1, UINT32_MAX, &x.vm[x.vms++])) {
                return usage_error(usage, "not a VM, or one too many", optarg);
            }
            break;
        case 'f':
            x.force = true;
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
    x.path = argv[optind];
    x.out_path = argv[optind + 1];
    int code = store_file_open(&s, &f, x.path, false, &findings);
    if (code == EXIT_CLEAN) {
        code = export_store(&x);
        store_file_close(&s, &f);
    }
    return code;
}
