/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Problem documents.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tools/toklat/client/api.h"
#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/problem.h"

#define LINE_BYTES 1024

int problem_code(long status)
{
    switch (status) {
    case 401:
        return EXIT_NOT_AUTHORISED;
    case 404:
        return EXIT_NOT_FOUND;
    default:
        return EXIT_REFUSED;
    }
}

/* ", NAME VALUE", unless `line` has the value already. */
static void append(char *line, const json_t *problem, const char *name)
{
    const json_t *j = json_object_get(problem, name);
    char number[24] = "", cell[LINE_BYTES];
    const char *text = json_is_string(j) ? json_string_value(j) : number;
    if (json_is_integer(j)) {
        snprintf(number, sizeof(number), "%lld", json_integer_value(j));
    }
    clean_cell(cell, sizeof(cell), text);
    if (*cell && !strstr(line, cell)) {
        size_t n = strlen(line);
        snprintf(line + n, LINE_BYTES - n, ", %s %s", name, cell);
    }
}

int problem_exit(bool quiet, const char *about, long status, const char *body, size_t n)
{
    json_t *problem = n > 0 ? json_loadb(body, n, 0, NULL) : NULL;
    char line[LINE_BYTES];
    const char *detail = member_text(problem, "detail");
    clean_cell(line, sizeof(line), *detail ? detail : member_text(problem, "title"));
    if (!*line) {
        snprintf(line, sizeof(line), "refused");
    }
    append(line, problem, "field");
    append(line, problem, "value");
    append(line, problem, "limit");
    if (!quiet) {
        bool named = !about || strstr(line, about);
        complain("%s%s%s (status %ld)", named ? "" : about, named ? "" : ": ", line, status);
        if (status == 401) {
            complain("the token is TOKLAT_TOKEN, or that of the run.json that was found");
        }
    }
    json_decref(problem);
    return problem_code(status);
}
