/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What may be shown, and what may not. UTF-8: RFC 3629. Directional characters: Unicode Standard
 * Annex 9, "Directional Formatting Characters".
 */
#include <string.h>

#include "tools/toklat/client/clean.h"

static bool showable(uint32_t point)
{
    bool control = point < 0x20 || (point >= 0x7F && point < 0xA0);
    bool directional = point == 0x061C || point == 0x200E || point == 0x200F ||
                       (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
    bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    return point == '\n' || point == '\t' ||
           !(control || directional || surrogate || point == 0xFEFF || point > 0x10FFFF);
}

static void lead_byte(struct clean *c, uint8_t byte, FILE *to)
{
    static const struct {
        uint8_t mask, lead, want;
        uint32_t least;
    } forms[] = {{0xE0, 0xC0, 1, 0x80}, {0xF0, 0xE0, 2, 0x800}, {0xF8, 0xF0, 3, 0x10000}};
    if (byte < 0x80) {
        putc_unlocked(showable(byte) ? byte : '?', to);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if ((byte & forms[i].mask) == forms[i].lead) {
            c->want = forms[i].want;
            c->least = forms[i].least;
            c->point = byte & (uint8_t)~forms[i].mask;
            c->bytes[0] = byte;
            c->have = 1;
            return;
        }
    }
    putc_unlocked('?', to);
}

/* A byte that goes on with a character. */
static void next_byte(struct clean *c, uint8_t byte, FILE *to)
{
    c->point = c->point << 6 | (byte & 0x3Fu);
    c->bytes[c->have++] = byte;
    if (--c->want > 0) {
        return;
    }
    if (c->point >= c->least && showable(c->point)) {
        fwrite_unlocked(c->bytes, 1, c->have, to);
    } else {
        putc_unlocked('?', to);
    }
}

void clean_write(struct clean *c, const char *text, size_t n, FILE *to)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)text[i];
        bool goes_on = (byte & 0xC0) == 0x80;
        if (c->want > 0 && goes_on) {
            next_byte(c, byte, to);
        } else {
            clean_end(c, to);
            lead_byte(c, byte, to);
        }
    }
}

void clean_end(struct clean *c, FILE *to)
{
    if (c->want) {
        putc_unlocked('?', to);
    }
    c->want = 0;
}

void clean_put(const char *text, FILE *to)
{
    struct clean c = {0};
    clean_write(&c, text, strlen(text), to);
    clean_end(&c, to);
}

char *clean_cell(char *to, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text && n + 1 < size; text++) {
        to[n++] = *text >= 0x20 && *text < 0x7F ? *text : '?';
    }
    to[n] = 0;
    return to;
}
