/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session: one client connection and, during an exchange, the connection to the VM that answers.
 *
 *   READING -> (own page) ----------------------------> ANSWERING -+-> READING (keep-alive)
 *      |                                                 ^         +-> LINGERING -> gone
 *      +-----> CONNECTING -> WAITING (response's head) -> RELAYING -+
 *
 * Backpressure: what arrived stays in `from_client` and `from_server`, and TCP's window opens
 * again only for bytes that were passed on. Nothing is buffered beyond the two TCP windows.
 */
#ifndef GUESTS_PORTAL_SESSION_H
#define GUESTS_PORTAL_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "guests/portal/pages.h"
#include "lwip/tcp.h"

/* Limits, in ms and bytes. Deadlines are looked at every 500 ms. */
#define SESSION_HEAD_MS 10000   /* from a request's first byte, or the connection's, to its head */
#define SESSION_KEEP_MS 15000   /* between requests */
#define SESSION_CONNECT_MS 5000 /* the VM accepts, be it after a wait for memory: else 504 */
#define SESSION_SYN_MS 500      /* between attempts to connect to a VM */
#define SESSION_ANSWER_MS 10000 /* from the request sent to the response's head: else 504 */
#define SESSION_STALL_MS 20000  /* without any progress while bodies are relayed */
#define SESSION_LINGER_MS 2000  /* for the client to close after our half is closed */
#define SESSION_LINE_MAX 2048   /* request line: else 414 */
#define SESSION_HEAD_MAX 8192   /* any head: else 431, or 502 from a VM; below TCP_WND */
#define SESSION_PIECES_MAX 16   /* received pieces that are kept apart */

enum session_state { FREE, READING, CONNECTING, WAITING, RELAYING, ANSWERING, LINGERING };

/* Bytes that are ours to send; a block from malloc, or nothing. */
struct outgoing {
    char *at;
    size_t length;
    size_t sent;
};

struct session {
    enum session_state state;
    bool refused;    /* beyond PORTAL_SESSIONS: every request is answered with 503 */
    bool idle;       /* READING, and nothing of the next request came yet */
    bool served;     /* at least one request */
    bool keep_alive; /* the client connection goes on after this exchange */
    bool head_only;  /* the request's method is HEAD */
    bool server_eof;
    uint32_t deadline; /* sys_now() time */
    uint32_t instance; /* of the VM asked, for messages */
    const struct toklat_peer *group;
    struct tcp_pcb *client;
    struct tcp_pcb *server;
    struct pbuf *from_client; /* received, not passed on */
    struct pbuf *from_server;
    uint64_t request_left;  /* body bytes that still go to the VM */
    uint64_t response_left; /* body bytes that still go to the client */
    struct outgoing to_client;
    struct outgoing to_server;
};

/* response_left of a body that ends when the VM closes. */
#define UNTIL_CLOSE UINT64_MAX

/* Listens on port 80. False if lwIP has no memory. */
bool session_listen(void);

/* --- between the portal's own files --- */

void session_deadline(struct session *s, uint32_t ms);

/* Answers with an own page instead of (further) talking to a VM. */
void session_answer(struct session *s, struct page page);
void session_error(struct session *s, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Starts connecting to the VM at `ipv4`. */
void session_connect(struct session *s, const uint8_t ipv4[4]);

/* Closes the connection to the VM, if there is one, and forgets what came from it. */
void session_drop_server(struct session *s);

/* The exchange is over: next request, or the end of the connection. */
void session_done(struct session *s);

/* request.c: reads the next request's head, if it is there, and acts on it. True if it did. */
bool request_step(struct session *s);

/* relay.c: moves what can be moved, in both directions. True if anything moved. */
bool relay_step(struct session *s);

/* relay.c: removes `bytes` from the front of a queue and tells TCP that they were taken. */
void relay_consume(struct tcp_pcb *pcb, struct pbuf **queue, size_t bytes);

/* relay.c: copies the front of a queue, up to SESSION_HEAD_MAX + 1 bytes, into a buffer that the
 * next call overwrites. */
struct http_text relay_peek(const struct pbuf *queue);

#endif
