/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `toklat store`: its commands, and what they share.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tools/toklat/store.h"
#include "tools/toklat/toklat.h"

static const struct command commands[] = {
    {"create", "makes an empty store", store_create_command, NULL},
    {"info", "what it is, and how full", store_info_command, NULL},
    {"list", "what is in it, a line a VM", store_list_command, NULL},
    {"verify", "checks everything, and changes nothing", store_verify_command, NULL},
    {"export", "copies VMs into an archive", store_export_command, NULL},
    {"import", "adds an archive's VMs", store_import_command, NULL},
    {0},
};

int store_command(int argc, char **argv)
{
    return command_dispatch(commands,
                            "Usage: toklat store COMMAND ...   (COMMAND --help says more)\n\n"
                            "Exit codes: 0 well, 4 errors in the store, 8 it cannot be used, "
                            "16 wrong usage, 32 interrupted.",
                            argc, argv);
}

void store_warn(struct findings *f, enum severity severity, const char *text)
{
    (void)f;
    complain("%s: %s", severity == FINDING_ERROR ? "warning" : "note", text);
}

int store_result_exit(const struct store *s, enum store_result result, const char *path)
{
    switch (result) {
    case STORE_OPEN:
        return EXIT_CLEAN;
    case STORE_NEWER:
        complain("%s: store version %u, this tool knows %u", path, s->version, STORE_VERSION);
        return EXIT_OPERATIONAL;
    case STORE_NO_MEMORY:
        complain("%s: not enough memory for %u VMs", path, s->super.vms);
        return EXIT_OPERATIONAL;
    case STORE_CANCELLED:
        complain("%s: cancelled", path);
        return EXIT_CANCELLED;
    default:
        complain("%s: not a store", path);
        return EXIT_OPERATIONAL;
    }
}

int store_file_open(struct store *s, struct image_file *f, const char *path, bool write,
                    struct findings *findings)
{
    if (!image_file_open(f, path, write ? IMAGE_WRITE : IMAGE_READ)) {
        return EXIT_OPERATIONAL;
    }
    int code = store_result_exit(s, store_open(s, &f->image, findings), path);
    if (code != EXIT_CLEAN) {
        store_file_close(s, f);
    }
    return code;
}

void store_file_close(struct store *s, struct image_file *f)
{
    store_close(s);
    image_file_close(f);
}

const char *uuid_text(const uint8_t *uuid, char *text)
{
    char *p = text;
    for (unsigned i = 0; i < 16; i++) {
        p += sprintf(p, "%02x%s", uuid[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
    }
    return text;
}

uint32_t *store_segments_live(const struct store *s)
{
    uint32_t *live = calloc(s->super.segments, sizeof(*live));
    for (uint32_t i = 0; live && i < store_slots(&s->super); i++) {
        const struct store_place *p = &s->index[i].place;
        if (place_is_record(p)) {
            live[segment_of(&s->super, p->sector)] += p->sectors;
        }
    }
    return live;
}

bool store_segment_free(const struct store *s, const uint32_t *live, uint32_t segment)
{
    return live[segment] == 0 && segment != s->segment && segment != s->next_segment;
}
