/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of a command as a table. --json, --no-progress and --help are everywhere.
 */
#ifndef TOKLAT_OPTIONS_H
#define TOKLAT_OPTIONS_H

#include "core/base/types.h"

#define OPTIONS_MAX 16
#define OPTIONS_GO (-1)

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER, OPTION_SIZE };

struct option_row {
    const char *name;
    char letter; /* 0: none */
    enum option_kind kind;
    void *to; /* bool, const char * or uint64_t */
    uint64_t least, most;
};

extern bool options_json;

/* Reads the options before, between and after the arguments, of which there are from `least` to
 * `most`: they begin at argv[optind]. OPTIONS_GO, or the exit code. */
int options_parse(int argc, char **argv, const char *usage, const struct option_row *rows,
                  size_t count, int least, int most);

#define OPTIONS_NONE NULL, 0
#define OPTIONS_ANY 1000000

#endif
