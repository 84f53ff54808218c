/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving bytes between the two connections of a session. TCP's window of the one side opens only
 * by what the other side's send buffer has taken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guests/portal/session.h"

#define CONNECTION_ROOM 32

static char scratch[SESSION_HEAD_MAX + 1];

struct http_text relay_peek(const struct pbuf *queue)
{
    size_t length = queue->tot_len < sizeof(scratch) ? queue->tot_len : sizeof(scratch);
    pbuf_copy_partial(queue, scratch, (u16_t)length, 0);
    return (struct http_text){scratch, length};
}

void relay_consume(struct tcp_pcb *pcb, struct pbuf **queue, size_t bytes)
{
    *queue = pbuf_free_header(*queue, (u16_t)bytes);
    if (pcb != NULL) {
        tcp_recved(pcb, (u16_t)bytes);
    }
}

/* Writes at most `length` bytes; returns how many TCP took. */
static size_t write_some(struct tcp_pcb *to, const void *data, size_t length)
{
    size_t room = tcp_sndbuf(to);
    size_t part = length < room ? length : room;
    if (part == 0 || tcp_sndqueuelen(to) >= TCP_SND_QUEUELEN - 2 ||
        tcp_write(to, data, (u16_t)part, TCP_WRITE_FLAG_COPY) != ERR_OK) {
        return 0; /* tried again when TCP has sent something, or on the next poll */
    }
    return part;
}

static bool send_outgoing(struct tcp_pcb *to, struct outgoing *out)
{
    if (to == NULL || out->at == NULL) {
        return false;
    }
    size_t part = write_some(to, &out->at[out->sent], out->length - out->sent);
    out->sent += part;
    if (out->sent == out->length) {
        free(out->at);
        *out = (struct outgoing){0};
        return true;
    }
    return part > 0;
}

/* Passes the front of a queue on, at most `left` bytes. */
static bool pass(struct tcp_pcb *from, struct pbuf **queue, struct tcp_pcb *to, uint64_t *left)
{
    if (*queue == NULL || to == NULL || *left == 0) {
        return false;
    }
    size_t length = (*queue)->len < *left ? (*queue)->len : (size_t)*left;
    size_t part = write_some(to, (*queue)->payload, length);
    if (part == 0) {
        return false;
    }
    relay_consume(from, queue, part);
    *left -= *left == UNTIL_CLOSE ? 0 : part;
    return true;
}

static bool has_no_body(const struct session *s, const struct http_response *response)
{
    return s->head_only || response->status == 204 || response->status == 304;
}

/* The VM's head for the client: its Connection header is replaced by ours. */
static bool rewrite_response(struct session *s, const struct http_response *response,
                             const char *data)
{
    const struct http_head *head = &response->head;
    char *text = malloc(head->bytes + CONNECTION_ROOM);
    if (text == NULL) {
        return false;
    }
    size_t length = (size_t)(head->headers.at - data);
    memcpy(text, data, length);
    struct http_text rest = head->headers;
    struct http_text line = rest;
    struct http_header header;
    while (http_next_header(&rest, &header)) {
        line.length -= rest.length;
        if (!http_is_word(header.name, "connection") && !http_is_word(header.name, "keep-alive")) {
            memcpy(&text[length], line.at, line.length);
            length += line.length;
        }
        line = rest;
    }
    length += (size_t)snprintf(&text[length], head->bytes + CONNECTION_ROOM - length,
                               "Connection: %s\r\n\r\n", s->keep_alive ? "keep-alive" : "close");
    s->to_client = (struct outgoing){text, length, 0};
    return true;
}

static void begin_response(struct session *s, const struct http_response *response,
                           const char *data)
{
    const struct http_head *head = &response->head;
    if (head->has_coding || response->status < 200) {
        session_error(s, 502, "%s %u answers in a way that the portal does not pass on.",
                      s->group->name, s->instance);
        return;
    }
    s->response_left = head->has_length ? head->length : UNTIL_CLOSE;
    if (has_no_body(s, response)) {
        s->response_left = 0;
    }
    s->keep_alive &= s->response_left != UNTIL_CLOSE;
    if (!rewrite_response(s, response, data)) {
        session_error(s, 503, "The portal has no memory left.");
        return;
    }
    relay_consume(s->server, &s->from_server, head->bytes);
    s->state = RELAYING;
    session_deadline(s, SESSION_STALL_MS);
}

/* Waits for the head of the response. */
static bool wait_step(struct session *s)
{
    struct http_response response;
    int status = HTTP_INCOMPLETE;
    struct http_text data = {0};
    if (s->from_server != NULL) {
        data = relay_peek(s->from_server);
        status = http_parse_response(&response, data.at, data.length, SESSION_HEAD_MAX);
    }
    if (status == HTTP_OK) {
        begin_response(s, &response, data.at);
        return true;
    }
    if (status != HTTP_INCOMPLETE) {
        session_error(s, 502, "%s %u does not answer in HTTP.", s->group->name, s->instance);
        return true;
    }
    if (s->server_eof) {
        session_error(s, 502, "%s %u closed the connection before it answered.", s->group->name,
                      s->instance);
        return true;
    }
    return false;
}

/* Whether the response has ended; a body that was cut short ends the client's connection too. */
static bool finish_step(struct session *s)
{
    if (s->to_client.at != NULL) {
        return false;
    }
    bool cut = s->server_eof && s->from_server == NULL;
    if (s->state == ANSWERING || s->response_left == 0 || cut) {
        s->keep_alive &= s->state == ANSWERING || s->response_left == 0;
        session_done(s);
        return true;
    }
    return false;
}

bool relay_step(struct session *s)
{
    bool moved = send_outgoing(s->client, &s->to_client);
    if (s->state != ANSWERING) {
        moved |= send_outgoing(s->server, &s->to_server);
        if (s->to_server.at == NULL) {
            moved |= pass(s->client, &s->from_client, s->server, &s->request_left);
        }
    }
    if (s->state == WAITING) {
        return wait_step(s) || moved;
    }
    if (s->state == RELAYING && s->to_client.at == NULL) {
        moved |= pass(s->server, &s->from_server, s->client, &s->response_left);
    }
    return finish_step(s) || moved;
}
