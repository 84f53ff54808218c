/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Server-sent events (HTML Standard, section 9.2) as they arrive. An event longer than
 * SSE_BYTES is cut to that, and counted.
 */
#ifndef TOKLAT_SSE_H
#define TOKLAT_SSE_H

#include "core/base/types.h"

#define SSE_BYTES 16384
#define SSE_NAME_BYTES 32

struct sse {
    /* `data` has `n` bytes and a NUL after them. */
    void (*event)(void *context, const char *name, const char *data, size_t n);
    void *context;
    uint64_t cut;

    bool skip_feed, has_data, overflow;
    size_t line_used, data_used;
    char name[SSE_NAME_BYTES], id[SSE_NAME_BYTES];
    char line[SSE_BYTES + 1], data[SSE_BYTES + 1];
};

/* The two pointers are set by the caller, all else is zero. */
void sse_feed(struct sse *s, const char *bytes, size_t n);

#endif
