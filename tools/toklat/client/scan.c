/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON (RFC 8259) as far as a list of flat objects needs it. Invariants: `used` never exceeds
 * SCAN_OBJECT_BYTES, `depth` never SCAN_DEPTH_MAX; while an object of the list is open, `depth` is
 * above LIST_DEPTH.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/client/scan.h"

#define LIST_DEPTH 2u

static bool fail(struct scan *s)
{
    s->wrong = true;
    return false;
}

static bool keep(struct scan *s, char c)
{
    if (s->used == SCAN_OBJECT_BYTES) {
        return fail(s);
    }
    s->text[s->used++] = c;
    return true;
}

static bool opened(struct scan *s, char c)
{
    if (s->done || s->depth == SCAN_DEPTH_MAX || (s->depth == 0 && c != '{')) {
        return fail(s);
    }
    if (s->depth == 1 && c == '[' && s->value && s->key_length == 3 &&
        memcmp(s->key, "vms", 3) == 0) {
        s->in_list = true;
    }
    if (s->depth == LIST_DEPTH && s->in_list) {
        s->used = 0;
    }
    uint32_t bit = 1u << s->depth;
    s->braces = c == '{' ? s->braces | bit : s->braces & ~bit;
    s->depth++;
    return s->depth <= LIST_DEPTH || !s->in_list || keep(s, c);
}

/* The scalar that was collected after a key of the outermost object. */
static void member_ends(struct scan *s)
{
    if (s->value && s->key_length == 4 && memcmp(s->key, "next", 4) == 0) {
        s->text[MIN(s->used, (size_t)SCAN_OBJECT_BYTES)] = 0;
        s->next = strtoull(s->text, NULL, 10);
    }
    s->value = false;
    s->used = 0;
    s->key_length = 0;
}

static bool closed(struct scan *s, char c)
{
    if (s->depth == 0 || ((s->braces >> (s->depth - 1)) & 1) != (c == '}')) {
        return fail(s);
    }
    if (s->depth > LIST_DEPTH && s->in_list && !keep(s, c)) {
        return false;
    }
    s->depth--;
    if (s->depth == LIST_DEPTH && s->in_list) {
        s->text[s->used] = 0;
        s->objects++;
        s->object(s->context, s->text, s->used);
        s->used = 0;
    } else if (s->depth == 1) {
        s->in_list = false;
    } else if (s->depth == 0) {
        member_ends(s);
        s->done = true;
    }
    return true;
}

/* A byte of the outermost object that is no bracket. */
static bool outer(struct scan *s, char c)
{
    if (s->in_string && !s->value) { /* a longer key is none that matters */
        if (s->key_length < SCAN_KEY_BYTES) {
            s->key[s->key_length++] = c;
        }
    } else if (s->value && c == ',' && !s->in_string) {
        member_ends(s);
    } else if (c == ':' && !s->in_string) {
        s->value = true;
    } else if (s->value && s->used < SCAN_OBJECT_BYTES && !isspace((unsigned char)c)) {
        s->text[s->used++] = c;
    }
    return true;
}

static bool plain(struct scan *s, char c)
{
    if (s->depth == 1) {
        return outer(s, c);
    }
    if (s->depth == 0) {
        return isspace((unsigned char)c) ? true : fail(s);
    }
    return s->depth <= LIST_DEPTH || !s->in_list || keep(s, c);
}

static bool in_string(struct scan *s, char c)
{
    if ((unsigned char)c < 0x20) {
        return fail(s);
    }
    if (s->escaped) {
        s->escaped = false;
    } else if (c == '\\') {
        s->escaped = true;
    } else if (c == '"') {
        s->in_string = false;
        return s->depth == 1 ? true : plain(s, c);
    }
    return plain(s, c);
}

static bool byte(struct scan *s, char c)
{
    if (s->in_string) {
        return in_string(s, c);
    }
    switch (c) {
    case '{':
    case '[':
        return opened(s, c);
    case '}':
    case ']':
        return closed(s, c);
    case '"':
        s->in_string = true;
        s->escaped = false;
        return s->depth == 1 ? true : plain(s, c);
    default:
        return plain(s, c);
    }
}

/* Keeps what is of an object of the list up to a byte that may mean something, and says how much
 * that is. */
static size_t run(struct scan *s, const char *data, size_t n)
{
    static const bool means[256] = {
        ['{'] = true, ['}'] = true, ['['] = true, [']'] = true, ['"'] = true, ['\\'] = true};
    size_t most = MIN(n, SCAN_OBJECT_BYTES - s->used), i = 0;
    if (!s->in_list || s->depth <= LIST_DEPTH || s->escaped) {
        return 0;
    }
    while (i < most && (uint8_t)data[i] >= 0x20 && !means[(uint8_t)data[i]]) {
        i++;
    }
    memcpy(s->text + s->used, data, i);
    s->used += i;
    return i;
}

bool scan_feed(struct scan *s, const char *data, size_t n)
{
    for (size_t i = 0; i < n && !s->wrong; i++) {
        i += run(s, data + i, n - i);
        if (i < n) {
            byte(s, data[i]);
        }
    }
    return !s->wrong;
}

bool scan_end(const struct scan *s)
{
    return s->done && !s->wrong;
}

/* --- members ------------------------------------------------------------------------------- */

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

/* After the opening quote; at the closing one, or NULL. */
static const char *string_end(const char *p)
{
    for (; *p && *p != '"'; p++) {
        if (*p == '\\' && *++p == 0) {
            return NULL;
        }
    }
    return *p ? p : NULL;
}

/* Where a number, a name, or something nested ends; NULL if it does not. */
static const char *value_end(const char *p)
{
    unsigned depth = 0;
    for (; *p; p++) {
        if (*p == '"') {
            p = string_end(p + 1);
            if (!p) {
                return NULL;
            }
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (depth == 0 && strchr(",}] \t\r\n", *p)) {
            return p;
        } else if (*p == '}' || *p == ']') {
            depth--;
            if (depth == 0) {
                return p + 1;
            }
        }
    }
    return NULL;
}

bool scan_member(const char **at, struct scan_member *m)
{
    const char *p = skip_space(*at);
    if (*p != '{' && *p != ',') {
        return false;
    }
    p = skip_space(p + 1);
    if (*p != '"') {
        return false;
    }
    m->key = p + 1;
    p = string_end(m->key);
    if (!p) {
        return false;
    }
    m->key_length = (size_t)(p - m->key);
    p = skip_space(p + 1);
    if (*p != ':') {
        return false;
    }
    p = skip_space(p + 1);
    m->string = *p == '"';
    m->at = m->string ? p + 1 : p;
    const char *end = m->string ? string_end(m->at) : value_end(m->at);
    if (!end) {
        return false;
    }
    m->length = (size_t)(end - m->at);
    *at = m->string ? end + 1 : end;
    return true;
}

bool scan_key_is(const struct scan_member *m, const char *key)
{
    return strlen(key) == m->key_length && memcmp(key, m->key, m->key_length) == 0;
}

uint64_t scan_number(const struct scan_member *m)
{
    uint64_t n = 0;
    if (m->string) {
        return 0;
    }
    for (size_t i = 0; i < m->length && isdigit((unsigned char)m->at[i]); i++) {
        uint64_t digit = (uint64_t)(m->at[i] - '0');
        n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
    }
    return n;
}

uint64_t scan_thousandths(const struct scan_member *m)
{
    uint64_t whole = scan_number(m), part = 0, unit = 1000;
    size_t i = 0;
    if (m->string) {
        return 0;
    }
    while (i < m->length && isdigit((unsigned char)m->at[i])) {
        i++;
    }
    if (i < m->length && m->at[i] == '.') {
        for (i++; i < m->length && isdigit((unsigned char)m->at[i]); i++) {
            unit /= 10;
            part += unit * (uint64_t)(m->at[i] - '0');
        }
    }
    return whole > (UINT64_MAX - part) / 1000 ? UINT64_MAX : whole * 1000 + part;
}

static char escape(const char **p, const char *end)
{
    static const char letters[] = "\"\\/";
    char c = **p;
    (*p)++;
    if (c == 'u') { /* a printable one need not be written so */
        *p = end - *p < 4 ? end : *p + 4;
        return '?';
    }
    return c && strchr(letters, c) ? c : '?';
}

void scan_text(const struct scan_member *m, char *to, size_t size)
{
    size_t n = 0;
    const char *p = m->at, *end = m->at + m->length;
    while (p < end && n + 1 < size) {
        char c = *p++;
        if (c == '\\' && p < end) {
            c = escape(&p, end);
        }
        to[n++] = c >= 0x20 && c < 0x7F ? c : '?';
    }
    to[n] = 0;
}
