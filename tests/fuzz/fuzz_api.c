/* SPDX-License-Identifier: BSD-2-Clause */
// sources: supervisor
/*
 * Any bytes as requests to the supervisor's API: whole heads and bodies, one after the other, as a
 * connection would bring them. Whatever they are, each gets a whole answer that HTTP can carry, the
 * machine behind it is asked for nothing that it does not have, and nothing is held afterwards.
 *
 * The first byte says whether the requests have the token, and how they are cut into pieces.
 */
#include "tests/unit/api_talk.h"

#include "guests/supervisor/work_area.h"

#define REQUESTS_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void expect(bool sound)
{
    if (!sound) {
        abort();
    }
}

/* The bytes with the token's header line behind their first line. */
static size_t with_token(char *to, const char *from, size_t n)
{
    static const char header[] = "Authorization: Bearer " TALK_TOKEN "\r\n";
    const char *end = memchr(from, '\n', n);
    size_t line = end != NULL ? (size_t)(end - from) + 1 : 0;
    size_t added = line > 0 ? sizeof(header) - 1 : 0;
    memcpy(to, from, line);
    memcpy(&to[line], header, added);
    memcpy(&to[line + added], &from[line], n - line);
    return n + added;
}

static void check_chunks(const char *at, const char *end, bool ended)
{
    bool last = false;
    while (at < end) {
        char *rest;
        size_t size = strtoul(at, &rest, 16);
        expect(!last && rest == at + (size == 0 ? 1 : 4) && rest[0] == '\r' && rest[1] == '\n');
        at = rest + 2 + size;
        expect(at + 2 <= end && at[0] == '\r' && at[1] == '\n');
        at += 2;
        last = size == 0;
    }
    expect(last == ended);
}

static void check_answer(bool ended, bool head_only)
{
    const char *end = talk_answer + talk_length;
    const char *body = strstr(talk_answer, "\r\n\r\n");
    if (talk_length == 0) {
        expect(!ended);
        return;
    }
    expect(memcmp(talk_answer, "HTTP/1.1 ", 9) == 0 && body != NULL);
    int status = atoi(&talk_answer[9]);
    expect(status >= 200 && status < 600 && strcmp(http_reason((unsigned)status), "Error") != 0);
    body += 4;
    const char *length = strstr(talk_answer, "Content-Length: ");
    if (head_only || status == 204 || status == 304) {
        expect(body == end);
    } else if (length != NULL && length < body) {
        expect(strtoul(length + 16, NULL, 10) == (size_t)(end - body));
    } else if (strstr(talk_answer, "Transfer-Encoding: chunked") != NULL) {
        check_chunks(body, end, ended);
    }
}

/* One request from the front of the bytes; returns how many it took, 0 if they are no more. */
static size_t one_request(const char *data, size_t n, size_t piece)
{
    struct http_request request;
    talk_length = 0;
    int status = http_parse_request(&request, data, n, API_LINE_MAX, API_HEAD_MAX);
    if (status == HTTP_INCOMPLETE) {
        return 0;
    }
    if (status != HTTP_OK) {
        exchange_refuse(&talk, (unsigned)status, "refused");
        talk_take();
        check_answer(talk.phase == EXCHANGE_OVER, false);
        return 0;
    }
    bool head_only = http_is(request.method, "HEAD");
    exchange_begin(&talk, &request);
    size_t used = request.head.bytes;
    size_t left = n - used < talk.body_left ? n - used : (size_t)talk.body_left;
    talk_send(data + used, left, piece);
    used += left;
    talk_take();
    bool ended = talk.phase == EXCHANGE_OVER;
    check_answer(ended, head_only);
    bool goes_on = ended && talk.keep_alive;
    exchange_end(&talk);
    return goes_on ? used : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static char data[16384];
    if (n < 1 || n > 8192) {
        return 0;
    }
    talk_begin();
    fake_live(4, TOKLAT_VM_IDLE, 4);
    fake_live(5, TOKLAT_VM_PAUSED, 9);
    fake_note(TOKLAT_JOURNAL_LINE, 4, 0, "a line");
    fake_note(TOKLAT_JOURNAL_KILLED, 5, 0, "why");
    fake.fail_create_after = (bytes[0] & 0x20) != 0 ? 5 : 0;
    size_t piece = 1 + (bytes[0] & 15u) * 16u;
    const char *text = (const char *)bytes + 1;
    size_t length = (bytes[0] & 0x10) != 0 ? with_token(data, text, n - 1) : n - 1;
    if ((bytes[0] & 0x10) == 0) {
        memcpy(data, text, length);
    }
    size_t at = 0;
    for (unsigned i = 0; i < REQUESTS_MAX && at < length; i++) {
        size_t used = one_request(&data[at], length - at, piece);
        if (used == 0) {
            break;
        }
        at += used;
    }
    expect(!talk.holds_area && !talk.holds_upload);
    return 0;
}
