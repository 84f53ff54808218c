/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vsnprintf without floating point. All output goes through put() and put_run(), which count and
 * cut.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 20 /* of 2^64 - 1, in decimal */

struct output {
    char *to;
    size_t size;
    size_t length;
};

struct conversion {
    bool left;
    bool zeros;
    size_t width;
    size_t precision; /* SIZE_MAX: none given */
    unsigned bytes;   /* of an integer argument */
};

static void put(struct output *out, char c)
{
    if (out->length + 1 < out->size) {
        out->to[out->length] = c;
    }
    out->length++;
}

static void put_run(struct output *out, const char *text, size_t length)
{
    if (out->length + 1 < out->size) {
        size_t room = out->size - 1 - out->length;
        memcpy(&out->to[out->length], text, length < room ? length : room);
    }
    out->length += length;
}

static void pad(struct output *out, char c, size_t from, size_t to)
{
    for (; from < to; from++) {
        put(out, c);
    }
}

static void put_text(struct output *out, const struct conversion *conv, const char *text,
                     size_t length)
{
    pad(out, ' ', conv->left ? conv->width : length, conv->width);
    put_run(out, text, length);
    pad(out, ' ', conv->left ? length : conv->width, conv->width);
}

static void put_number(struct output *out, const struct conversion *conv, uint64_t value,
                       unsigned base, char letter_a, bool negative)
{
    char digits[DIGITS_MAX];
    size_t count = 0;
    do {
        unsigned digit = (unsigned)(value % base);
        digits[count++] = (char)(digit < 10 ? '0' + digit : (unsigned)letter_a + digit - 10);
        value /= base;
    } while (value != 0);
    size_t least = conv->precision != SIZE_MAX ? conv->precision : 1;
    if (conv->zeros && !conv->left && conv->precision == SIZE_MAX) {
        least = conv->width - (negative && conv->width > 0 ? 1 : 0);
    }
    size_t length = (count > least ? count : least) + (negative ? 1 : 0);
    pad(out, ' ', conv->left ? conv->width : length, conv->width);
    if (negative) {
        put(out, '-');
    }
    pad(out, '0', count, least);
    while (count > 0) {
        put(out, digits[--count]);
    }
    pad(out, ' ', conv->left ? length : conv->width, conv->width);
}

/* Reads digits or an asterisk. */
static size_t parse_size(const char **format, va_list *args)
{
    size_t value = 0;
    if (**format == '*') {
        (*format)++;
        int given = va_arg(*args, int);
        return given < 0 ? 0 : (size_t)given;
    }
    for (; **format >= '0' && **format <= '9'; (*format)++) {
        value = value * 10 + (size_t)(**format - '0');
    }
    return value;
}

static void parse_flags(struct conversion *conv, const char **format)
{
    for (; **format == '-' || **format == '0'; (*format)++) {
        conv->left |= **format == '-';
        conv->zeros |= **format == '0';
    }
}

static struct conversion parse(const char **format, va_list *args)
{
    struct conversion conv = {.precision = SIZE_MAX, .bytes = sizeof(int)};
    parse_flags(&conv, format);
    conv.width = parse_size(format, args);
    if (**format == '.') {
        (*format)++;
        conv.precision = parse_size(format, args);
    }
    for (;; (*format)++) {
        if (**format == 'l' || **format == 'z') {
            conv.bytes = sizeof(long);
        } else if (**format == 'h') {
            conv.bytes /= 2;
        } else {
            return conv;
        }
    }
}

static uint64_t unsigned_argument(const struct conversion *conv, va_list *args)
{
    if (conv->bytes == sizeof(uint64_t)) {
        return va_arg(*args, uint64_t);
    }
    return va_arg(*args, unsigned) & (UINT32_MAX >> (32 - 8 * conv->bytes));
}

static int64_t signed_argument(const struct conversion *conv, va_list *args)
{
    return conv->bytes == sizeof(int64_t) ? va_arg(*args, int64_t) : va_arg(*args, int);
}

static void convert(struct output *out, const struct conversion *conv, char kind, va_list *args)
{
    switch (kind) {
    case 'd':
    case 'i': {
        int64_t value = signed_argument(conv, args);
        put_number(out, conv, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, 'a', value < 0);
        break;
    }
    case 'u':
        put_number(out, conv, unsigned_argument(conv, args), 10, 'a', false);
        break;
    case 'x':
    case 'X':
        put_number(out, conv, unsigned_argument(conv, args), 16, kind == 'x' ? 'a' : 'A', false);
        break;
    case 'p':
        put_number(out, conv, (uintptr_t)va_arg(*args, void *), 16, 'a', false);
        break;
    case 'c': {
        char c = (char)va_arg(*args, int);
        put_text(out, conv, &c, 1);
        break;
    }
    case 's': {
        const char *text = va_arg(*args, const char *);
        text = text != NULL ? text : "(null)";
        put_text(out, conv, text, strnlen(text, conv->precision));
        break;
    }
    default:
        put(out, kind);
        break;
    }
}

int vsnprintf(char *to, size_t size, const char *format, va_list args)
{
    struct output out = {.to = to, .size = size};
    va_list list;
    va_copy(list, args);
    for (;;) {
        size_t run = 0;
        while (format[run] != '\0' && format[run] != '%') {
            run++;
        }
        put_run(&out, format, run);
        format += run;
        if (*format == '\0' || *++format == '\0') {
            break;
        }
        struct conversion conv = parse(&format, &list);
        if (*format == '\0') {
            break;
        }
        convert(&out, &conv, *format++, &list);
    }
    va_end(list);
    if (size > 0) {
        to[out.length < size ? out.length : size - 1] = '\0';
    }
    return (int)out.length;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(to, size, format, args);
    va_end(args);
    return length;
}
