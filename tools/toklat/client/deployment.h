/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A deployment (docs/deployment.md) as `toklat up` reads it: its groups. The machine checks what is
 * asked of it; here only what would not reach it is refused.
 */
#ifndef TOKLAT_CLIENT_DEPLOYMENT_H
#define TOKLAT_CLIENT_DEPLOYMENT_H

#include "abi/system_page.h"
#include "core/base/types.h"

#define UP_GROUPS_MAX 32
#define UP_FILE_BYTES 64
#define UP_BLOB_BYTES_MAX 32768

struct up_group {
    char name[TOKLAT_NAME_BYTES], file[UP_FILE_BYTES], args[TOKLAT_ARGS_BYTES], network[16];
    uint32_t instances, reserve, memory, weight; /* memory, weight: 0 as usual */
    char peers[TOKLAT_PEERS_MAX][TOKLAT_NAME_BYTES];
    unsigned peer_count;
    bool start, supervisor, restart;
};

struct up_deployment {
    struct up_group groups[UP_GROUPS_MAX];
    unsigned count;
};

/* Compiles the source with the C preprocessor and dtc; `defines` are -DNAME=VALUE. False: it was
 * said why. */
bool deployment_compile(const char *source, char *const *defines, size_t count, void *blob,
                        size_t blob_bytes);

/* From a compiled one. False: it was said why. */
bool deployment_read(const void *blob, size_t bytes, struct up_deployment *d);

#endif
