/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat ps: the VMs, one a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/listing.h"
#include "tools/toklat/client/options.h"
#include "tools/toklat/client/table.h"

const char ps_usage[] =
    "Usage: toklat ps [-a] [--image I] [--state S] [-n N] [--sort KEY] [--json]\n"
    "\n"
    "The VMs, one a line. USS is memory that no other VM shares, STORED what it takes in the\n"
    "store, TIME the CPU time that it used, in seconds.\n"
    "\n"
    "  -a, --all    also those that have not run yet (defined) and those that ended (dead)\n"
    "  --image I    of this image only\n"
    "  --state S    in this state only: defined running runnable idle waiting stored paused dead\n"
    "  -n N         at most N\n"
    "  --sort KEY   number, or the highest first: uss, cpu, rx, stored; at most 1000 of them\n"
    "  --json       {\"vms\":[...]}\n";

#define SORTED_MAX 1000u

struct ps {
    const char *image, *state, *sort;
    uint64_t limit, shown;
    bool all, frames; /* frames: rx and tx are shown */
    struct table table;
};

static const struct table_column columns[] = {
    {"NUMBER", TABLE_NUMBER}, {"NAME", TABLE_CUT},   {"STATE", TABLE_STATE},
    {"CPU", TABLE_NUMBER},    {"USS", TABLE_NUMBER}, {"STORED", TABLE_NUMBER},
    {"TIME", TABLE_NUMBER},   {"RX", TABLE_NUMBER},  {"TX", TABLE_NUMBER},
};

static void table_line(struct ps *p, const struct vm_row *row)
{
    char number[SIZE_BYTES], cpu[SIZE_BYTES], uss[SIZE_BYTES], stored[SIZE_BYTES];
    char seconds[SIZE_BYTES], rx[SIZE_BYTES], tx[SIZE_BYTES];
    const char *cells[] = {
        number_text(row->number, number),
        row->name,
        row->state,
        number_text(row->cpu, cpu),
        size_text(row->uss, uss),
        size_text(row->stored, stored),
        seconds_text(row->cpu_ms, seconds),
        number_text(row->rx, rx),
        number_text(row->tx, tx),
    };
    table_row(&p->table, cells);
}

static bool wanted(const struct ps *p, const struct vm_row *row)
{
    return p->all || p->state ||
           (strcmp(row->state, "defined") != 0 && strcmp(row->state, "dead") != 0);
}

static bool object(void *context, const char *text, size_t n)
{
    struct ps *p = context;
    struct vm_row row;
    vm_row_parse(&row, text);
    if (!wanted(p, &row)) {
        return true;
    }
    if (options_json) {
        fputs(p->shown == 0 ? "{\"vms\":[" : "", stdout);
        listing_put(text, n, p->shown == 0);
    } else {
        table_line(p, &row);
    }
    p->shown++;
    return p->shown < p->limit;
}

static int show(struct ps *p, struct api *a)
{
    char query[4 * API_PART_BYTES], part[API_PART_BYTES];
    bool sorted = p->sort && strcmp(p->sort, "number") != 0;
    int n = snprintf(query, sizeof(query), "&fields=%s", p->frames ? "full" : "list");
    char *end = query + n;
    if (p->image) {
        end += sprintf(end, "&image=%s", api_part(part, p->image));
    }
    if (p->state) {
        end += sprintf(end, "&state=%s", api_part(part, p->state));
    }
    if (sorted) {
        sprintf(end, "&sort=%s", api_part(part, p->sort));
    }
    /* With a filter of our own, what is asked for is more than what is shown. */
    uint64_t most = sorted ? SORTED_MAX : LISTING_PAGE;
    uint64_t page = p->all || p->state ? MIN(p->limit, most) : most;
    table_begin(&p->table, columns, p->frames ? 9 : 7);
    int code = listing_fetch(a, query, page, object, p);
    if (options_json && code == EXIT_CLEAN) {
        printf("%s\n]}\n", p->shown == 0 ? "{\"vms\":[" : "");
    } else if (code == EXIT_CLEAN || p->shown > 0) {
        code = table_end(&p->table, stdout, terminal_width(), terminal_colour()) ? code
                                                                                 : EXIT_OPERATIONAL;
    }
    return code;
}

int ps_command(int argc, char **argv)
{
    static const char *const keys[] = {"number", "uss", "cpu", "rx", "stored"};
    struct ps p = {.limit = UINT64_MAX};
    struct api a;
    const struct option_row rows[] = {
        {"all", 'a', OPTION_FLAG, &p.all, 0, 0},
        {"image", 0, OPTION_TEXT, &p.image, 0, 0},
        {"state", 0, OPTION_TEXT, &p.state, 0, 0},
        {"number", 'n', OPTION_NUMBER, &p.limit, 1, UINT32_MAX},
        {"sort", 0, OPTION_TEXT, &p.sort, 0, 0},
    };
    int code = options_parse(argc, argv, ps_usage, rows, ARRAY_SIZE(rows), 0, 0);
    if (code != OPTIONS_GO) {
        return code;
    }
    bool known = !p.sort;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        known = known || !strcmp(keys[i], p.sort);
    }
    if (!known) {
        return usage_error(ps_usage, "not a key to sort by: number, uss, cpu, rx, stored", p.sort);
    }
    p.frames = p.sort && !strcmp(p.sort, "rx");
    code = api_open(&a);
    if (code == EXIT_CLEAN) {
        code = show(&p, &a);
        api_close(&a);
    }
    return code;
}
