/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A writer of JSON.
 */
#include <stdio.h>

#include "tools/toklat/json.h"

static void quoted(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < 0x20 || c >= 0x7F) {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

/* What comes before a value. */
static void lead(struct json *j, const char *name)
{
    if (j->depth > 0) {
        printf("%s\n%*s", j->more[j->depth - 1] ? "," : "", (int)j->depth * 2, "");
        j->more[j->depth - 1] = true;
    }
    if (name) {
        quoted(name);
        fputs(": ", stdout);
    }
}

void json_open(struct json *j, const char *name, char bracket)
{
    lead(j, name);
    putchar(bracket);
    j->more[j->depth++] = false;
}

void json_close(struct json *j, char bracket)
{
    if (j->more[--j->depth]) {
        printf("\n%*s", (int)j->depth * 2, "");
    }
    putchar(bracket);
    if (j->depth == 0) {
        putchar('\n');
    }
}

void json_number(struct json *j, const char *name, uint64_t value)
{
    lead(j, name);
    printf("%ju", (uintmax_t)value);
}

void json_bool(struct json *j, const char *name, bool value)
{
    lead(j, name);
    fputs(value ? "true" : "false", stdout);
}

void json_null(struct json *j, const char *name)
{
    lead(j, name);
    fputs("null", stdout);
}

void json_ratio(struct json *j, const char *name, double value)
{
    lead(j, name);
    printf("%.4f", value);
}

void json_text(struct json *j, const char *name, const char *value)
{
    lead(j, name);
    quoted(value);
}
