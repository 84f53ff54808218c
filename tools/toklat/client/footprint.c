/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat footprint: where the memory is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/listing.h"
#include "tools/toklat/client/options.h"
#include "tools/toklat/client/table.h"

const char footprint_usage[] =
    "Usage: toklat footprint [--by image|vm] [--image I] [--json]\n"
    "\n"
    "Where the machine's memory is. USS: what only that VM uses, its tables and descriptor\n"
    "included. RSS: its pages, shared ones too. PSS: the same, a shared page in proportion.\n"
    "\n"
    "  --by image   the live VMs of each image together, and the machine (normal)\n"
    "  --by vm      each VM that takes memory or has a record\n"
    "  --image I    of this image only\n"
    "  --json       {\"images\":[...],\"machine\":{...}}, or {\"vms\":[...]}\n";

struct footprint {
    const char *by, *image;
    struct table table;
    uint64_t shown;
};

static const struct table_column image_columns[] = {
    {"IMAGE", TABLE_CUT},      {"LIVE", TABLE_NUMBER},   {"USS MIN", TABLE_NUMBER},
    {"MEDIAN", TABLE_NUMBER},  {"MAX", TABLE_NUMBER},    {"SUM", TABLE_NUMBER},
    {"PSS SUM", TABLE_NUMBER}, {"TABLES", TABLE_NUMBER}, {"STORED", TABLE_NUMBER},
    {"ON DISK", TABLE_NUMBER},
};

static const struct table_column vm_columns[] = {
    {"NUMBER", TABLE_NUMBER}, {"NAME", TABLE_CUT},       {"STATE", TABLE_STATE},
    {"USS", TABLE_NUMBER},    {"RSS", TABLE_NUMBER},     {"TABLES", TABLE_NUMBER},
    {"DESC", TABLE_NUMBER},   {"ON DISK", TABLE_NUMBER},
};

static uint64_t part_of(const json_t *image, const char *kind, const char *which)
{
    return member_number(json_object_get(image, kind), which);
}

static void image_line(struct table *t, const json_t *image)
{
    char live[SIZE_BYTES], least[SIZE_BYTES], median[SIZE_BYTES], most[SIZE_BYTES];
    char sum[SIZE_BYTES], pss[SIZE_BYTES], tables[SIZE_BYTES], stored[SIZE_BYTES];
    char disk[SIZE_BYTES];
    const char *cells[] = {
        member_text(image, "image"),
        number_text(member_number(image, "live"), live),
        size_text(part_of(image, "uss_bytes", "min"), least),
        size_text(part_of(image, "uss_bytes", "median"), median),
        size_text(part_of(image, "uss_bytes", "max"), most),
        size_text(part_of(image, "uss_bytes", "sum"), sum),
        size_text(part_of(image, "pss_bytes", "sum"), pss),
        size_text(part_of(image, "stage2_bytes", "sum"), tables),
        number_text(member_number(image, "stored"), stored),
        size_text(member_number(image, "stored_bytes"), disk),
    };
    table_row(t, cells);
}

static void show_machine(const json_t *machine)
{
    static const char *const parts[][2] = {
        {"el2_bytes", "hypervisor"},      {"stubs_bytes", "stubs of all VMs"},
        {"shared_bytes", "shared pages"}, {"private_bytes", "VMs' own pages"},
        {"stage2_bytes", "VMs' tables"},  {"descriptors_bytes", "descriptors"},
        {"free_bytes", "free"},           {"ram_bytes", "the machine's RAM"},
    };
    static const struct table_column columns[] = {
        {"MACHINE", TABLE_CUT}, {"BYTES", TABLE_NUMBER}, {"SIZE", TABLE_NUMBER}};
    struct table t;
    table_begin(&t, columns, ARRAY_SIZE(columns));
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        char bytes[SIZE_BYTES], size[SIZE_BYTES];
        uint64_t n = member_number(machine, parts[i][0]);
        const char *cells[] = {parts[i][1], number_text(n, bytes), size_text(n, size)};
        table_row(&t, cells);
    }
    putchar('\n');
    table_end(&t, stdout, terminal_width(), terminal_colour());
}

static int by_image(struct api *a, struct footprint *f)
{
    json_t *answer, *image;
    size_t i;
    int code = api_get(a, &answer, "/v1/footprint");
    if (code != EXIT_CLEAN) {
        return code;
    }
    json_t *list = json_object_get(answer, "images");
    for (i = json_array_size(list); f->image && i-- > 0;) {
        if (strcmp(member_text(json_array_get(list, i), "image"), f->image) != 0) {
            json_array_remove(list, i);
        }
    }
    if (f->image && json_array_size(list) == 0) {
        complain("%s: there is no image of that name", f->image);
        code = EXIT_NOT_FOUND;
    } else if (options_json) {
        show_json(answer);
    } else {
        table_begin(&f->table, image_columns, ARRAY_SIZE(image_columns));
        json_array_foreach(list, i, image)
        {
            image_line(&f->table, image);
        }
        table_end(&f->table, stdout, terminal_width(), terminal_colour());
        show_machine(json_object_get(answer, "machine"));
    }
    json_decref(answer);
    return code;
}

static void vm_line(struct table *t, const struct vm_row *row)
{
    char number[SIZE_BYTES], uss[SIZE_BYTES], rss[SIZE_BYTES], tables[SIZE_BYTES];
    char descriptor[SIZE_BYTES], disk[SIZE_BYTES];
    const char *cells[] = {
        number_text(row->number, number),
        row->name,
        row->state,
        size_text(row->uss, uss),
        size_text(row->rss, rss),
        size_text(row->stage2, tables),
        size_text(row->descriptor, descriptor),
        size_text(row->stored, disk),
    };
    table_row(t, cells);
}

static bool vm(void *context, const char *text, size_t n)
{
    struct footprint *f = context;
    struct vm_row row;
    vm_row_parse(&row, text);
    if (row.uss == 0 && row.rss == 0 && row.stored == 0) {
        return true;
    }
    if (options_json) {
        fputs(f->shown == 0 ? "{\"vms\":[" : "", stdout);
        listing_put(text, n, f->shown == 0);
    } else {
        vm_line(&f->table, &row);
    }
    f->shown++;
    return true;
}

static int by_vm(struct api *a, struct footprint *f)
{
    char query[API_PART_BYTES + 32] = "", part[API_PART_BYTES];
    if (f->image) {
        snprintf(query, sizeof(query), "&image=%s", api_part(part, f->image));
    }
    table_begin(&f->table, vm_columns, ARRAY_SIZE(vm_columns));
    int code = listing_fetch(a, query, LISTING_PAGE, vm, f);
    if (options_json && code == EXIT_CLEAN) {
        printf("%s\n]}\n", f->shown == 0 ? "{\"vms\":[" : "");
    } else if (code == EXIT_CLEAN) {
        code = table_end(&f->table, stdout, terminal_width(), terminal_colour()) ? code
                                                                                 : EXIT_OPERATIONAL;
    }
    return code;
}

int footprint_command(int argc, char **argv)
{
    struct footprint f = {.by = "image"};
    struct api a;
    const struct option_row rows[] = {
        {"by", 0, OPTION_TEXT, &f.by, 0, 0},
        {"image", 0, OPTION_TEXT, &f.image, 0, 0},
    };
    int code = options_parse(argc, argv, footprint_usage, rows, ARRAY_SIZE(rows), 0, 0);
    if (code != OPTIONS_GO) {
        return code;
    }
    bool image = !strcmp(f.by, "image");
    if (!image && strcmp(f.by, "vm") != 0) {
        return usage_error(footprint_usage, "--by image or vm", f.by);
    }
    code = api_open(&a);
    if (code == EXIT_CLEAN) {
        code = image ? by_image(&a, &f) : by_vm(&a, &f);
        api_close(&a);
    }
    return code;
}
