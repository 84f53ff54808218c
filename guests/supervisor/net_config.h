/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP for the supervisor: few connections, long answers, and a bound for everything: PCBs and
 * segments come from pools, packets from a heap that ends where the VM's memory does.
 */
#ifndef GUESTS_SUPERVISOR_NET_CONFIG_H
#define GUESTS_SUPERVISOR_NET_CONFIG_H

#include <stdint.h>

#define NET_RX_BUFFERS 32
#define NET_RING_SIZE 64
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 8

#define SERVER_HALF_OPEN 64 /* connections that are not established yet; the oldest makes room */
#define SERVER_KEEPALIVE_MS 30000

#define MEMP_MEM_MALLOC 0
#define MEMP_NUM_TCP_PCB 116 /* 34 open, 64 half open, and those that close */
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define MEMP_NUM_TCP_SEG 320
#define MEMP_NUM_PBUF 16
#define MEMP_NUM_ARP_QUEUE ARP_QUEUE_LEN
#define PBUF_POOL_SIZE 1
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* they assume that frames are received into PBUF_POOL */

#define TCP_WND (4 * TCP_MSS)
#define TCP_SND_BUF (44 * TCP_MSS)
#define TCP_SND_QUEUELEN 96
#define TCP_QUEUE_OOSEQ 1
#define TCP_DEFAULT_LISTEN_BACKLOG 0xff
#define TCP_KEEPINTVL_DEFAULT 5000ul
#define TCP_KEEPCNT_DEFAULT 4u

/* server.c: sees each segment that finds a connection, or somebody who listens. */
struct tcp_pcb;
int8_t server_syn(struct tcp_pcb *pcb);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, options, length, more, p)                          \
    server_syn((struct tcp_pcb *)(pcb))

#endif
