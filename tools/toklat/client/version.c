/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat version: this command's, and the machine's if there is one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "abi/store.h"
#include "tools/toklat/client/api.h"
#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/options.h"

const char version_usage[] =
    "Usage: toklat version [--json]\n"
    "\n"
    "The version of this command, of the store format that it knows, and of the machine when one\n"
    "is running.\n"
    "\n"
    "  --json   {\"toklat\":...,\"store_version\":N,\"machine\":{...} or null}\n";

#define LIMIT_MS 2000

/* NULL: there is no machine. */
static json_t *machine(void)
{
    struct api a;
    json_t *answer = NULL;
    if (api_open_quiet(&a, true) != EXIT_CLEAN) {
        return NULL;
    }
    a.limit_ms = LIMIT_MS;
    api_get(&a, &answer, "/v1/version");
    api_close(&a);
    return answer;
}

int version_command(int argc, char **argv)
{
    int code = options_parse(argc, argv, version_usage, OPTIONS_NONE, 0, 0);
    if (code != OPTIONS_GO) {
        return code;
    }
    json_t *m = machine();
    if (options_json) {
        json_t *j = json_pack("{s:s, s:i, s:o?}", "toklat", TOKLAT_VERSION, "store_version",
                              STORE_VERSION, "machine", m);
        show_json(j);
        json_decref(j);
        return EXIT_CLEAN;
    }
    printf("toklat %s (store version %d)\n", TOKLAT_VERSION, STORE_VERSION);
    if (m) {
        printf("machine ");
        clean_put(member_text(m, "version"), stdout);
        printf(" (ABI ");
        clean_put(member_text(m, "abi"), stdout);
        printf(", API ");
        clean_put(member_text(m, "api"), stdout);
        printf(")\n");
    }
    json_decref(m);
    return EXIT_CLEAN;
}
