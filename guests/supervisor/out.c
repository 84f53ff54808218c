/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers and strings as text. A list of 100,000 VMs has a million numbers: two digits are made by
 * one division, and most are short.
 */
#include "guests/supervisor/out.h"

#include "guests/supervisor/utf8.h"

#define DIGITS_MAX 20 /* of 2^64 - 1 */

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

/* Writes `value` so that it ends before `end`; returns where it begins. */
static char *put_digits(char *end, uint64_t value)
{
    while (value >= 100) {
        uint64_t rest = value / 100;
        end -= 2;
        memcpy(end, &pairs[2 * (value - 100 * rest)], 2);
        value = rest;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, &pairs[2 * value], 2);
        return end;
    }
    *--end = (char)('0' + value);
    return end;
}

void out_u64(struct out *out, uint64_t value)
{
    char text[DIGITS_MAX];
    if (value < 10) {
        out_char(out, (char)('0' + value));
        return;
    }
    char *end = text + sizeof(text);
    char *begin = put_digits(end, value);
    out_bytes(out, begin, (size_t)(end - begin));
}

void out_i64(struct out *out, int64_t value)
{
    if (value < 0) {
        out_char(out, '-');
    }
    out_u64(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void out_seconds(struct out *out, uint64_t ns)
{
    uint64_t seconds = ns / 1000000000;
    uint32_t micro = (uint32_t)(ns - seconds * 1000000000) / 1000;
    char decimals[7];
    out_u64(out, seconds);
    decimals[0] = '.';
    memcpy(&decimals[1], &pairs[2 * (micro / 10000)], 2);
    memcpy(&decimals[3], &pairs[2 * (micro / 100 % 100)], 2);
    memcpy(&decimals[5], &pairs[2 * (micro % 100)], 2);
    out_bytes(out, decimals, sizeof(decimals));
}

static void out_escaped(struct out *out, char c)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', digits[(uint8_t)c >> 4], digits[c & 15]};
    switch (c) {
    case '"':
    case '\\':
        text[1] = c;
        break;
    case '\n':
        text[1] = 'n';
        break;
    case '\t':
        text[1] = 't';
        break;
    default:
        out_bytes(out, text, sizeof(text));
        return;
    }
    out_bytes(out, text, 2);
}

void out_json(struct out *out, const char *text, size_t length)
{
    size_t from = 0;
    size_t i = 0;
    length = strnlen(text, length);
    out_char(out, '"');
    while (i < length) {
        char c = text[i];
        size_t bytes = utf8_character(&text[i], length - i);
        bool plain = bytes > 0 && (uint8_t)c >= ' ' && c != '"' && c != '\\' && c != 0x7f;
        if (!plain) {
            out_bytes(out, &text[from], i - from);
            if (bytes > 0) {
                out_escaped(out, c);
            } else {
                out_text(out, "\xef\xbf\xbd"); /* U+FFFD */
            }
            from = i + 1;
        }
        i += bytes > 0 ? bytes : 1;
    }
    out_bytes(out, &text[from], length - from);
    out_char(out, '"');
}
