/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queries.
 */
#include "guests/supervisor/query.h"

#include <string.h>

#include "guests/supervisor/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char small = (char)(c | 0x20);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

static bool has_control(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

bool query_decode(struct http_text text, char *to, size_t size, size_t *length)
{
    size_t n = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.length ? hex_digit(text.at[i + 1]) : -1;
            int low = i + 2 < text.length ? hex_digit(text.at[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (n + 1 >= size) {
            return false;
        }
        to[n++] = c;
    }
    to[n] = '\0';
    *length = n;
    return !has_control(to, n) && utf8_sound(to, n);
}

bool query_next(struct http_text *rest, struct http_text *name, struct http_text *value)
{
    if (rest->length == 0) {
        return false;
    }
    const char *end = memchr(rest->at, '&', rest->length);
    size_t length = end != NULL ? (size_t)(end - rest->at) : rest->length;
    const char *equals = memchr(rest->at, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - rest->at) : length;
    size_t skip = name_length + (equals != NULL ? 1 : 0);
    *name = (struct http_text){rest->at, name_length};
    *value = (struct http_text){rest->at + skip, length - skip};
    rest->at += length + (end != NULL ? 1 : 0);
    rest->length -= length + (end != NULL ? 1 : 0);
    return true;
}
