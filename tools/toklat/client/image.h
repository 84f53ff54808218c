/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images of the running machine: what `push` and `up` share.
 */
#ifndef TOKLAT_CLIENT_IMAGE_H
#define TOKLAT_CLIENT_IMAGE_H

#include "tools/toklat/client/api.h"

#define IMAGE_BYTES_MAX (2u * 1024 * 1024)
#define IMAGE_WAIT_S 60u

struct image_new {
    const char *path;                         /* of the ELF file */
    const char *name, *file, *network, *args; /* all but name: NULL for what is normal */
    const char *peers;                        /* separated by commas */
    uint64_t reserve, weight, memory;         /* 0: normal, but reserve */
};

/* Uploads it, and waits until it is ready. *image, the caller's: what the machine says of it. */
int image_push(struct api *a, const struct image_new *n, bool wait, json_t **image);

#endif
