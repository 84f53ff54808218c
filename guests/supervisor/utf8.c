/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UTF-8 by the table of RFC 3629, section 4: the first byte says how many follow and what the
 * second may be.
 */
#include "guests/supervisor/utf8.h"

#include <stdint.h>

static const struct {
    uint8_t first, last; /* of the first byte */
    uint8_t least, most; /* of the second */
    uint8_t bytes;
} forms[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool continues(const char *text, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (((uint8_t)text[i] & 0xc0) != 0x80) {
            return false;
        }
    }
    return true;
}

size_t utf8_character(const char *text, size_t length)
{
    uint8_t first = length > 0 ? (uint8_t)text[0] : 0xff;
    if (first < 0x80) {
        return 1;
    }
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (first >= forms[i].first && first <= forms[i].last) {
            bool sound = length >= forms[i].bytes && (uint8_t)text[1] >= forms[i].least &&
                         (uint8_t)text[1] <= forms[i].most && continues(text, 2, forms[i].bytes);
            return sound ? forms[i].bytes : 0;
        }
    }
    return 0;
}

bool utf8_sound(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t bytes = utf8_character(&text[i], length - i);
        if (bytes == 0) {
            return false;
        }
        i += bytes;
    }
    return true;
}
