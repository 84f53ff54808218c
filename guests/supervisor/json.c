/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser: one state, one byte at a time.
 *
 *   START -{-> FIRST -"-> KEY -"-> COLON -:-> VALUE -> STRING or WORD -> AFTER -}-> END
 *                ^ NEXT <------------------ , ---------------------------'
 */
#include "guests/supervisor/json.h"

#include <string.h>

#include "guests/supervisor/utf8.h"

enum { START, FIRST, NEXT, KEY, COLON, VALUE, STRING, WORD, AFTER, END };

void json_begin(struct json *j)
{
    *j = (struct json){.state = START};
}

static bool fail(struct json *j, enum json_error error)
{
    j->error = (uint8_t)error;
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool keep(struct json *j, char c)
{
    char *to = j->state == KEY ? j->key : j->text;
    size_t most = j->state == KEY ? JSON_KEY_MAX : JSON_TEXT_MAX;
    if (j->length == most) {
        return fail(j, JSON_LONG);
    }
    to[j->length++] = c;
    to[j->length] = '\0';
    return true;
}

static bool keep_code(struct json *j, uint32_t code)
{
    if (code == 0) {
        return fail(j, JSON_MALFORMED); /* nothing here has a NUL in it */
    }
    if (code < 0x80) {
        return keep(j, (char)code);
    }
    unsigned bits = code < 0x800 ? 6 : code < 0x10000 ? 12 : 18;
    uint32_t lead = code < 0x800 ? 0xc0 : code < 0x10000 ? 0xe0 : 0xf0;
    bool kept = keep(j, (char)(lead | code >> bits));
    while (kept && bits > 0) {
        bits -= 6;
        kept = keep(j, (char)(0x80 | (code >> bits & 0x3f)));
    }
    return kept;
}

/* A UTF-16 unit is whole. */
static bool take_unit(struct json *j)
{
    uint32_t unit = j->hex;
    if (j->high != 0) {
        uint32_t code = 0x10000 + ((uint32_t)(j->high & 0x3ff) << 10) + (unit & 0x3ff);
        j->high = 0;
        return (unit & 0xfc00) == 0xdc00 ? keep_code(j, code) : fail(j, JSON_MALFORMED);
    }
    if ((unit & 0xfc00) == 0xd800) {
        j->high = j->hex;
        return true;
    }
    return (unit & 0xfc00) == 0xdc00 ? fail(j, JSON_MALFORMED) : keep_code(j, unit);
}

static bool take_hex(struct json *j, char c)
{
    char small = (char)(c | 0x20);
    bool digit = c >= '0' && c <= '9';
    if (!digit && (small < 'a' || small > 'f')) {
        return fail(j, JSON_MALFORMED);
    }
    j->hex = (uint16_t)(j->hex << 4 | (digit ? c - '0' : small - 'a' + 10));
    return --j->hex_left > 0 || take_unit(j);
}

static bool take_escape(struct json *j, char c)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    j->escaped = false;
    if (c == 'u') {
        j->hex = 0;
        j->hex_left = 4;
        return true;
    }
    const char *at = c != '\0' ? strchr(from, c) : NULL;
    return at != NULL && j->high == 0 ? keep(j, to[at - from]) : fail(j, JSON_MALFORMED);
}

static bool give(struct json *j, struct json_value *value, json_field_fn field, void *context)
{
    value->text = j->text;
    value->length = j->length;
    j->state = AFTER;
    return field(context, j->key, value) || fail(j, JSON_REFUSED);
}

static bool end_string(struct json *j, json_field_fn field, void *context)
{
    if (j->high != 0 || !utf8_sound(j->state == KEY ? j->key : j->text, j->length)) {
        return fail(j, JSON_MALFORMED);
    }
    if (j->state == KEY) {
        j->state = COLON;
        return true;
    }
    struct json_value value = {.type = JSON_STRING};
    return give(j, &value, field, context);
}

static bool take_in_string(struct json *j, char c, json_field_fn field, void *context)
{
    if (j->hex_left > 0) {
        return take_hex(j, c);
    }
    if (j->escaped) {
        return take_escape(j, c);
    }
    if (c == '\\') {
        j->escaped = true;
        return true;
    }
    if (c == '"') {
        return end_string(j, field, context);
    }
    return (unsigned char)c >= ' ' && j->high == 0 ? keep(j, c) : fail(j, JSON_MALFORMED);
}

static size_t digits_at(const char *text)
{
    size_t n = 0;
    while (text[n] >= '0' && text[n] <= '9') {
        n++;
    }
    return n;
}

/* The grammar of RFC 8259, section 6. */
static bool is_number(const char *text, bool *integer)
{
    bool negative = *text == '-';
    text += negative ? 1 : 0;
    size_t whole = digits_at(text);
    if (whole == 0 || (whole > 1 && *text == '0')) {
        return false;
    }
    text += whole;
    *integer = *text == '\0' && !negative;
    if (*text == '.') {
        size_t decimals = digits_at(++text);
        if (decimals == 0) {
            return false;
        }
        text += decimals;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-' ? 1 : 0;
        size_t exponent = digits_at(text);
        if (exponent == 0) {
            return false;
        }
        text += exponent;
    }
    return *text == '\0';
}

static bool end_word(struct json *j, json_field_fn field, void *context)
{
    struct json_value value = {.type = JSON_NULL};
    bool integer = false;
    if (strcmp(j->text, "true") == 0) {
        value.type = JSON_TRUE;
    } else if (strcmp(j->text, "false") == 0) {
        value.type = JSON_FALSE;
    } else if (is_number(j->text, &integer)) {
        value.type = integer && j->length <= 18 ? JSON_INTEGER : JSON_NUMBER;
        for (size_t i = 0; value.type == JSON_INTEGER && i < j->length; i++) {
            value.integer = value.integer * 10 + (uint64_t)(j->text[i] - '0');
        }
    } else if (strcmp(j->text, "null") != 0) {
        return fail(j, JSON_MALFORMED);
    }
    return give(j, &value, field, context);
}

static bool is_word_character(char c)
{
    char small = (char)(c | 0x20);
    return (c >= '0' && c <= '9') || (small >= 'a' && small <= 'z') || c == '-' || c == '+' ||
           c == '.';
}

static bool begin_value(struct json *j, char c)
{
    j->length = 0;
    j->text[0] = '\0';
    if (c == '[' || c == '{') {
        return fail(j, JSON_NESTED);
    }
    j->state = c == '"' ? STRING : WORD;
    if (c == '"') {
        return true;
    }
    return is_word_character(c) ? keep(j, c) : fail(j, JSON_MALFORMED);
}

/* Between tokens: moves to `state` at `mark`. */
static bool expect(struct json *j, char c, char mark, uint8_t state)
{
    if (c != mark) {
        return fail(j, JSON_MALFORMED);
    }
    j->state = state;
    return true;
}

static bool take_between(struct json *j, char c)
{
    switch (j->state) {
    case START:
        return expect(j, c, '{', FIRST);
    case FIRST:
    case NEXT:
        j->length = 0;
        j->key[0] = '\0';
        return c == '}' && j->state == FIRST ? expect(j, c, '}', END) : expect(j, c, '"', KEY);
    case COLON:
        return expect(j, c, ':', VALUE);
    case VALUE:
        return begin_value(j, c);
    case AFTER:
        return c == ',' ? expect(j, c, ',', NEXT) : expect(j, c, '}', END);
    default:
        return fail(j, JSON_MALFORMED);
    }
}

static bool take(struct json *j, char c, json_field_fn field, void *context)
{
    if (j->state == KEY || j->state == STRING) {
        return take_in_string(j, c, field, context);
    }
    if (j->state == WORD) {
        if (is_word_character(c)) {
            return keep(j, c);
        }
        if (!end_word(j, field, context)) {
            return false;
        }
    }
    return is_space(c) || take_between(j, c);
}

bool json_feed(struct json *j, const char *data, size_t length, json_field_fn field, void *context)
{
    for (size_t i = 0; i < length && j->error == JSON_OK; i++) {
        j->bytes += take(j, data[i], field, context) ? 1 : 0;
    }
    return j->error == JSON_OK;
}

bool json_whole(const struct json *j)
{
    return j->error == JSON_OK && j->state == END;
}
