/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text that is written piece by piece into a buffer of fixed size. What does not fit is left out
 * and noted in `cut`: a writer looks at out_room() before each item of a bounded size, stops when
 * that is too little, and goes on in the next, empty buffer.
 */
#ifndef GUESTS_SUPERVISOR_OUT_H
#define GUESTS_SUPERVISOR_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct out {
    char *at;
    size_t length;
    size_t size;
    bool cut;
};

/* An item of any generator is at most this long; it is called with at least as much room. */
#define OUT_ITEM_MAX 3072

static inline size_t out_room(const struct out *out)
{
    return out->size - out->length;
}

static inline bool out_has_room(const struct out *out)
{
    return out_room(out) >= OUT_ITEM_MAX;
}

static inline void out_bytes(struct out *out, const char *text, size_t length)
{
    if (length > out_room(out)) {
        length = out_room(out);
        out->cut = true;
    }
    memcpy(&out->at[out->length], text, length);
    out->length += length;
}

static inline void out_char(struct out *out, char c)
{
    out_bytes(out, &c, 1);
}

/* A literal's length is known to the compiler. */
static inline void out_text(struct out *out, const char *text)
{
    out_bytes(out, text, strlen(text));
}

/* Decimal. */
void out_u64(struct out *out, uint64_t value);
void out_i64(struct out *out, int64_t value);

/* Nanoseconds as seconds with six decimals: "0.012345", cut, not rounded. */
void out_seconds(struct out *out, uint64_t ns);

/* `length` bytes that stop at a NUL as a JSON string, with its quotation marks. Bytes that are no
 * UTF-8 (RFC 3629) become U+FFFD. At most OUT_STRING_GROWTH times as long, and 2. */
#define OUT_STRING_GROWTH 6
void out_json(struct out *out, const char *text, size_t length);

/* "key":value and "key":"value"; `key` is written as it is: a quotation mark to a colon. */
static inline void out_field(struct out *out, const char *key, uint64_t value)
{
    out_text(out, key);
    out_u64(out, value);
}

#endif
