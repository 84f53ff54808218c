/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of VMs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/listing.h"
#include "tools/toklat/client/scan.h"

struct listing {
    struct api *api;
    struct scan scan;
    bool (*object)(void *context, const char *text, size_t n);
    void *context;
};

static uint64_t *number_of(struct vm_row *row, const struct scan_member *m)
{
    static const struct {
        const char *key;
        size_t length, offset;
    } keys[] = {
#define KEY(name, member) {name, sizeof(name) - 1, offsetof(struct vm_row, member)}
        KEY("uss_bytes", uss),       KEY("rss_bytes", rss),
        KEY("stage2_bytes", stage2), KEY("descriptor_bytes", descriptor),
        KEY("stored_bytes", stored), KEY("rx_frames", rx),
        KEY("tx_frames", tx),
#undef KEY
    };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (m->key_length == keys[i].length && memcmp(m->key, keys[i].key, m->key_length) == 0) {
            return (uint64_t *)(void *)((char *)row + keys[i].offset);
        }
    }
    return NULL;
}

void vm_row_parse(struct vm_row *row, const char *text)
{
    struct scan_member m;
    memset(row, 0, sizeof(*row));
    while (scan_member(&text, &m)) {
        uint64_t *to = number_of(row, &m);
        if (to) {
            *to = scan_number(&m);
        } else if (scan_key_is(&m, "number")) {
            row->number = (uint32_t)MIN(scan_number(&m), UINT32_MAX);
        } else if (scan_key_is(&m, "name")) {
            scan_text(&m, row->name, sizeof(row->name));
        } else if (scan_key_is(&m, "state")) {
            scan_text(&m, row->state, sizeof(row->state));
        } else if (scan_key_is(&m, "cpu")) {
            row->cpu = (uint8_t)scan_number(&m);
        } else if (scan_key_is(&m, "cpu_seconds")) {
            row->cpu_ms = scan_thousandths(&m);
        }
    }
}

static void one(void *context, const char *text, size_t n)
{
    struct listing *l = context;
    if (!l->api->stopped && !l->object(l->context, text, n)) {
        l->api->stopped = true;
    }
}

static bool feed(void *context, const char *bytes, size_t n)
{
    struct listing *l = context;
    if (!scan_feed(&l->scan, bytes, n)) {
        complain("the list of VMs is not what it should be: no JSON, or an object longer than "
                 "%d bytes",
                 SCAN_OBJECT_BYTES);
        return false;
    }
    return true;
}

int listing_fetch(struct api *a, const char *query, uint64_t page,
                  bool (*object)(void *context, const char *text, size_t n), void *context)
{
    char path[API_PATH_BYTES];
    uint64_t after = 0;
    struct listing *l = calloc(1, sizeof(*l));
    if (!l) {
        complain("not enough memory");
        return EXIT_OPERATIONAL;
    }
    struct api_request request = {.path = path, .sink = feed, .context = l};
    int code;
    do {
        *l = (struct listing){.api = a, .object = object, .context = context};
        l->scan.object = one;
        l->scan.context = l;
        int n = snprintf(path, sizeof(path), "/v1/vms?limit=%ju%s", (uintmax_t)page, query);
        if (after && n < (int)sizeof(path)) {
            snprintf(path + n, sizeof(path) - (size_t)n, "&after=%ju", (uintmax_t)after);
        }
        code = api_do(a, &request, NULL);
        if (code == EXIT_CLEAN && !a->stopped && !scan_end(&l->scan)) {
            complain("the list of VMs ends in the middle");
            code = EXIT_OPERATIONAL;
        }
        if (l->scan.next <= after) {
            break; /* none, or no way forward */
        }
        after = l->scan.next;
    } while (code == EXIT_CLEAN && !a->stopped);
    free(l);
    return code;
}

void listing_put(const char *text, size_t n, bool first)
{
    struct clean c = {0};
    fputs(first ? "\n" : ",\n", stdout);
    clean_write(&c, text, n, stdout);
    clean_end(&c, stdout);
}
