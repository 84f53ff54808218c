/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers: pieces of what the steps write, behind a head and within chunks. An answer that is
 * whole in its first piece says its length; another comes in chunks (RFC 9112, section 7.1).
 *
 *   |<- head ->|<- "xxxx\r\n" ->|<- what the step wrote ->|<- "\r\n0\r\n\r\n" ->|
 */
#include <stdio.h>

#include "guests/supervisor/endpoints.h"

#define CHUNK_BEGIN 6 /* four digits, CR and LF */
#define CHUNK_END 7   /* CR and LF, and the last chunk */
#define HEAD_ROOM (ANSWER_ROOM - CHUNK_BEGIN - CHUNK_END)

static void head_of_problem(const struct exchange *x, struct out *head)
{
    if (x->problem.status == 401) {
        out_text(head, "WWW-Authenticate: Bearer realm=\"toklat\"\r\n");
    }
    if (x->problem.allow != NULL) {
        out_text(head, "Allow: ");
        out_text(head, x->problem.allow);
        out_text(head, "\r\n");
    }
    if (x->problem.retry_s != 0) {
        out_field(head, "Retry-After: ", x->problem.retry_s);
        out_text(head, "\r\n");
    }
}

static void head_of_page(struct out *head)
{
    char etag[ETAG_BYTES];
    page_etag(etag);
    out_text(head, "ETag: ");
    out_text(head, etag);
    out_text(head, "\r\nContent-Encoding: gzip\r\nCache-Control: no-cache\r\n"
                   "Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; "
                   "style-src 'unsafe-inline'; img-src data:; connect-src 'self'\r\n");
}

static void head_of_success(const struct exchange *x, struct out *head)
{
    if (x->request.endpoint == API_DASHBOARD) {
        head_of_page(head);
        return;
    }
    out_text(head, "Cache-Control: no-store\r\n");
    if (x->request.endpoint == API_IMAGE_UPLOAD) {
        out_text(head, "Location: /v1/images/");
        out_text(head, x->request.load.name);
        out_text(head, "\r\n");
    }
}

static bool has_content(const struct exchange *x)
{
    return x->problem.status != 0 || (x->status != 204 && x->status != 304);
}

static void write_length(struct exchange *x, struct out *head)
{
    if (!has_content(x)) {
        return;
    }
    if (x->length != LENGTH_UNKNOWN) {
        out_field(head, "Content-Length: ", x->length);
        out_text(head, "\r\n");
        return;
    }
    x->chunked = !x->minor_0;
    x->keep_alive &= x->chunked;
    out_text(head, x->chunked ? "Transfer-Encoding: chunked\r\n" : "");
}

static const char *type_of(const struct exchange *x)
{
    if (x->problem.status != 0) {
        return "application/problem+json";
    }
    return x->classic ? METRICS_TYPE_CLASSIC : endpoint_of(x)->type;
}

static void write_head(struct exchange *x, struct out *head)
{
    char date[30];
    unsigned status = x->problem.status != 0 ? x->problem.status : x->status;
    out_field(head, "HTTP/1.1 ", status);
    out_char(head, ' ');
    out_text(head, http_reason(status));
    out_text(head, "\r\n");
    if (platform_date(date)) {
        out_text(head, "Date: ");
        out_text(head, date);
        out_text(head, "\r\n");
    }
    write_length(x, head);
    if (has_content(x)) {
        out_text(head, "Content-Type: ");
        out_text(head, type_of(x));
        out_text(head, "\r\nX-Content-Type-Options: nosniff\r\n");
    }
    if (x->problem.status != 0) {
        head_of_problem(x, head);
    } else {
        head_of_success(x, head);
    }
    out_text(head, x->keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
    x->head_sent = true;
}

/* What the step has to say, or the problem that it met. */
static enum step run(struct exchange *x, struct out *content)
{
    if (x->problem.status == 0) {
        enum step step = endpoint_of(x)->step(x, content);
        if (x->problem.status == 0) {
            return step;
        }
    }
    if (x->head_sent) { /* too late to say so: the answer ends before its end */
        x->keep_alive = false;
        x->chunked = false;
        content->length = 0;
        return STEP_DONE;
    }
    content->length = 0;
    x->length = LENGTH_UNKNOWN;
    problem_write(&x->problem, content);
    return STEP_DONE;
}

static void count_refusal(struct exchange *x)
{
    if (!x->counted && x->problem.status != 0) {
        x->counted = true;
        api.refused++;
    }
}

/* A body that nobody will read: of little it is worth waiting for the end. */
static void judge_rest(struct exchange *x)
{
    if (x->body_left > API_BODY_MAX) {
        x->keep_alive = false;
    }
}

static void frame(struct exchange *x, char *content, size_t *before, size_t *length, bool last)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = *length;
    if (!x->chunked) {
        return;
    }
    if (n > 0) {
        char *begin = content - CHUNK_BEGIN;
        for (unsigned i = 0; i < 4; i++) {
            begin[i] = digits[n >> (12 - 4 * i) & 15];
        }
        begin[4] = '\r';
        begin[5] = '\n';
        *before = CHUNK_BEGIN;
        memcpy(&content[n], "\r\n", 2);
        *length += 2;
    }
    if (last) {
        memcpy(&content[*length], "0\r\n\r\n", 5);
        *length += 5;
    }
}

/* Frames what was written and, before the first piece, puts the head there. Returns the piece. */
static struct http_text assemble(struct exchange *x, char *content, size_t length, bool last)
{
    static char text[HEAD_ROOM];
    struct out head = {.at = text, .size = sizeof(text)};
    size_t before = 0;
    bool silent = x->head_only || !has_content(x);
    if (!x->head_sent) {
        write_head(x, &head); /* which decides whether there are chunks */
    }
    length = silent ? 0 : length;
    if (!silent) {
        frame(x, content, &before, &length, last);
    }
    char *begin = content - before - head.length;
    memcpy(begin, text, head.length);
    return (struct http_text){begin, length + before + head.length};
}

enum step exchange_answer(struct exchange *x, char *buffer, size_t size, struct http_text *piece)
{
    char *content = buffer + HEAD_ROOM + CHUNK_BEGIN;
    struct out out = {.at = content, .size = size - ANSWER_ROOM};
    x->wake_ns = NEVER;
    x->wants_journal = false;
    enum step step = run(x, &out);
    *piece = (struct http_text){content, 0};
    if (step != STEP_DONE && out.length == 0 && (x->head_sent || !x->flush)) {
        return step;
    }
    judge_rest(x);
    count_refusal(x);
    if (!x->head_sent && step == STEP_DONE && x->length == LENGTH_UNKNOWN) {
        x->length = out.length;
    }
    *piece = assemble(x, content, out.length, step == STEP_DONE);
    if (step == STEP_DONE || x->head_only) {
        exchange_end(x);
        return STEP_DONE;
    }
    return step;
}
