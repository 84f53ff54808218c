/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat logs: the console of a VM.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/options.h"
#include "tools/toklat/client/vms.h"

const char logs_usage[] = "Usage: toklat logs [-f] [-n LINES] VM [--json]\n"
                          "\n"
                          "The lines of a VM's console that the machine still has, oldest first.\n"
                          "\n"
                          "  -f, --follow   and those that come, until Ctrl-C\n"
                          "  -n LINES       the last LINES of them\n"
                          "  --json         a JSON string a line\n";

#define LINE_BYTES 4096

struct logs {
    struct clean clean;
    bool follow;
    size_t used;
    char line[LINE_BYTES];
};

static void json_line(struct logs *l)
{
    json_t *text = json_stringn(l->line, l->used);
    if (!text) { /* not UTF-8 */
        char cell[LINE_BYTES];
        l->line[MIN(l->used, sizeof(cell) - 1)] = 0;
        text = json_string(clean_cell(cell, sizeof(cell), l->line));
    }
    put_json(text, JSON_ENCODE_ANY);
    putchar('\n');
    json_decref(text);
    l->used = 0;
}

static bool sink(void *context, const char *bytes, size_t n)
{
    struct logs *l = context;
    if (!options_json) {
        clean_write(&l->clean, bytes, n, stdout);
    }
    for (size_t i = 0; i < n && options_json; i++) {
        if (bytes[i] == '\n') {
            json_line(l);
        } else if (l->used < sizeof(l->line)) {
            l->line[l->used++] = bytes[i];
        }
    }
    return !l->follow || fflush(stdout) == 0;
}

static int show(struct api *a, const char *vm, struct logs *l, uint64_t lines)
{
    char path[128];
    uint32_t number;
    int code = vms_one(a, vm, logs_usage, &number);
    if (code != EXIT_CLEAN) {
        return code;
    }
    struct api_request r = {.path = path, .sink = sink, .context = l, .endless = l->follow};
    int n = snprintf(path, sizeof(path), "/v1/vms/%u/console?follow=%d", number, l->follow);
    if (lines != UINT64_MAX) {
        snprintf(path + n, sizeof(path) - (size_t)n, "&lines=%ju", (uintmax_t)lines);
    }
    a->about = vm;
    code = api_do(a, &r, NULL);
    clean_end(&l->clean, stdout);
    if (options_json && l->used > 0) {
        json_line(l);
    }
    return code;
}

int logs_command(int argc, char **argv)
{
    static struct logs l;
    uint64_t lines = UINT64_MAX;
    struct api a;
    const struct option_row rows[] = {
        {"follow", 'f', OPTION_FLAG, &l.follow, 0, 0},
        {"lines", 'n', OPTION_NUMBER, &lines, 0, 1000000},
    };
    int code = options_parse(argc, argv, logs_usage, rows, ARRAY_SIZE(rows), 1, 1);
    if (code != OPTIONS_GO) {
        return code;
    }
    code = api_open(&a);
    if (code == EXIT_CLEAN) {
        code = show(&a, argv[optind], &l, lines);
        api_close(&a);
    }
    return code;
}
