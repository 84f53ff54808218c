/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatting, the part of printf that messages need. Never writes past the buffer, never reads
 * past a %.*s, and shows a conversion that it does not know as it stands.
 */
#include "core/base/log.h"

struct out {
    char *buf;
    size_t size; /* of buf */
    size_t length;
};

/* One conversion: %[-0][width][.precision][length]conversion. */
struct spec {
    bool left;
    bool zero;
    bool has_precision;
    char length; /* 0, 'h', 'H' for hh, 'l' (also ll and z) */
    size_t width;
    size_t precision;
};

static void put(struct out *o, char c)
{
    if (o->length + 1 < o->size) {
        o->buf[o->length] = c;
    }
    o->length++;
}

static void pad(struct out *o, char c, size_t used, size_t width)
{
    for (; used < width; used++) {
        put(o, c);
    }
}

static void put_text(struct out *o, const struct spec *s, const char *text, size_t n)
{
    if (!s->left) {
        pad(o, ' ', n, s->width);
    }
    for (size_t i = 0; i < n; i++) {
        put(o, text[i]);
    }
    if (s->left) {
        pad(o, ' ', n, s->width);
    }
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
    const char *t = text ? text : "(null)";
    size_t n = 0;
    while ((!s->has_precision || n < s->precision) && t[n] != '\0') {
        n++;
    }
    put_text(o, s, t, n);
}

/* `prefix` is "", "-" or "0x"; zeros go between it and the digits. */
static void put_number(struct out *o, const struct spec *s, const char *prefix, uint64_t value,
                       unsigned base, const char *digits)
{
    char text[24]; /* 20 decimal digits of 2^64 - 1, and the prefix */
    size_t at = sizeof(text);
    do {
        text[--at] = digits[value % base];
        value /= base;
    } while (value != 0);
    size_t prefix_bytes = prefix[0] == '\0' ? 0 : prefix[1] == '\0' ? 1 : 2;
    if (s->zero && !s->left) {
        size_t n = sizeof(text) - at + prefix_bytes;
        for (size_t i = 0; i < prefix_bytes; i++) {
            put(o, prefix[i]);
        }
        pad(o, '0', n, s->width);
        prefix_bytes = 0;
        struct spec plain = {0};
        put_text(o, &plain, text + at, sizeof(text) - at);
        return;
    }
    while (prefix_bytes > 0) {
        text[--at] = prefix[--prefix_bytes];
    }
    put_text(o, s, text + at, sizeof(text) - at);
}

/* Arguments live in a structure so that a pointer to them can be passed on (va_list may be an
 * array type). */
struct args {
    va_list list;
};

static uint64_t take_unsigned(struct args *a, char length)
{
    if (length == 'l') {
        return va_arg(a->list, uint64_t);
    }
    unsigned v = va_arg(a->list, unsigned);
    return length == 'H' ? (unsigned char)v : length == 'h' ? (unsigned short)v : v;
}

static int64_t take_signed(struct args *a, char length)
{
    if (length == 'l') {
        return va_arg(a->list, int64_t);
    }
    int v = va_arg(a->list, int);
    return length == 'H' ? (signed char)v : length == 'h' ? (short)v : v;
}

static const char *parse_count(const char *f, struct args *a, size_t *count, bool *negative)
{
    *negative = false;
    if (*f == '*') {
        int v = va_arg(a->list, int);
        *negative = v < 0;
        *count = v < 0 ? (size_t) - (int64_t)v : (size_t)v;
        return f + 1;
    }
    for (; *f >= '0' && *f <= '9'; f++) {
        *count = *count * 10 + (size_t)(*f - '0');
    }
    return f;
}

static const char *parse_spec(const char *f, struct args *a, struct spec *s)
{
    bool negative;
    for (; *f == '-' || *f == '0'; f++) {
        s->left |= *f == '-';
        s->zero |= *f == '0';
    }
    f = parse_count(f, a, &s->width, &negative);
    s->left |= negative;
    if (*f == '.') {
        f = parse_count(f + 1, a, &s->precision, &negative);
        s->has_precision = !negative;
    }
    for (; *f == 'h' || *f == 'l' || *f == 'z'; f++) {
        s->length = *f == 'h' ? (s->length == 'h' ? 'H' : 'h') : 'l';
    }
    return f;
}

/* Writes one conversion; returns false when it is none that is known. */
static bool convert(struct out *o, const struct spec *s, char conversion, struct args *a)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    switch (conversion) {
    case '%':
        put(o, '%');
        return true;
    case 'c': {
        char c = (char)va_arg(a->list, int);
        put_text(o, s, &c, 1);
        return true;
    }
    case 's':
        put_string(o, s, va_arg(a->list, const char *));
        return true;
    case 'd':
    case 'i': {
        int64_t v = take_signed(a, s->length);
        put_number(o, s, v < 0 ? "-" : "", v < 0 ? -(uint64_t)v : (uint64_t)v, 10, lower);
        return true;
    }
    case 'u':
        put_number(o, s, "", take_unsigned(a, s->length), 10, lower);
        return true;
    case 'x':
    case 'X':
        put_number(o, s, "", take_unsigned(a, s->length), 16, conversion == 'x' ? lower : upper);
        return true;
    case 'p':
        put_number(o, s, "0x", (uintptr_t)va_arg(a->list, void *), 16, lower);
        return true;
    default:
        return false;
    }
}

int fmt_vsnprintf(char *buf, size_t size, const char *fmt, va_list list)
{
    struct out o = {buf, size, 0};
    struct args a;
    va_copy(a.list, list);
    const char *f = fmt;
    while (*f != '\0') {
        if (*f != '%') {
            put(&o, *f++);
            continue;
        }
        struct spec s = {0};
        const char *end = parse_spec(f + 1, &a, &s);
        if (convert(&o, &s, *end, &a)) {
            f = end + 1;
        } else {
            put(&o, *f++);
        }
    }
    va_end(a.list);
    if (size > 0) {
        buf[o.length < size ? o.length : size - 1] = '\0';
    }
    return (int)o.length;
}

int fmt_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list list;
    va_start(list, fmt);
    int n = fmt_vsnprintf(buf, size, fmt, list);
    va_end(list);
    return n;
}
