/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A JSON object of scalars (RFC 8259), read as it arrives: bytes in, fields out, nothing kept of
 * the text. That is all that requests hold; an array or an object within it is refused, which
 * bounds the depth. (Small libraries that take such text whole, as jsmn does, also take what is no
 * JSON, and need the whole body in memory.)
 */
#ifndef GUESTS_SUPERVISOR_JSON_H
#define GUESTS_SUPERVISOR_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_KEY_MAX 31
#define JSON_TEXT_MAX 63

enum json_type { JSON_STRING, JSON_INTEGER, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

struct json_value {
    enum json_type type;
    const char *text; /* of a string: decoded; of others: as they stand there. NUL-terminated */
    size_t length;
    uint64_t integer; /* of JSON_INTEGER, which is none below 0 */
};

/* Called for each field. False ends the parsing. */
typedef bool (*json_field_fn)(void *context, const char *key, const struct json_value *value);

enum json_error {
    JSON_OK,
    JSON_MALFORMED,
    JSON_NESTED, /* an array or an object as a value */
    JSON_LONG,   /* a key or a value has more than JSON_KEY_MAX or JSON_TEXT_MAX bytes */
    JSON_REFUSED /* by the field's function */
};

struct json {
    uint8_t state;
    uint8_t error;    /* enum json_error */
    bool escaped;     /* behind a backslash */
    uint8_t hex_left; /* digits of \uXXXX to come */
    uint16_t hex;
    uint16_t high;  /* the first of two surrogates; 0: none */
    uint8_t length; /* of what is being read */
    char key[JSON_KEY_MAX + 1];
    char text[JSON_TEXT_MAX + 1];
    uint64_t bytes; /* taken; the place of an error */
};

void json_begin(struct json *j);

/* Takes more of the text. False after an error. */
bool json_feed(struct json *j, const char *data, size_t length, json_field_fn field, void *context);

/* Whether what was taken is one whole object. */
bool json_whole(const struct json *j);

#endif
