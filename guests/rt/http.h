/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heads of HTTP/1 messages (RFC 9112): parsing, with limits, without copying. Pure functions.
 *
 * Strict where leniency lets two parsers disagree about where a message ends: lines end in CRLF
 * and nothing else, a header is not folded, lengths are plain decimal and given once.
 */
#ifndef GUESTS_RT_HTTP_H
#define GUESTS_RT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of the caller's buffer; not NUL-terminated. */
struct http_text {
    const char *at;
    size_t length;
};

struct http_header {
    struct http_text name;
    struct http_text value; /* without the white space around it */
};

/* What is common to requests and responses. */
struct http_head {
    struct http_text headers; /* all header lines, each with its CRLF */
    size_t bytes;             /* the whole head, with the empty line that ends it */
    unsigned minor;           /* of HTTP/1.minor */
    bool keep_alive;          /* the sender wants to go on after this message */
    bool has_coding;          /* Transfer-Encoding is present */
    bool has_length;          /* Content-Length is present */
    uint64_t length;
    unsigned hosts; /* how many Host headers */
};

struct http_request {
    struct http_head head;
    struct http_text method;
    struct http_text target; /* origin form: begins with '/'; or just "*" */
};

struct http_response {
    struct http_head head;
    unsigned status;
};

#define HTTP_INCOMPLETE 0 /* the head goes on behind what was given */
#define HTTP_OK 200

/* Parses the head of a request. Returns HTTP_INCOMPLETE, HTTP_OK, or the status to refuse with:
 * 400, 414 (the request line is longer than line_max bytes), 431 (the head is longer than head_max
 * bytes) or 505. Fields of `request` are valid only with HTTP_OK. */
int http_parse_request(struct http_request *request, const char *data, size_t length,
                       size_t line_max, size_t head_max);

/* Parses the head of a response. Returns HTTP_INCOMPLETE, HTTP_OK, or 502 if it is malformed or
 * longer than head_max bytes. */
int http_parse_response(struct http_response *response, const char *data, size_t length,
                        size_t head_max);

/* Takes the next header line from the front of `lines` (http_head.headers). False at the end, and
 * at a line that is no header; those do not occur in a head that was parsed. */
bool http_next_header(struct http_text *lines, struct http_header *header);

bool http_is(struct http_text text, const char *wanted);      /* the same bytes */
bool http_is_word(struct http_text text, const char *wanted); /* ASCII case does not matter */

/* Decimal digits and nothing else, up to INT64_MAX. */
bool http_number(struct http_text text, uint64_t *value);

/* The standard's words for a status; "Error" for one that guests do not use. */
const char *http_reason(unsigned status);

#endif
