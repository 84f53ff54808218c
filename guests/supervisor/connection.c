/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection's life.
 */
#include "guests/supervisor/connection.h"

#include "guests/supervisor/endpoints.h"
#include "lwip/sys.h"

static char head_copy[API_HEAD_MAX + 4];
static char answer_buffer[ANSWER_BYTES];

static struct {
    const struct connection *owner; /* NULL: there is none */
    struct http_text piece;
    enum step step;
} held;

static void set_deadline(struct connection *c, uint32_t ms)
{
    c->active = server_now_ms;
    c->deadline = c->active + ms;
}

static bool is_expired(const struct connection *c)
{
    return (int32_t)(server_now_ms - c->deadline) >= 0;
}

static void begin_reading(struct connection *c, uint32_t ms)
{
    c->state = READING;
    c->begun = false;
    set_deadline(c, ms);
}

void connection_open(struct connection *c, struct tcp_pcb *pcb, bool spare)
{
    *c = (struct connection){.pcb = pcb, .spare = spare};
    server_now_ms = sys_now(); /* the last pass may be long ago */
    begin_reading(c, CONNECTION_HEAD_MS);
}

void connection_forget_held(const struct connection *c)
{
    if (held.owner == c) {
        held.owner = NULL;
    }
}

static void forget(struct connection *c)
{
    if (c->in != NULL) {
        pbuf_free(c->in);
        c->in = NULL;
    }
    connection_forget_held(c);
}

/* Takes the connection from its slot. The exchange goes on if it has to. */
static struct tcp_pcb *part(struct connection *c)
{
    struct tcp_pcb *pcb = c->pcb;
    c->pcb = NULL;
    forget(c);
    bool goes_on =
        c->state == ANSWERING && c->exchange.must_finish && c->exchange.phase == EXCHANGE_ANSWER;
    if (!goes_on) {
        exchange_end(&c->exchange);
        c->state = FREE;
    }
    c->again = goes_on;
    if (pcb != NULL) {
        tcp_arg(pcb, NULL);
        tcp_recv(pcb, NULL);
        tcp_sent(pcb, NULL);
        tcp_err(pcb, NULL);
        tcp_setprio(pcb, TCP_PRIO_MIN); /* what only closes makes room for a new one */
    }
    return pcb;
}

void connection_close(struct connection *c)
{
    struct tcp_pcb *pcb = part(c);
    if (pcb != NULL && tcp_close(pcb) != ERR_OK) {
        tcp_abort(pcb);
    }
}

void connection_abort(struct connection *c)
{
    struct tcp_pcb *pcb = part(c);
    if (pcb != NULL) {
        tcp_abort(pcb);
    }
}

static void consume(struct connection *c, size_t bytes)
{
    c->in = pbuf_free_header(c->in, (u16_t)bytes);
    tcp_recved(c->pcb, (u16_t)bytes);
}

/* Our half is closed first, so that the answer arrives before what the client still sends could
 * provoke a reset. */
static void linger(struct connection *c)
{
    c->state = LINGERING;
    set_deadline(c, CONNECTION_LINGER_MS);
    tcp_shutdown(c->pcb, 0, 1);
}

static void end_exchange(struct connection *c)
{
    exchange_end(&c->exchange);
    if (c->pcb == NULL) {
        c->state = FREE;
        return;
    }
    tcp_nagle_disable(c->pcb); /* the last piece is not waited with */
    if (!c->exchange.keep_alive || c->closed) {
        linger(c);
    } else if (c->exchange.body_left > 0) {
        c->state = DISCARDING;
        set_deadline(c, CONNECTION_BODY_MS);
    } else {
        begin_reading(c, CONNECTION_KEEP_MS);
    }
}

static void begin_answering(struct connection *c)
{
    c->state = ANSWERING;
    set_deadline(c, CONNECTION_STALL_MS);
    tcp_nagle_enable(c->pcb); /* full segments while there is more */
}

static void refuse(struct connection *c, unsigned status)
{
    const char *detail = "this is no HTTP request";
    switch (status) {
    case 408:
        detail = "the request did not arrive within 5 s";
        break;
    case 414:
        detail = "a request line has at most 3072 bytes";
        break;
    case 431:
        detail = "a request's head has at most 4096 bytes";
        break;
    case 503:
        detail = "32 connections are open";
        break;
    case 505:
        detail = "HTTP/1.0 and HTTP/1.1 are spoken here";
        break;
    default:
        break;
    }
    exchange_refuse(&c->exchange, status, detail);
    if (status == 503) {
        c->exchange.problem.retry_s = 1;
    }
    begin_answering(c);
}

static bool expects_continue(const struct http_head *head)
{
    struct http_text rest = head->headers;
    struct http_header header;
    while (http_next_header(&rest, &header)) {
        if (http_is_word(header.name, "expect")) {
            return http_is_word(header.value, "100-continue");
        }
    }
    return false;
}

static void begin_exchange(struct connection *c, const struct http_request *request)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    bool expects = expects_continue(&request->head);
    exchange_begin(&c->exchange, request);
    consume(c, request->head.bytes);
    if (c->exchange.phase != EXCHANGE_BODY) {
        begin_answering(c);
        return;
    }
    c->state = BODY;
    set_deadline(c, CONNECTION_BODY_MS);
    if (expects && c->in == NULL) {
        (void)tcp_write(c->pcb, interim, sizeof(interim) - 1, 0); /* without it the client waits */
    }
}

/* Each does one thing; true if another may follow. */

static bool read_head(struct connection *c)
{
    struct http_request request;
    if (c->in == NULL) {
        if (c->closed) {
            connection_close(c);
        }
        return false;
    }
    if (!c->begun) {
        c->begun = true;
        set_deadline(c, CONNECTION_HEAD_MS);
    }
    size_t length = c->in->tot_len < sizeof(head_copy) ? c->in->tot_len : sizeof(head_copy);
    pbuf_copy_partial(c->in, head_copy, (u16_t)length, 0);
    int status = http_parse_request(&request, head_copy, length, API_LINE_MAX, API_HEAD_MAX);
    if (status == HTTP_INCOMPLETE) {
        if (c->closed) {
            connection_close(c);
        }
        return false;
    }
    if (c->spare) {
        refuse(c, 503);
    } else if (status != HTTP_OK) {
        refuse(c, (unsigned)status);
    } else {
        begin_exchange(c, &request);
    }
    return true;
}

static bool take_body(struct connection *c)
{
    struct exchange *x = &c->exchange;
    size_t taken = 0;
    if (c->in == NULL) {
        if (c->closed) {
            connection_close(c);
        }
        return false;
    }
    taken = exchange_body(x, c->in->payload, c->in->len);
    if (taken > 0) {
        consume(c, taken);
        set_deadline(c, CONNECTION_BODY_MS);
    }
    if (x->phase == EXCHANGE_ANSWER) {
        begin_answering(c);
        return true;
    }
    return taken > 0;
}

/* What is left of a body that is not wanted. */
static void discard(struct connection *c)
{
    struct exchange *x = &c->exchange;
    while (c->in != NULL && x->body_left > 0) {
        size_t part = c->in->len < x->body_left ? c->in->len : (size_t)x->body_left;
        x->body_left -= part;
        consume(c, part);
        c->active = server_now_ms;
    }
}

static uint32_t in_flight(const struct connection *c)
{
    return (uint32_t)(TCP_SND_BUF - tcp_sndbuf(c->pcb));
}

/* How long the next piece may be; 0: not now. */
static size_t room_of(const struct connection *c)
{
    if (c->pcb == NULL) {
        return ANSWER_MIN;
    }
    size_t room = tcp_sndbuf(c->pcb);
    uint32_t all = server_in_flight();
    size_t spare = all < SEND_POOL ? SEND_POOL - all : 0;
    spare = in_flight(c) == 0 && spare < ANSWER_MIN ? ANSWER_MIN : spare;
    room = room < spare ? room : spare;
    room = room < ANSWER_BYTES ? room : ANSWER_BYTES;
    bool full = tcp_sndqueuelen(c->pcb) + ANSWER_BYTES / TCP_MSS + 2 > TCP_SND_QUEUELEN;
    return room < ANSWER_MIN || full ? 0 : room;
}

/* Gives a piece to TCP. False if it has no memory for it: then it is held. */
static bool send(struct connection *c, struct http_text piece, enum step step)
{
    if (c->pcb == NULL || piece.length == 0) {
        return true;
    }
    bool idle = in_flight(c) == 0;
    if (tcp_write(c->pcb, piece.at, (u16_t)piece.length, TCP_WRITE_FLAG_COPY) != ERR_OK) {
        held.owner = c;
        held.piece = piece;
        held.step = step;
        return false;
    }
    if (idle) {
        set_deadline(c, CONNECTION_STALL_MS);
    }
    return true;
}

/* The next piece, or the one that was held. False if none can be sent now. */
static bool next_piece(struct connection *c, enum step *step)
{
    struct http_text piece;
    if (held.owner == c) {
        held.owner = NULL;
        piece = held.piece;
        *step = held.step;
        return send(c, piece, *step);
    }
    size_t room = held.owner == NULL ? room_of(c) : 0;
    if (room == 0) {
        return false;
    }
    *step = exchange_answer(&c->exchange, answer_buffer, room, &piece);
    return send(c, piece, *step);
}

/* True if the answer has ended. */
static bool answer(struct connection *c)
{
    enum step step = STEP_MORE;
    discard(c);
    c->again = false;
    if (c->closed && c->exchange.flush) { /* nobody listens to the stream any more */
        connection_close(c);
        return false;
    }
    for (unsigned i = 0; i < ANSWERS_PER_PASS; i++) {
        if (!next_piece(c, &step)) {
            return false;
        }
        if (step == STEP_DONE) {
            end_exchange(c);
            return c->pcb != NULL;
        }
        if (step == STEP_LATER) {
            return false;
        }
    }
    c->again = true;
    return false;
}

static bool step_of(struct connection *c)
{
    switch (c->state) {
    case READING:
        return read_head(c);
    case BODY:
        return take_body(c);
    case ANSWERING:
        return answer(c);
    case DISCARDING:
        discard(c);
        if (c->exchange.body_left == 0) {
            begin_reading(c, CONNECTION_KEEP_MS);
            return true;
        }
        if (c->closed) {
            connection_close(c);
        }
        return false;
    case LINGERING:
        if (c->in != NULL) {
            consume(c, c->in->tot_len);
        }
        if (c->closed) {
            connection_close(c);
        }
        return false;
    default:
        return false;
    }
}

/* What is still on its way has as long as it makes progress. */
static void expire_lingering(struct connection *c)
{
    if (in_flight(c) > 0 && server_now_ms - c->active < CONNECTION_STALL_MS) {
        c->deadline = c->active + CONNECTION_STALL_MS;
    } else if (in_flight(c) > 0) {
        connection_abort(c);
    } else {
        connection_close(c);
    }
}

static void expire(struct connection *c)
{
    switch (c->state) {
    case READING:
        if (c->begun) {
            refuse(c, 408);
        } else {
            connection_close(c);
        }
        break;
    case BODY:
        if (c->exchange.wake_ns != NEVER && c->in != NULL) {
            set_deadline(c, CONNECTION_BODY_MS); /* it is we who wait */
        } else {
            exchange_end(&c->exchange);
            refuse(c, 408);
        }
        break;
    case ANSWERING:
        if (in_flight(c) > 0) {
            connection_abort(c);
        } else {
            set_deadline(c, CONNECTION_STALL_MS);
        }
        break;
    case LINGERING:
        expire_lingering(c);
        break;
    default:
        connection_abort(c);
        break;
    }
}

bool connection_run(struct connection *c)
{
    c->ready = false;
    if (c->moved) {
        c->moved = false;
        c->active = server_now_ms;
        c->deadline = c->state == ANSWERING ? c->active + CONNECTION_STALL_MS : c->deadline;
    }
    if (is_expired(c) && c->pcb != NULL) {
        expire(c);
    }
    /* Requests that were sent at once are answered in turn with other connections'. */
    for (unsigned i = 0; i < ANSWERS_PER_PASS && c->state != FREE; i++) {
        if (!step_of(c)) {
            break;
        }
    }
    if (c->pcb != NULL && c->state != FREE) {
        tcp_output(c->pcb);
    }
    c->again |= c->state == READING && c->in != NULL && !c->begun;
    return c->again;
}
