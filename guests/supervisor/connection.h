/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections of the API: a fixed number of them, each with one exchange at a time.
 *
 *   READING -> BODY -> ANSWERING -+-> DISCARDING -> READING (keep-alive)
 *                                 `-> LINGERING -> gone
 *
 * lwIP's callbacks only note what happened; server_work() does all the rest, outside of them, at
 * each pass of the event loop. What arrives stays in lwIP's buffers until it is used, and an answer
 * is made only as fast as TCP takes it.
 */
#ifndef GUESTS_SUPERVISOR_CONNECTION_H
#define GUESTS_SUPERVISOR_CONNECTION_H

#include "guests/supervisor/exchange.h"
#include "lwip/tcp.h"

#define CONNECTIONS 32
#define CONNECTIONS_SPARE 2 /* further ones that are told so (503) */

/* In ms. Looked at whenever lwIP's timers run, which they do while there are connections. */
#define CONNECTION_HEAD_MS 5000   /* from the connection, or a head's first byte, to its end */
#define CONNECTION_BODY_MS 5000   /* without any progress of a body */
#define CONNECTION_KEEP_MS 60000  /* between requests; less when others need the room */
#define CONNECTION_STALL_MS 10000 /* without the client taking anything of an answer */
#define CONNECTION_LINGER_MS 2000 /* for the client to close after us */
#define CONNECTION_PIECES_MAX 16  /* received pieces that are kept apart */

#define SEND_POOL 65536    /* bytes in flight of all; beyond, ANSWER_MIN for each connection */
#define ANSWER_BYTES 16384 /* of the buffer that pieces of answers are made in */
#define SERVER_PASS_NS                                                                             \
    2000000                /* a longer pass is cut, so that packets do not pile up meanwhile       \
                            */
#define ANSWERS_PER_PASS 4 /* pieces of one connection */

enum connection_state { FREE, READING, BODY, ANSWERING, DISCARDING, LINGERING };

struct connection {
    uint8_t state;       /* enum connection_state */
    bool spare;          /* beyond CONNECTIONS: every request is answered with 503 */
    bool begun;          /* READING: something of a head is there */
    bool closed;         /* the client has closed its half */
    bool ready;          /* something happened */
    bool moved;          /* the client has taken something of an answer */
    bool again;          /* the exchange has more to do at once */
    uint32_t deadline;   /* in ms, as server_now_ms */
    uint32_t active;     /* when it last did anything */
    struct tcp_pcb *pcb; /* NULL: the client has gone, and the exchange is brought to its end */
    struct pbuf *in;
    struct exchange exchange;
};

/* Listens on port 80. False if lwIP has no memory. */
bool server_listen(void);

/* A pass over all connections (net_work() of guests/rt/net.h). */
uint64_t server_work(uint64_t events);

/* --- between server.c and connection.c --- */

void connection_open(struct connection *c, struct tcp_pcb *pcb, bool spare);

/* As far as it goes now. True if it wants to go on in the next pass. */
bool connection_run(struct connection *c);

/* Ends it; the client learns it by a FIN, or by a reset if there is something to forget. */
void connection_close(struct connection *c);
void connection_abort(struct connection *c);

/* A piece that TCP had no memory for waits here, and nobody makes another. */
void connection_forget_held(const struct connection *c);

/* sys_now() when this pass began. */
extern uint32_t server_now_ms;

/* Bytes that all connections have in flight. */
uint32_t server_in_flight(void);

#endif
