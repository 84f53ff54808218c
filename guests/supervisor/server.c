/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pool of connections: who gets a slot, who loses it, and who is looked at in a pass.
 *
 * Half-open connections cannot fill lwIP's pool either: when there are too many, the oldest makes
 * room for the next.
 */
#include "guests/supervisor/connection.h"

#include "guests/rt/hypercall.h"
#include "guests/rt/tcp.h"
#include "guests/rt/time.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"

#define SLOTS (CONNECTIONS + CONNECTIONS_SPARE)

uint32_t server_now_ms;
static struct connection slots[SLOTS];
static bool sent_something; /* memory is free again for whoever waits for it */

uint32_t server_in_flight(void)
{
    uint32_t bytes = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slots[i].pcb != NULL) {
            bytes += (uint32_t)(TCP_SND_BUF - tcp_sndbuf(slots[i].pcb));
        }
    }
    return bytes;
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct connection *c = arg;
    LWIP_UNUSED_ARG(pcb);
    LWIP_UNUSED_ARG(err);
    c->ready = true;
    if (p == NULL) {
        c->closed = true;
        return ERR_OK;
    }
    if (c->in == NULL) {
        c->in = p;
        return ERR_OK;
    }
    pbuf_cat(c->in, p);
    if (pbuf_clen(c->in) > CONNECTION_PIECES_MAX) {
        c->in = pbuf_coalesce(c->in, PBUF_RAW); /* a client that sends byte by byte */
    }
    return ERR_OK;
}

static err_t sent(void *arg, struct tcp_pcb *pcb, u16_t length)
{
    struct connection *c = arg;
    LWIP_UNUSED_ARG(pcb);
    LWIP_UNUSED_ARG(length);
    c->ready = true;
    c->moved = true;
    sent_something = true;
    return ERR_OK;
}

static void gone(void *arg, err_t err)
{
    struct connection *c = arg;
    LWIP_UNUSED_ARG(err);
    c->pcb = NULL; /* lwIP has freed it */
    sent_something = true;
    connection_abort(c);
}

static unsigned count_used(void)
{
    unsigned used = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        used += slots[i].state != FREE ? 1 : 0;
    }
    return used;
}

/* Of those that are not being served, the one that has done nothing for the longest time. */
static void shed_one(void)
{
    struct connection *oldest = NULL;
    for (unsigned i = 0; i < SLOTS; i++) {
        struct connection *c = &slots[i];
        bool waits = c->state == READING || c->state == LINGERING || c->state == DISCARDING;
        if (waits && (oldest == NULL || (int32_t)(c->active - oldest->active) < 0)) {
            oldest = c;
        }
    }
    if (oldest == NULL) {
        return;
    }
    if (oldest->state == READING && oldest->in == NULL) {
        connection_close(oldest);
    } else {
        connection_abort(oldest);
    }
}

static struct connection *find_free(void)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slots[i].state == FREE) {
            return &slots[i];
        }
    }
    return NULL;
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
    LWIP_UNUSED_ARG(arg);
    if (err != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }
    if (count_used() >= CONNECTIONS) {
        shed_one();
    }
    struct connection *c = find_free();
    if (c == NULL) {
        return ERR_MEM; /* lwIP resets the connection */
    }
    connection_open(c, pcb, count_used() >= CONNECTIONS);
    tcp_arg(pcb, c);
    tcp_recv(pcb, received);
    tcp_sent(pcb, sent);
    tcp_err(pcb, gone);
    tcp_nagle_disable(pcb);
    tcp_set_first_rto(pcb, RTO_STANDARD_MS);
    pcb->so_options |= SOF_KEEPALIVE;
    pcb->keep_idle = SERVER_KEEPALIVE_MS;
    return ERR_OK;
}

err_t server_syn(struct tcp_pcb *pcb)
{
    struct tcp_pcb *oldest = NULL;
    unsigned half_open = 0;
    if (pcb->state != LISTEN) {
        return ERR_OK;
    }
    for (struct tcp_pcb *other = tcp_active_pcbs; other != NULL; other = other->next) {
        if (other->state == SYN_RCVD) {
            half_open++;
            oldest = other; /* the list begins with the newest */
        }
    }
    if (half_open >= SERVER_HALF_OPEN) {
        tcp_abort(oldest);
    }
    return ERR_OK;
}

bool server_listen(void)
{
    return tcp_listen_on(80, accepted, NULL);
}

/* Whether anything happened that concerns it. */
static bool concerns(const struct connection *c, bool journal, uint64_t now)
{
    bool waits = c->state == ANSWERING || c->state == BODY;
    bool due = waits && now >= c->exchange.wake_ns;
    bool expired = c->pcb != NULL && (int32_t)(server_now_ms - c->deadline) >= 0;
    bool wanted =
        c->state == ANSWERING && ((journal && c->exchange.wants_journal) || sent_something);
    return c->state != FREE && (c->ready || c->again || due || expired || wanted);
}

static uint64_t sleep_of(uint64_t now, bool again)
{
    uint64_t due = NEVER;
    for (unsigned i = 0; i < SLOTS; i++) {
        const struct connection *c = &slots[i];
        if ((c->state == ANSWERING || c->state == BODY) && c->exchange.wake_ns < due) {
            due = c->exchange.wake_ns;
        }
    }
    if (again) {
        return 0;
    }
    if (due == NEVER) {
        return TOKLAT_IDLE_FOREVER;
    }
    return due > now ? due - now : 0;
}

static void count_connections(void)
{
    api.connections = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        api.connections += slots[i].state != FREE && slots[i].pcb != NULL ? 1 : 0;
    }
}

uint64_t server_work(uint64_t events)
{
    static unsigned first; /* who comes first in this pass */
    static bool journal;
    uint64_t now = platform_now_ns();
    bool again = false;
    bool all = true;
    server_now_ms = (uint32_t)(now / NS_PER_MS);
    journal |= (events & TOKLAT_EVENT_CONSOLE) != 0;
    count_connections();
    for (unsigned i = 0; i < SLOTS && all; i++) {
        struct connection *c = &slots[(first + i) % SLOTS];
        if (concerns(c, journal, now)) {
            again |= connection_run(c);
            all = platform_now_ns() - now < SERVER_PASS_NS || i == SLOTS - 1;
            first = all ? first : (first + i + 1) % SLOTS;
        }
    }
    if (all) { /* everybody has seen these */
        journal = false;
        sent_something = false;
    }
    return sleep_of(now, again || !all);
}
