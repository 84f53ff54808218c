/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat store info: what a store is, and how full.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/toklat/json.h"
#include "tools/toklat/store.h"
#include "tools/toklat/toklat.h"

#define PICTURE_COLUMNS 64u

static const char usage[] =
    "Usage: toklat store info FILE [--json]\n"
    "\n"
    "Shows what a store is, and how full. On a terminal, a picture of its segments too:\n"
    "a column for a group of them, from . (free) to # (full of live records).\n";

struct figures {
    uint32_t records, templates, dead, exists;
    uint32_t used, open, free;
    uint64_t live_sectors;
    double utilisation; /* of the segments that are used */
};

static void count(const struct store *s, const uint32_t *live, struct figures *g)
{
    *g = (struct figures){0};
    for (uint32_t i = 0; i < store_slots(&s->super); i++) {
        const struct store_place *p = &s->index[i].place;
        g->dead += p->sector == STORE_DEAD;
        g->exists += p->sector == STORE_EXISTS;
        if (place_is_record(p)) {
            g->live_sectors += p->sectors;
            *(i < s->super.vms ? &g->records : &g->templates) += 1;
        }
    }
    for (uint32_t i = 0; i < s->super.segments; i++) {
        bool is_open = i == s->segment || i == s->next_segment;
        g->open += is_open;
        g->free += store_segment_free(s, live, i);
        g->used += !is_open && live[i] > 0;
    }
    uint64_t room = (uint64_t)g->used * s->super.segment_sectors;
    uint64_t sectors = g->live_sectors - live[s->segment] -
                       (s->next_segment == s->segment ? 0 : live[s->next_segment]);
    g->utilisation = room ? (double)sectors / (double)room : 0;
}

static void show_checkpoints(const struct store *s)
{
    char text[TIME_BYTES];
    for (int i = 0; i < 2; i++) {
        const struct store_read_checkpoint *c = &s->checkpoint[i];
        if (!c->sound) {
            printf("Checkpoint %d:    not sound\n", i);
            continue;
        }
        printf("Checkpoint %d:    sequence %ju%s, %s, from batch %ju on, written %s\n", i,
               (uintmax_t)c->head.sequence, i == s->newest ? " (newest)" : "",
               c->head.clean ? "clean" : "not clean", (uintmax_t)c->head.batch,
               time_text(c->head.wall_ns, text));
    }
}

static void show_picture(const struct store *s, const uint32_t *live)
{
    static const char shades[] = ".:-=+*%#";
    uint32_t segments = s->super.segments, columns = MIN(segments, PICTURE_COLUMNS);
    printf("Segments:        [");
    for (uint32_t i = 0; i < columns; i++) {
        uint32_t first = (uint32_t)((uint64_t)i * segments / columns);
        uint32_t end = (uint32_t)((i + 1ull) * segments / columns);
        uint64_t sum = 0, room = (uint64_t)(end - first) * s->super.segment_sectors;
        for (uint32_t k = first; k < end; k++) {
            sum += live[k];
        }
        putchar(shades[MIN((sum * 7 + room - 1) / room, 7)]);
    }
    printf("]\n");
}

static void show(const struct store *s, const uint32_t *live, const struct figures *g)
{
    const struct store_super *p = &s->super;
    char text[TIME_BYTES];
    printf("Store version:   %u\n", p->version);
    printf("UUID:            %s\n", uuid_text(p->uuid, text));
    printf("Created:         %s\n", time_text(p->created_ns, text));
    printf("Deployment:      %s0x%016jx\n", p->deployment ? "" : "none yet, ",
           (uintmax_t)p->deployment);
    printf("Boots:           %ju\n", (uintmax_t)p->boots);
    printf("Size:            %ju MiB, for %u VMs\n", (uintmax_t)p->sectors / 2048, p->vms);
    show_checkpoints(s);
    printf("Log:             %ju batches since, next %ju at segment %u, offset %u%s\n",
           (uintmax_t)s->batches, (uintmax_t)s->next_batch, s->segment, s->offset,
           s->full ? " (all segments were read)" : "");
    printf("Segments:        %u of %u KiB: %u used, %u open, %u free\n", p->segments,
           p->segment_sectors / 2, g->used, g->open, g->free);
    printf("Records:         %u VMs, %u templates; %u dead, %u created\n", g->records, g->templates,
           g->dead, g->exists);
    printf("Live:            %ju KiB, %.1f %% of the used segments\n",
           (uintmax_t)g->live_sectors / 2, g->utilisation * 100);
    if (isatty(STDOUT_FILENO)) {
        show_picture(s, live);
    }
}

static void json_checkpoints(struct json *j, const struct store *s)
{
    uint64_t now = time_now_ns();
    json_open(j, "checkpoints", '[');
    for (int i = 0; i < 2; i++) {
        const struct store_checkpoint *c = &s->checkpoint[i].head;
        json_open(j, NULL, '{');
        json_bool(j, "sound", s->checkpoint[i].sound);
        json_bool(j, "newest", i == s->newest);
        if (s->checkpoint[i].sound) {
            json_number(j, "sequence", c->sequence);
            json_number(j, "batch", c->batch);
            json_bool(j, "clean", c->clean);
            json_number(j, "wall_ns", c->wall_ns);
            json_number(j, "ticks_ns", c->ticks_ns);
            json_number(j, "age_s",
                        c->wall_ns && now > c->wall_ns ? (now - c->wall_ns) / NS_PER_S : 0);
        }
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_show(const struct store *s, const struct figures *g, const struct findings *f)
{
    const struct store_super *p = &s->super;
    struct json j = {0};
    char text[TIME_BYTES];
    json_open(&j, NULL, '{');
    json_number(&j, "version", p->version);
    json_text(&j, "uuid", uuid_text(p->uuid, text));
    json_number(&j, "created_ns", p->created_ns);
    json_number(&j, "deployment", p->deployment);
    json_number(&j, "boots", p->boots);
    json_number(&j, "bytes", p->sectors * STORE_SECTOR_BYTES);
    json_number(&j, "vms", p->vms);
    json_checkpoints(&j, s);
    json_open(&j, "log", '{');
    json_number(&j, "batches", s->batches);
    json_number(&j, "next_batch", s->next_batch);
    json_number(&j, "segment", s->segment);
    json_number(&j, "offset", s->offset);
    json_number(&j, "next_segment", s->next_segment);
    json_number(&j, "torn_records", s->torn);
    json_bool(&j, "all_segments_read", s->full);
    json_close(&j, '}');
    json_open(&j, "segments", '{');
    json_number(&j, "all", p->segments);
    json_number(&j, "bytes", (uint64_t)p->segment_sectors * STORE_SECTOR_BYTES);
    json_number(&j, "used", g->used);
    json_number(&j, "open", g->open);
    json_number(&j, "free", g->free);
    json_close(&j, '}');
    json_number(&j, "records", g->records);
    json_number(&j, "templates", g->templates);
    json_number(&j, "dead", g->dead);
    json_number(&j, "exists", g->exists);
    json_number(&j, "live_bytes", g->live_sectors * STORE_SECTOR_BYTES);
    json_ratio(&j, "utilisation", g->utilisation);
    json_number(&j, "errors", f->errors);
    json_number(&j, "notes", f->notes);
    json_close(&j, '}');
}

static int info(const char *path, bool as_json)
{
    struct findings findings = {.say = store_warn};
    struct image_file f;
    struct store s;
    struct figures g;
    int code = store_file_open(&s, &f, path, false, &findings);
    if (code != EXIT_CLEAN) {
        return code;
    }
    uint32_t *live = store_segments_live(&s);
    if (!live) {
        code = store_result_exit(&s, STORE_NO_MEMORY, path);
    } else {
        count(&s, live, &g);
        if (as_json) {
            json_show(&s, &g, &findings);
        } else {
            show(&s, live, &g);
        }
        code = findings.errors ? EXIT_ERRORS : EXIT_CLEAN;
    }
    free(live);
    store_file_close(&s, &f);
    return code;
}

int store_info_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"no-progress", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    bool as_json = false;
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (c) {
        case 'j':
            as_json = true;
            break;
        case 'p':
            progress_wanted = false;
            break;
        default:
            return usage_exit(c, usage);
        }
    }
    return optind + 1 == argc ? info(argv[optind], as_json) : usage_exit('?', usage);
}
