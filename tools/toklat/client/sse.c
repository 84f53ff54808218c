/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines end with LF, CR or both; an empty line ends an event; a line that begins with a colon is a
 * comment.
 */
#include <string.h>

#include "tools/toklat/client/sse.h"

static void copy_name(char *to, const char *value)
{
    size_t n = MIN(strlen(value), (size_t)SSE_NAME_BYTES - 1);
    memcpy(to, value, n);
    to[n] = 0;
}

static void dispatch(struct sse *s)
{
    if (s->has_data) {
        s->data[s->data_used] = 0;
        s->cut += s->overflow;
        s->event(s->context, *s->name ? s->name : "message", s->data, s->data_used);
    }
    s->has_data = s->overflow = false;
    s->data_used = 0;
    s->name[0] = 0;
}

/* Lines of data are joined by line feeds. */
static void add_data(struct sse *s, const char *value)
{
    size_t n = strlen(value);
    if (s->has_data && s->data_used < SSE_BYTES) {
        s->data[s->data_used++] = '\n';
    }
    if (n > SSE_BYTES - s->data_used) {
        n = SSE_BYTES - s->data_used;
        s->overflow = true;
    }
    memcpy(s->data + s->data_used, value, n);
    s->data_used += n;
    s->has_data = true;
}

static void line(struct sse *s)
{
    s->line[s->line_used] = 0;
    size_t field = strcspn(s->line, ":");
    char *value = s->line + field;
    if (*value) {
        *value++ = 0;
        value += *value == ' ';
    }
    if (s->line_used == 0) {
        dispatch(s);
    } else if (!strcmp(s->line, "event")) {
        copy_name(s->name, value);
    } else if (!strcmp(s->line, "data")) {
        add_data(s, value);
    } else if (!strcmp(s->line, "id")) {
        copy_name(s->id, value);
    }
    s->line_used = 0;
}

void sse_feed(struct sse *s, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = bytes[i];
        if (c == '\n' && s->skip_feed) {
            s->skip_feed = false;
            continue;
        }
        s->skip_feed = c == '\r';
        if (c == '\n' || c == '\r') {
            line(s);
        } else if (s->line_used < SSE_BYTES) {
            s->line[s->line_used++] = c;
        } else {
            s->overflow = true;
        }
    }
}
