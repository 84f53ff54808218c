/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a command is told which VMs: 9, 3-9, web/7, web/3-9, web/ and an asterisk for all.
 */
#ifndef TOKLAT_VMLIST_H
#define TOKLAT_VMLIST_H

#include "abi/system_page.h"
#include "core/base/types.h"

#define VMLIST_NUMBER_MAX 1048576u
#define VMLIST_WHY_BYTES 160

struct vmlist_image {
    char name[TOKLAT_NAME_BYTES];
    uint32_t first, count; /* VM numbers that it has */
};

/* VM numbers, ends included; `all`: whichever exist of them, of `image`. */
struct vmlist_span {
    uint32_t first, last;
    bool all;
    const struct vmlist_image *image; /* NULL: numbers were given */
};

/* Of an argument: false when only numbers are in it. */
bool vmlist_names_image(const char *text);

enum vmlist_result { VMLIST_OK, VMLIST_SYNTAX, VMLIST_UNKNOWN };

/* `why` has VMLIST_WHY_BYTES, and says what is wrong with what. */
enum vmlist_result vmlist_parse(const char *text, const struct vmlist_image *images, size_t n,
                                struct vmlist_span *span, char *why);

#endif
