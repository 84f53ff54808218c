/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Responses. Invariant: nothing is read outside the bytes that were given.
 */
#define _GNU_SOURCE
#include "tests/bench/response.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define STATUS_LINE_MIN 12 /* "HTTP/1.1 200" */

static const char *find(const char *text, size_t bytes, const char *what)
{
    return memmem(text, bytes, what, strlen(what));
}

/* A decimal number; how many digits it has, 0 when it is none or too large. */
static size_t number(const char *text, size_t bytes, uint32_t *value)
{
    size_t n = 0;
    uint64_t sum = 0;
    while (n < bytes && text[n] >= '0' && text[n] <= '9' && sum <= UINT32_MAX) {
        sum = sum * 10 + (uint64_t)(text[n++] - '0');
    }
    *value = (uint32_t)sum;
    return sum <= UINT32_MAX ? n : 0;
}

/* Content-Length in a head. False: it is wrong; absent, it stays what it was. */
static bool length_of(const char *head, size_t bytes, size_t *length)
{
    static const char name[] = "\r\ncontent-length:";
    for (size_t i = 0; i + sizeof(name) - 1 <= bytes; i++) {
        if (strncasecmp(head + i, name, sizeof(name) - 1) != 0) {
            continue;
        }
        uint32_t value;
        i += sizeof(name) - 1;
        i += i < bytes && head[i] == ' ';
        size_t digits = number(head + i, bytes - i, &value);
        *length = value;
        return digits > 0 && i + digits < bytes && head[i + digits] == '\r';
    }
    return true;
}

enum response_state response_parse(const char *text, size_t bytes, size_t room, bool ended,
                                   struct response *response)
{
    enum response_state incomplete = ended || bytes >= room ? RESPONSE_MALFORMED : RESPONSE_MORE;
    const char *end = find(text, bytes, "\r\n\r\n");
    if (!end) {
        return incomplete;
    }
    uint32_t status;
    size_t head = (size_t)(end - text) + 2; /* with the last line's end */
    if (head < STATUS_LINE_MIN || memcmp(text, "HTTP/1.", 7) != 0 ||
        number(text + 9, 3, &status) != 3) {
        return RESPONSE_MALFORMED;
    }
    size_t length = SIZE_MAX;
    if (!length_of(text, head, &length)) {
        return RESPONSE_MALFORMED;
    }
    size_t here = bytes - head - 2;
    *response = (struct response){status, head + 2, length == SIZE_MAX ? here : length};
    if (length == SIZE_MAX) {
        return ended ? RESPONSE_COMPLETE : incomplete;
    }
    return here >= length ? RESPONSE_COMPLETE : incomplete;
}

bool response_has(const char *body, size_t bytes, const char *name, uint32_t value)
{
    char key[64];
    uint32_t found;
    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = find(body, bytes, key);
    if (!at) {
        return false;
    }
    at += strlen(key);
    at += at < body + bytes && *at == ' ';
    return number(at, (size_t)(body + bytes - at), &found) > 0 && found == value;
}
