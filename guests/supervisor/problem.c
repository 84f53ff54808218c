/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Problem documents.
 */
#include "guests/supervisor/problem.h"

#include <stdarg.h>
#include <stdio.h>

static void begin(struct problem *p, unsigned status)
{
    *p = (struct problem){.status = (uint16_t)status};
}

static void set_text(char *to, size_t size, struct http_text text)
{
    size_t length = text.length < size - 1 ? text.length : size - 1;
    memcpy(to, text.at, length);
    to[length] = '\0';
}

bool problem_plain(struct problem *p, unsigned status, const char *format, ...)
{
    va_list args;
    begin(p, status);
    va_start(args, format);
    vsnprintf(p->limit, sizeof(p->limit), format, args);
    va_end(args);
    return false;
}

bool problem_field(struct problem *p, unsigned status, const char *field, struct http_text value,
                   const char *format, ...)
{
    va_list args;
    begin(p, status);
    set_text(p->field, sizeof(p->field), text_of(field));
    set_text(p->value, sizeof(p->value), value);
    va_start(args, format);
    vsnprintf(p->limit, sizeof(p->limit), format, args);
    va_end(args);
    return false;
}

bool problem_number(struct problem *p, unsigned status, const char *field, uint64_t value,
                    const char *format, ...)
{
    va_list args;
    begin(p, status);
    set_text(p->field, sizeof(p->field), text_of(field));
    snprintf(p->value, sizeof(p->value), "%lu", (unsigned long)value);
    va_start(args, format);
    vsnprintf(p->limit, sizeof(p->limit), format, args);
    va_end(args);
    return false;
}

/* Splits at the first or the last `mark`; false, with everything in `before`, if there is none. */
static bool split(struct http_text text, const char *mark, bool last, struct http_text *before,
                  struct http_text *behind)
{
    size_t length = strlen(mark);
    bool found = false;
    *before = text;
    for (size_t i = 0; i + length <= text.length && (last || !found); i++) {
        if (memcmp(text.at + i, mark, length) == 0) {
            found = true;
            *before = (struct http_text){text.at, i};
            *behind = (struct http_text){text.at + i + length, text.length - i - length};
        }
    }
    return found;
}

void problem_from_text(struct problem *p, unsigned status, const char *text, size_t length)
{
    struct http_text whole = {text, strnlen(text, length)};
    struct http_text field = whole;
    struct http_text value = {"", 0};
    struct http_text limit = {"", 0};
    bool parts = split(whole, ": limit ", true, &field, &limit);
    parts = parts ? split(field, ": ", true, &field, &value)
                  : split(whole, ": ", false, &field, &value) &&
                        split(value, ": ", false, &value, &limit);
    begin(p, status);
    if (parts) {
        set_text(p->field, sizeof(p->field), field);
        set_text(p->value, sizeof(p->value), value);
        set_text(p->limit, sizeof(p->limit), limit);
    } else {
        set_text(p->limit, sizeof(p->limit), whole);
    }
}

static void write_detail(const struct problem *p, struct out *out)
{
    char detail[sizeof(p->field) + sizeof(p->value) + sizeof(p->limit) + 4];
    snprintf(detail, sizeof(detail), "%s%s%s%s%s", p->field, p->field[0] != '\0' ? ": " : "",
             p->value, p->field[0] != '\0' ? ": " : "", p->limit);
    out_json(out, detail, sizeof(detail));
}

void problem_write(const struct problem *p, struct out *out)
{
    out_text(out, "{\"type\":\"about:blank\",\"title\":");
    const char *title = http_reason(p->status);
    out_json(out, title, strlen(title));
    out_field(out, ",\"status\":", p->status);
    out_text(out, ",\"detail\":");
    write_detail(p, out);
    if (p->field[0] != '\0') {
        out_text(out, ",\"field\":");
        out_json(out, p->field, sizeof(p->field));
        out_text(out, ",\"value\":");
        out_json(out, p->value, sizeof(p->value));
        out_text(out, ",\"limit\":");
        out_json(out, p->limit, sizeof(p->limit));
    }
    out_text(out, "}\n");
}
