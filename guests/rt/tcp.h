/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP: a server in one call, and between near ends. lwIP 2.1 waits 3 s for the first answer of a
 * peer, whatever its options say; RFC 6298 asks for 1 s, and a VM of the same machine answers in
 * less.
 */
#ifndef GUESTS_RT_TCP_H
#define GUESTS_RT_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

#define RTO_STANDARD_MS 1000

/* Sets the time to the first retransmission of a new connection, before a round trip was measured;
 * in steps of TCP_SLOW_INTERVAL, at least one. */
static inline void tcp_set_first_rto(struct tcp_pcb *pcb, uint32_t ms)
{
    uint32_t ticks = ms / TCP_SLOW_INTERVAL;
    pcb->rto = (int16_t)(ticks > 0 ? ticks : 1);
    pcb->sv = pcb->rto;
}

/* Listens on a port of this VM's address; `accepted`, and what it accepts, has the argument `arg`.
 * False: lwIP has no memory, or the port is taken. */
bool tcp_listen_on(uint16_t port, tcp_accept_fn accepted, void *arg);

/* The same for who needs no more than data. What comes on a connection goes to `received`, as
 * lwIP's tcp_recv() has it, with NULL as its first argument until tcp_arg() is called. Call after
 * net_init(). False: lwIP has no memory, or the port is taken. */
bool tcp_serve(uint16_t port, tcp_recv_fn received);

#endif
