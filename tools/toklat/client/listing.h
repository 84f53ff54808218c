/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of VMs, as long as they may be, read as they arrive (scan.h).
 */
#ifndef TOKLAT_LISTING_H
#define TOKLAT_LISTING_H

#include "tools/toklat/client/api.h"

#define LISTING_PAGE 100000u /* as much as one request may ask for */
#define VM_NAME_BYTES 40
#define VM_STATE_BYTES 12

struct vm_row {
    uint32_t number;
    char name[VM_NAME_BYTES], state[VM_STATE_BYTES];
    uint8_t cpu;
    uint64_t uss, rss, stage2, descriptor, stored, cpu_ms, rx, tx;
};

/* From the text of an object; what is absent is zero. */
void vm_row_parse(struct vm_row *row, const char *text);

/* Calls `object` for every VM that the query ("&image=web&fields=list", or "") finds, as long as it
 * returns true. `page`: how many are asked for at a time. The exit code. */
int listing_fetch(struct api *a, const char *query, uint64_t page,
                  bool (*object)(void *context, const char *text, size_t n), void *context);

/* A JSON object of a list as it arrived, without what could not be shown. */
void listing_put(const char *text, size_t n, bool first);

#endif
