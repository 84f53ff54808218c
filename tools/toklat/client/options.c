/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * getopt_long() from a table.
 */
#include <stdio.h>
#include <string.h>

#include "tools/toklat/client/options.h"
#include "tools/toklat/toklat.h"

#define COMMON 3
/* What getopt_long() returns for row i, and for those that are everywhere. */
#define ROW_VALUE 1000
#define JSON_VALUE 2000
#define NO_PROGRESS_VALUE 2001

bool options_json;

static bool store(const struct option_row *row, const char *value)
{
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)row->to = true;
        return true;
    case OPTION_TEXT:
        *(const char **)row->to = value;
        return true;
    case OPTION_NUMBER:
        return parse_number(value, row->least, row->most, row->to);
    default: {
        uint64_t bytes = 0;
        bool well = !strcmp(value, "0") || parse_size(value, &bytes);
        *(uint64_t *)row->to = bytes;
        return well && bytes >= row->least && bytes <= row->most;
    }
    }
}

static int wrong(const struct option_row *row, const char *value, const char *usage)
{
    complain("--%s: %s: from %ju to %ju", row->name, value, (uintmax_t)row->least,
             (uintmax_t)row->most);
    return usage_exit('?', usage);
}

static int take(int value, const char *usage, const struct option_row *rows, size_t count)
{
    if (value == JSON_VALUE) {
        options_json = true;
        return OPTIONS_GO;
    }
    if (value == NO_PROGRESS_VALUE) {
        progress_wanted = false;
        return OPTIONS_GO;
    }
    for (size_t i = 0; i < count; i++) {
        if (value == rows[i].letter || value == ROW_VALUE + (int)i) {
            return store(&rows[i], optarg) ? OPTIONS_GO : wrong(&rows[i], optarg, usage);
        }
    }
    return usage_exit(value, usage);
}

int options_parse(int argc, char **argv, const char *usage, const struct option_row *rows,
                  size_t count, int least, int most)
{
    struct option options[OPTIONS_MAX + COMMON + 1] = {
        {"json", no_argument, NULL, JSON_VALUE},
        {"no-progress", no_argument, NULL, NO_PROGRESS_VALUE},
        {"help", no_argument, NULL, 'h'},
    };
    char letters[2 * OPTIONS_MAX + 1] = "";
    size_t used = 0;
    int c;
    for (size_t i = 0; i < count && i < OPTIONS_MAX; i++) {
        int needs = rows[i].kind == OPTION_FLAG ? no_argument : required_argument;
        options[COMMON + i] = (struct option){rows[i].name, needs, NULL, ROW_VALUE + (int)i};
        if (rows[i].letter) {
            letters[used++] = rows[i].letter;
            if (needs == required_argument) {
                letters[used++] = ':';
            }
        }
    }
    letters[used] = 0;
    while ((c = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
        int code = take(c, usage, rows, count);
        if (code != OPTIONS_GO) {
            return code;
        }
    }
    int arguments = argc - optind;
    if (arguments < least) {
        complain("%s: an argument is missing", argv[0]);
        return usage_exit('?', usage);
    }
    if (arguments > most) {
        return usage_error(usage, "one argument too many", argv[optind + most]);
    }
    return OPTIONS_GO;
}
