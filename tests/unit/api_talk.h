/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole requests to the supervisor's API, and its whole answers, without the network. For one test
 * program each.
 */
#ifndef TESTS_UNIT_API_TALK_H
#define TESTS_UNIT_API_TALK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guests/supervisor/endpoints.h"
#include "tests/unit/fake_control.h"

#define TALK_TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TALK_STEPS 100000 /* an answer that takes more does not end */

static struct exchange talk;
static char talk_answer[1 << 20];
static size_t talk_length;
static size_t talk_piece_bytes = ANSWER_MIN; /* room for each piece */

/* The body, in pieces of at most `piece` bytes. */
static void talk_send(const char *body, size_t length, size_t piece)
{
    size_t sent = 0;
    while (talk.phase == EXCHANGE_BODY && sent < length) {
        size_t part = length - sent < piece ? length - sent : piece;
        char *copy = malloc(part);
        memcpy(copy, body + sent, part);
        sent += exchange_body(&talk, copy, part);
        free(copy);
    }
}

/* Takes the answer as far as it goes: until its end, or until it waits for something. */
static void talk_take(void)
{
    static char buffer[64 * 1024];
    for (unsigned i = 0; i < TALK_STEPS && talk.phase == EXCHANGE_ANSWER; i++) {
        struct http_text piece;
        enum step step = exchange_answer(&talk, buffer, talk_piece_bytes, &piece);
        if (piece.at < buffer || piece.at + piece.length > buffer + talk_piece_bytes) {
            abort();
        }
        if (talk_length + piece.length < sizeof(talk_answer)) {
            memcpy(&talk_answer[talk_length], piece.at, piece.length);
            talk_length += piece.length;
        }
        if (step == STEP_LATER && (talk.wants_journal || talk.wake_ns == NEVER)) {
            break;
        }
        if (step == STEP_LATER && talk.wake_ns > fake.now_ns) {
            fake.now_ns = talk.wake_ns;
        }
    }
    talk_answer[talk_length] = '\0';
}

/* A request with further header lines; returns the status of the answer. */
static inline int talk_with(const char *line, const char *headers, const char *body)
{
    static char head[API_HEAD_MAX];
    struct http_request request;
    size_t length = body != NULL ? strlen(body) : 0;
    char size[64] = "";
    if (body != NULL) {
        snprintf(size, sizeof(size), "Content-Length: %zu\r\n", length);
    }
    snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: x\r\n%s%s\r\n", line, headers, size);
    talk_length = 0;
    int status = http_parse_request(&request, head, strlen(head), API_LINE_MAX, API_HEAD_MAX);
    if (status == HTTP_OK) {
        exchange_begin(&talk, &request);
        talk_send(body != NULL ? body : "", length, 7);
    } else {
        exchange_refuse(&talk, (unsigned)status, "refused");
    }
    talk_take();
    return talk_length > 12 ? atoi(&talk_answer[9]) : 0;
}

static inline int ask(const char *line, const char *body)
{
    return talk_with(line, "Authorization: Bearer " TALK_TOKEN "\r\n", body);
}

/* Removes chunks' sizes; returns what the answer says. */
static inline const char *said(void)
{
    static char text[1 << 20];
    char *from = strstr(talk_answer, "\r\n\r\n");
    size_t length = 0;
    if (from == NULL) {
        return "";
    }
    bool chunked = strstr(talk_answer, "Transfer-Encoding: chunked") != NULL;
    from += 4;
    if (!chunked) {
        return from;
    }
    while (from < talk_answer + talk_length) {
        size_t n = strtoul(from, NULL, 16);
        from = strstr(from, "\r\n");
        if (n == 0 || from == NULL) {
            break;
        }
        memcpy(&text[length], from + 2, n);
        length += n;
        if (memcmp(from + 2 + n, "\r\n", 2) != 0) {
            return "a chunk does not end in CR and LF";
        }
        from += n + 4;
    }
    text[length] = '\0';
    return text;
}

static inline bool says(const char *wanted)
{
    return strstr(said(), wanted) != NULL;
}

static inline bool has_header(const char *wanted)
{
    return strstr(talk_answer, wanted) != NULL;
}

static void talk_begin(void)
{
    static const uint8_t ipv4[4] = {10, 64, 0, 1};
    fake_begin();
    memset(&api, 0, sizeof(api));
    api_begin("a=b token=" TALK_TOKEN, 1, ipv4);
}

#endif
