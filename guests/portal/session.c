/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions' life: lwIP's callbacks note what happened, then run() drives the session as far as it
 * goes. A session exists as long as its client connection; lwIP's callback argument is the
 * session, and is cleared before a connection is closed, so that no callback finds a session that
 * is gone.
 */
#include "guests/portal/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guests/rt/tcp.h"
#include "lwip/sys.h"

#define SESSIONS (PORTAL_SESSIONS + PORTAL_SPARE_SESSIONS)

static struct session sessions[SESSIONS];
static uint32_t sessions_used;

void session_deadline(struct session *s, uint32_t ms)
{
    s->deadline = sys_now() + ms;
}

static void outgoing_clear(struct outgoing *out)
{
    free(out->at);
    *out = (struct outgoing){0};
}

static void queue_clear(struct pbuf **queue)
{
    if (*queue != NULL) {
        pbuf_free(*queue);
        *queue = NULL;
    }
}

/* Takes a connection from its session; lwIP ends it by itself. */
static void part(struct tcp_pcb **pcb)
{
    struct tcp_pcb *parted = *pcb;
    *pcb = NULL;
    if (parted == NULL) {
        return;
    }
    tcp_arg(parted, NULL);
    tcp_recv(parted, NULL);
    tcp_sent(parted, NULL);
    tcp_err(parted, NULL);
    tcp_poll(parted, NULL, 0);
    tcp_close(parted); /* lwIP tries again itself when it has no memory for the FIN */
}

void session_drop_server(struct session *s)
{
    if (s->server != NULL && s->from_server != NULL) {
        tcp_recved(s->server, s->from_server->tot_len);
    }
    queue_clear(&s->from_server);
    outgoing_clear(&s->to_server);
    part(&s->server);
}

static void end(struct session *s)
{
    session_drop_server(s);
    queue_clear(&s->from_client);
    outgoing_clear(&s->to_client);
    part(&s->client);
    s->state = FREE;
    sessions_used--;
}

static void begin_reading(struct session *s, uint32_t ms)
{
    s->state = READING;
    s->idle = true;
    session_deadline(s, ms);
}

/* Closes our half, so that the answer arrives before the client's remaining input could provoke a
 * reset, and waits for the client. */
static void linger(struct session *s)
{
    session_drop_server(s);
    s->state = LINGERING;
    session_deadline(s, SESSION_LINGER_MS);
    tcp_shutdown(s->client, 0, 1);
}

void session_done(struct session *s)
{
    session_drop_server(s);
    outgoing_clear(&s->to_client);
    s->served = true;
    if (s->keep_alive && s->request_left == 0) {
        begin_reading(s, SESSION_KEEP_MS);
    } else {
        linger(s);
    }
}

void session_answer(struct session *s, struct page page)
{
    session_drop_server(s);
    outgoing_clear(&s->to_client);
    if (page.at == NULL) {
        s->keep_alive = false;
        session_done(s);
        return;
    }
    s->to_client = (struct outgoing){page.at, page.length, 0};
    s->state = ANSWERING;
    session_deadline(s, SESSION_STALL_MS);
}

void session_error(struct session *s, unsigned status, const char *format, ...)
{
    char reason[160];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    s->keep_alive &= s->request_left == 0;
    struct page_options options = {.close = !s->keep_alive, .head_only = s->head_only};
    session_answer(s, pages_error(status, reason, options));
}

static void discard_input(struct session *s)
{
    if (s->from_client != NULL) {
        relay_consume(s->client, &s->from_client, s->from_client->tot_len);
    }
}

/* One step of whatever the session is doing. True if another may follow. */
static bool step(struct session *s)
{
    switch (s->state) {
    case READING:
        return request_step(s);
    case WAITING:
    case RELAYING:
    case ANSWERING:
        return relay_step(s);
    case LINGERING:
        discard_input(s);
        return false;
    default:
        return false;
    }
}

static void run(struct session *s)
{
    while (s->state != FREE && step(s)) {
    }
    if (s->client != NULL) {
        tcp_output(s->client);
    }
    if (s->server != NULL) {
        tcp_output(s->server);
    }
}

/* Keeps few pieces: a client that sends byte by byte must not hold a buffer for each. */
static void enqueue(struct pbuf **queue, struct pbuf *p)
{
    if (*queue == NULL) {
        *queue = p;
        return;
    }
    pbuf_cat(*queue, p);
    if (pbuf_clen(*queue) > SESSION_PIECES_MAX) {
        *queue = pbuf_coalesce(*queue, PBUF_RAW);
    }
}

static err_t client_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct session *s = arg;
    LWIP_UNUSED_ARG(pcb);
    LWIP_UNUSED_ARG(err);
    if (p != NULL) {
        enqueue(&s->from_client, p);
        run(s);
        return ERR_OK;
    }
    /* A client that closes its half while it waits still gets its answer. */
    s->keep_alive = false;
    if (s->state == READING || s->state == LINGERING || s->request_left > 0) {
        end(s);
    }
    return ERR_OK;
}

static err_t moved(void *arg, struct tcp_pcb *pcb, u16_t length)
{
    struct session *s = arg;
    LWIP_UNUSED_ARG(pcb);
    LWIP_UNUSED_ARG(length);
    if (s->state == RELAYING || s->state == ANSWERING) {
        session_deadline(s, SESSION_STALL_MS);
    }
    run(s);
    return ERR_OK;
}

static void client_gone(void *arg, err_t err)
{
    struct session *s = arg;
    LWIP_UNUSED_ARG(err);
    s->client = NULL;
    end(s);
}

static err_t server_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct session *s = arg;
    LWIP_UNUSED_ARG(pcb);
    LWIP_UNUSED_ARG(err);
    if (p != NULL) {
        enqueue(&s->from_server, p);
    } else {
        s->server_eof = true;
    }
    run(s);
    return ERR_OK;
}

static err_t server_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct session *s = arg;
    LWIP_UNUSED_ARG(pcb);
    LWIP_UNUSED_ARG(err);
    s->state = WAITING;
    session_deadline(s, SESSION_ANSWER_MS);
    run(s);
    return ERR_OK;
}

/* The VM reset the connection, or lwIP gave up on it. */
static void server_gone(void *arg, err_t err)
{
    struct session *s = arg;
    s->server = NULL;
    if (s->state == CONNECTING) {
        session_error(s, 502, "%s %u %s.", s->group->name, s->instance,
                      err == ERR_RST ? "refuses the connection" : "cannot be reached");
    } else if (s->state == WAITING && s->from_server == NULL) {
        session_error(s, 502, "%s %u broke the connection off before it answered.", s->group->name,
                      s->instance);
    } else {
        s->server_eof = true;
    }
    run(s);
}

void session_connect(struct session *s, const uint8_t ipv4[4])
{
    ip_addr_t address;
    IP_ADDR4(&address, ipv4[0], ipv4[1], ipv4[2], ipv4[3]);
    s->server_eof = false;
    s->server = tcp_new();
    if (s->server == NULL) {
        session_error(s, 503, "The portal has no connection left.");
        return;
    }
    tcp_arg(s->server, s);
    tcp_recv(s->server, server_recv);
    tcp_sent(s->server, moved);
    tcp_err(s->server, server_gone);
    tcp_nagle_disable(s->server);
    tcp_set_first_rto(s->server, SESSION_SYN_MS);
    s->state = CONNECTING;
    session_deadline(s, SESSION_CONNECT_MS);
    if (tcp_connect(s->server, &address, 80, server_connected) != ERR_OK) {
        session_error(s, 503, "The portal has no memory left.");
    }
}

static void expired(struct session *s)
{
    switch (s->state) {
    case READING:
        s->keep_alive = false;
        if (s->idle) {
            end(s);
        } else {
            session_error(s, 408, "The request did not arrive within %u s.",
                          SESSION_HEAD_MS / 1000);
        }
        break;
    case CONNECTING:
        session_error(s, 504, "%s %u did not accept the connection within %u s.", s->group->name,
                      s->instance, SESSION_CONNECT_MS / 1000);
        break;
    case WAITING:
        session_error(s, 504, "%s %u did not answer within %u s.", s->group->name, s->instance,
                      SESSION_ANSWER_MS / 1000);
        break;
    default:
        end(s);
        break;
    }
}

static err_t client_poll(void *arg, struct tcp_pcb *pcb)
{
    struct session *s = arg;
    LWIP_UNUSED_ARG(pcb);
    if ((int32_t)(sys_now() - s->deadline) >= 0) {
        expired(s);
    }
    run(s);
    return ERR_OK;
}

static struct session *find_free(void)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        if (sessions[i].state == FREE) {
            return &sessions[i];
        }
    }
    return NULL;
}

/* Under pressure a connection that is only kept for the next request makes room. */
static void end_an_idle_one(void)
{
    for (unsigned i = 0; i < SESSIONS; i++) {
        if (sessions[i].state == READING && sessions[i].idle && sessions[i].served) {
            end(&sessions[i]);
            return;
        }
    }
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
    LWIP_UNUSED_ARG(arg);
    if (err != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }
    if (sessions_used >= PORTAL_SESSIONS) {
        end_an_idle_one();
    }
    struct session *s = find_free();
    if (s == NULL) {
        return ERR_MEM; /* lwIP resets the connection */
    }
    *s = (struct session){.client = pcb, .refused = sessions_used >= PORTAL_SESSIONS};
    sessions_used++;
    begin_reading(s, SESSION_HEAD_MS);
    tcp_arg(pcb, s);
    tcp_recv(pcb, client_recv);
    tcp_sent(pcb, moved);
    tcp_err(pcb, client_gone);
    tcp_poll(pcb, client_poll, 1);
    tcp_nagle_disable(pcb);
    tcp_set_first_rto(pcb, RTO_STANDARD_MS);
    return ERR_OK;
}

bool session_listen(void)
{
    return tcp_listen_on(80, accepted, NULL);
}
