/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tools/toklat/client/scan.c tools/toklat/client/sse.c tools/toklat/client/clean.c
// sources: tools/toklat/client/endpoint.c tools/toklat/common.c
/*
 * Any bytes as what a network sends to the command: the list of VMs and its members, events, a
 * run.json, and text on its way to the terminal. The first byte says how long the packets are; how
 * they are cut changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/endpoint.h"
#include "tools/toklat/client/scan.h"
#include "tools/toklat/client/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Of all that was found. */
static uint64_t sum;

static void add(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum = sum * 31 + (uint8_t)text[i];
    }
}

static void object(void *context, const char *text, size_t n)
{
    struct scan_member m;
    char value[16];
    const char *at = text;
    (void)context;
    if (strlen(text) > n || text[n] != 0 || n < 2 || text[0] == '"') {
        abort();
    }
    while (scan_member(&at, &m)) {
        if (m.key + m.key_length > text + n || m.at + m.length > text + n || at > text + n) {
            abort();
        }
        scan_text(&m, value, sizeof(value));
        sum += scan_number(&m) + scan_thousandths(&m) + strlen(value);
    }
    add(text, n);
}

static void event(void *context, const char *name, const char *data, size_t n)
{
    (void)context;
    if (n > SSE_BYTES || data[n] != 0 || strlen(name) >= SSE_NAME_BYTES) {
        abort();
    }
    add(name, strlen(name));
    add(data, n);
}

static uint64_t scan_all(const char *text, size_t n, size_t step)
{
    static struct scan s;
    static struct sse e;
    memset(&s, 0, sizeof(s));
    memset(&e, 0, sizeof(e));
    s.object = object;
    e.event = event;
    sum = 0;
    for (size_t i = 0; i < n; i += step) {
        scan_feed(&s, text + i, MIN(step, n - i));
    }
    for (size_t i = 0; i < n; i += step) {
        sse_feed(&e, text + i, MIN(step, n - i));
    }
    return sum * 4 + (uint64_t)scan_end(&s) * 2 + (s.next > 0);
}

/* Nothing but what may be shown comes out. */
static uint64_t clean_all(const char *text, size_t n, size_t step)
{
    struct clean c = {0};
    char *shown;
    size_t length;
    FILE *f = open_memstream(&shown, &length);
    for (size_t i = 0; i < n; i += step) {
        clean_write(&c, text + i, MIN(step, n - i), f);
    }
    clean_end(&c, f);
    fclose(f);
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)shown[i];
        bool eight = i > 0 && (uint8_t)shown[i - 1] == 0xC2 && byte < 0xA0;
        if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F || eight) {
            abort();
        }
    }
    sum = 0;
    add(shown, length);
    free(shown);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct endpoint_run run;
    if (n == 0) {
        return 0;
    }
    size_t step = bytes[0] % 16 + 1;
    char *text = malloc(n);
    memcpy(text, bytes + 1, n - 1);
    text[n - 1] = 0;
    if (scan_all(text, n - 1, step) != scan_all(text, n - 1, n) ||
        clean_all(text, n - 1, step) != clean_all(text, n - 1, n)) {
        abort();
    }
    if (endpoint_parse(text, &run) && (run.pid < 2 || !*run.url || !*run.token_file)) {
        abort();
    }
    free(text);
    return 0;
}
