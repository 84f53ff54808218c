/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the API is, and with what token: TOKLAT_URL and TOKLAT_TOKEN, else what a running machine's
 * tools/run left in a run.json: {"url":"http://...","token_file":"/...","pid":N}.
 */
#ifndef TOKLAT_ENDPOINT_H
#define TOKLAT_ENDPOINT_H

#include <limits.h>

#include "core/base/types.h"

#define ENDPOINT_URL_BYTES 512
#define ENDPOINT_TOKEN_BYTES 256
#define ENDPOINT_FILE_BYTES 4096
#define ENDPOINT_PLACES 5

struct endpoint {
    char url[ENDPOINT_URL_BYTES]; /* without a slash at its end */
    char token[ENDPOINT_TOKEN_BYTES];
};

/* What one run.json says. */
struct endpoint_run {
    char url[ENDPOINT_URL_BYTES];
    char token_file[PATH_MAX];
    uint64_t pid;
};

struct endpoint_places {
    char path[ENDPOINT_PLACES][PATH_MAX];
    unsigned count;
};

/* False: a member is missing, or is no such thing. `text` ends with a NUL. */
bool endpoint_parse(const char *text, struct endpoint_run *run);

/* Where a run.json is looked for, in order; `exe` is the path of the executable. NULL and empty
 * ones are left out. */
void endpoint_list(struct endpoint_places *p, const char *exe, const char *runtime_dir,
                   const char *home);

enum endpoint_result { ENDPOINT_FOUND, ENDPOINT_NONE, ENDPOINT_STALE, ENDPOINT_BAD };

/* The first of them whose process lives. Else `why`, which has PATH_MAX bytes more, names the file
 * that is stale or that cannot be used. */
enum endpoint_result endpoint_search(const struct endpoint_places *p, struct endpoint *e, char *why,
                                     size_t why_bytes);

/* All of the above for this process. False: it was said why, unless `quiet`. */
bool endpoint_find(struct endpoint *e, bool quiet);

#endif
