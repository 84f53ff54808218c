/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat events: what happened, and what happens.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/client/api.h"
#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/commands.h"
#include "tools/toklat/client/options.h"
#include "tools/toklat/client/sse.h"

const char events_usage[] =
    "Usage: toklat events [-f] [--json]\n"
    "\n"
    "What happened to VMs and images, and what the hypervisor said, as far as the machine still\n"
    "has it. The first column is the machine's time in seconds.\n"
    "\n"
    "  -f, --follow   only what happens from now on, until Ctrl-C\n"
    "  --json         a JSON object a line: {\"event\":...,\"data\":{...}}\n";

struct events {
    struct api *api;
    struct sse sse;
    bool follow, any; /* any: since the machine was told of last */
    double now;       /* when it was told of first */
};

static void put_member(const json_t *data, const char *name, const char *before)
{
    const char *text = member_text(data, name);
    if (*text) {
        fputs(before, stdout);
        clean_put(text, stdout);
    }
}

static void text_line(const char *name, const json_t *data)
{
    printf("%12.3f ", member_real(data, "time_seconds"));
    if (!strcmp(name, "lost")) {
        printf("(%ju bytes of the past are no longer there)",
               (uintmax_t)member_number(data, "bytes"));
    } else if (!strcmp(name, "vm") || !strcmp(name, "image")) {
        put_member(data, "name", "");
        put_member(data, "image", "image ");
        put_member(data, "kind", " ");
        if (member_number(data, "from")) {
            printf(" from VM %ju", (uintmax_t)member_number(data, "from"));
        }
        if (member_number(data, "count") > 1) { /* told of together, by the last one */
            printf(", the last of %ju", (uintmax_t)member_number(data, "count"));
        }
        if (!strcmp(member_text(data, "kind"), "exited")) {
            printf(" with status %lld", json_integer_value(json_object_get(data, "status")));
        }
        put_member(data, "text", ": ");
    } else {
        put_member(data, "text", "");
    }
    putchar('\n');
}

/* The machine is asked for to learn where the past ends: at an event that is newer than the first
 * of these, or when there is none between two of them. */
static void machine(struct events *e, const json_t *data)
{
    e->api->stopped = !e->follow && e->now > 0 && !e->any;
    e->any = false;
    if (e->now <= 0) {
        e->now = member_real(data, "uptime_seconds");
    }
}

static void show(const char *name, json_t *data)
{
    if (options_json) {
        json_t *line = json_pack("{s:s, s:O}", "event", name, "data", data);
        put_json(line, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
    } else {
        text_line(name, data);
    }
    fflush(stdout);
}

static void event(void *context, const char *name, const char *text, size_t n)
{
    struct events *e = context;
    json_t *data = e->api->stopped ? NULL : json_loadb(text, n, 0, NULL);
    if (!data) {
        return;
    }
    if (!strcmp(name, "machine")) {
        machine(e, data);
    } else if (!e->follow && e->now > 0 && member_real(data, "time_seconds") > e->now) {
        e->api->stopped = true;
    } else {
        e->any = true;
        show(name, data);
    }
    json_decref(data);
}

static bool sink(void *context, const char *bytes, size_t n)
{
    struct events *e = context;
    sse_feed(&e->sse, bytes, n);
    return !ferror(stdout);
}

int events_command(int argc, char **argv)
{
    static struct events e;
    struct api a;
    const struct option_row rows[] = {{"follow", 'f', OPTION_FLAG, &e.follow, 0, 0}};
    int code = options_parse(argc, argv, events_usage, rows, ARRAY_SIZE(rows), 0, 0);
    if (code != OPTIONS_GO || (code = api_open(&a)) != EXIT_CLEAN) {
        return code;
    }
    e.api = &a;
    e.sse.event = event;
    e.sse.context = &e;
    struct api_request r = {.sink = sink, .context = &e, .endless = true};
    r.path = e.follow ? "/v1/events" : "/v1/events?after=0&machine=1";
    code = api_do(&a, &r, NULL);
    if (e.sse.cut > 0) {
        complain("%ju events were longer than %d bytes and were cut", (uintmax_t)e.sse.cut,
                 SSE_BYTES);
    }
    api_close(&a);
    return code;
}
