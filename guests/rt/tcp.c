/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP servers in one call.
 */
#include "guests/rt/tcp.h"

#include <stddef.h>

/* A connection has the argument of its listener, which is what is to be called for its data. */
static err_t accepted(void *received, struct tcp_pcb *pcb, err_t err)
{
    if (err != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, (tcp_recv_fn)received);
    tcp_set_first_rto(pcb, RTO_STANDARD_MS);
    return ERR_OK;
}

bool tcp_listen_on(uint16_t port, tcp_accept_fn accept, void *arg)
{
    struct tcp_pcb *listener = NULL;
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL) {
        return false;
    }
    if (tcp_bind(pcb, IP_ADDR_ANY, port) == ERR_OK) {
        listener = tcp_listen(pcb);
    }
    if (listener == NULL) {
        tcp_close(pcb);
        return false;
    }
    tcp_arg(listener, arg);
    tcp_accept(listener, accept);
    return true;
}

bool tcp_serve(uint16_t port, tcp_recv_fn received)
{
    return tcp_listen_on(port, accepted, (void *)received);
}
