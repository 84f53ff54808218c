/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The picture of `toklat top`: what was fetched, as lines of text.
 */
#ifndef TOKLAT_TOP_H
#define TOKLAT_TOP_H

#include <stdio.h>

#include "tools/toklat/client/listing.h"

#define TOP_ROWS_MAX 500u
#define TOP_HEAD_LINES 6u /* above the VMs, with their head */

struct top_frame {
    json_t *machine;
    struct vm_row rows[TOP_ROWS_MAX];
    size_t count;
};

struct top {
    struct top_frame frames[2];
    unsigned now; /* of frames: the other one is what was before */
    const char *sort;
    FILE *json; /* the VMs of the newest, as they came; NULL */
};

/* The newest frame, of at most `rows` VMs. The exit code. */
int top_fetch(struct top *t, struct api *a, size_t rows);
/* It, with `width` columns at most, every line with a line feed. */
void top_draw(const struct top *t, FILE *to, size_t width, size_t rows);
void top_free(struct top *t);

#endif
