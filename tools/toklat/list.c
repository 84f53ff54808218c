/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat store list: the slots that hold something.
 */
#include <stdio.h>

#include "tools/toklat/json.h"
#include "tools/toklat/store.h"
#include "tools/toklat/toklat.h"

static const char usage[] =
    "Usage: toklat store list FILE [--vm N] [--long] [--json]\n"
    "\n"
    "A line for every slot that holds something; templates are the slots after the last VM.\n"
    "\n"
    "  --vm N   this slot only, whatever it holds\n"
    "  --long   reads the records' heads: pages, generation, when it was written\n"
    "  --json   an array of objects\n";

struct listing {
    struct store *store;
    struct json json;
    uint64_t vm; /* 0: all */
    bool as_json, heads;
};

static const char *state_of(const struct store *s, uint32_t slot)
{
    switch (s->index[slot - 1].place.sector) {
    case STORE_NOTHING:
        return "nothing";
    case STORE_DEAD:
        return "dead";
    case STORE_EXISTS:
        return "exists";
    default:
        return slot > s->super.vms ? "template" : "stored";
    }
}

static void text_line(const struct listing *l, uint32_t slot, const struct store_record *r,
                      const char *damage)
{
    const struct store_index *e = &l->store->index[slot - 1];
    const struct store_place *p = &e->place;
    char deadline[TIME_BYTES], written[TIME_BYTES];
    printf("%8u  %-8s", slot, state_of(l->store, slot));
    time_text(e->deadline_ns, deadline);
    if (!place_is_record(p)) {
        printf(" %10s %8s %8s %6s  %-20s", "-", "-", "-", "-", deadline);
    } else {
        printf(" %10u %8u %8u %6u  %-20s", p->sector, p->sectors * STORE_SECTOR_BYTES,
               MIN(store_size(p->hot), p->sectors) * STORE_SECTOR_BYTES, store_size(p->frames),
               deadline);
    }
    if (r) {
        printf(" %5u %5u %10ju  %-20s 0x%jx", r->pages, r->hot_pages, (uintmax_t)r->generation,
               time_text(r->wall_ns, written), (uintmax_t)r->template);
    }
    printf("%s%s\n", damage ? "  DAMAGED: " : "", damage ? damage : "");
}

static void json_record(struct json *j, const struct store_record *r)
{
    json_number(j, "pages", r->pages);
    json_number(j, "hot_pages", r->hot_pages);
    json_number(j, "generation", r->generation);
    json_number(j, "written_ns", r->wall_ns);
    json_number(j, "sequence", r->sequence);
    json_number(j, "template", r->template);
    json_number(j, "boots", r->boots);
    json_bool(j, "runnable", r->flags & STORE_RECORD_RUNNABLE);
    json_bool(j, "wfi", r->flags & STORE_RECORD_WFI);
}

static void json_line(struct listing *l, uint32_t slot, const struct store_record *r,
                      const char *damage)
{
    const struct store_index *e = &l->store->index[slot - 1];
    const struct store_place *p = &e->place;
    struct json *j = &l->json;
    json_open(j, NULL, '{');
    json_number(j, "slot", slot);
    json_text(j, "state", state_of(l->store, slot));
    json_number(j, "deadline_ns", e->deadline_ns);
    if (place_is_record(p)) {
        json_number(j, "sector", p->sector);
        json_number(j, "bytes", p->sectors * STORE_SECTOR_BYTES);
        json_number(j, "first_read_bytes",
                    MIN(store_size(p->hot), p->sectors) * STORE_SECTOR_BYTES);
        json_number(j, "frames", store_size(p->frames));
    }
    if (r) {
        json_record(j, r);
    }
    if (damage) {
        json_text(j, "damage", damage);
    }
    json_close(j, '}');
}

/* False: its head is damaged. */
static bool line(struct listing *l, uint32_t slot)
{
    const struct store_place *p = &l->store->index[slot - 1].place;
    const struct store_record *r = NULL;
    struct why why;
    bool read = l->heads && place_is_record(p);
    if (read) {
        r = store_record_head(l->store, slot, p, &why);
    }
    const char *damage = read && !r ? why.text : NULL;
    if (l->as_json) {
        json_line(l, slot, r, damage);
    } else {
        text_line(l, slot, r, damage);
    }
    return !damage;
}

static bool lines(struct listing *l)
{
    const struct store *s = l->store;
    bool well = true;
    if (l->as_json) {
        json_open(&l->json, NULL, '[');
    } else {
        printf("%8s  %-8s %10s %8s %8s %6s  %-20s%s\n", "SLOT", "STATE", "SECTOR", "BYTES", "FIRST",
               "FRAMES", "DEADLINE",
               l->heads ? " PAGES   HOT GENERATION  WRITTEN              TEMPLATE" : "");
    }
    for (uint32_t slot = 1; slot <= store_slots(&s->super) && !cancelled(); slot++) {
        bool holds = s->index[slot - 1].place.sector != STORE_NOTHING;
        if (l->vm ? slot == l->vm : holds) {
            well = line(l, slot) && well;
        }
    }
    if (l->as_json) {
        json_close(&l->json, ']');
    }
    return well;
}

static int list(struct listing *l, const char *path)
{
    const struct store *s = l->store;
    if (l->vm > store_slots(&s->super)) {
        complain("%s: slot %ju, limit 1 to %u", path, (uintmax_t)l->vm, store_slots(&s->super));
        return EXIT_USAGE;
    }
    bool well = lines(l);
    return well && s->findings->errors == 0 ? EXIT_CLEAN : EXIT_ERRORS;
}

int store_list_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"vm", required_argument, NULL, 'v'}, {"long", no_argument, NULL, 'l'},
        {"json", no_argument, NULL, 'j'},     {"no-progress", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},     {0},
    };
    struct findings findings = {.say = store_warn};
    struct image_file f;
    struct store s;
    struct listing l = {.store = &s};
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (c) {
        case 'v':
            if (!parse_number(optarg, 1, UINT32_MAX, &l.vm)) {
                return usage_error(usage, "not a slot", optarg);
            }
            break;
        case 'l':
            l.heads = true;
            break;
        case 'j':
            l.as_json = true;
            break;
        case 'p':
            progress_wanted = false;
            break;
        default:
            return usage_exit(c, usage);
        }
    }
    if (optind + 1 != argc) {
        return usage_exit('?', usage);
    }
    int code = store_file_open(&s, &f, argv[optind], false, &findings);
    if (code == EXIT_CLEAN) {
        code = list(&l, argv[optind]);
        store_file_close(&s, &f);
    }
    return code;
}
