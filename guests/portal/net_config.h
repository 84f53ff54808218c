/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP for the portal: many connections, so pools with fixed sizes for what could pile up (closed
 * connections in TIME_WAIT are recycled when the pool is empty) and wide windows.
 */
#ifndef GUESTS_PORTAL_NET_CONFIG_H
#define GUESTS_PORTAL_NET_CONFIG_H

/* Connections served at once, and further ones that are told so (503). */
#define PORTAL_SESSIONS 128
#define PORTAL_SPARE_SESSIONS 16

#define NET_RX_BUFFERS 128
#define NET_RING_SIZE 256
#define ARP_QUEUEING 1 /* the first clients come before the gateway's answer */
#define ARP_QUEUE_LEN 64

#define MEMP_MEM_MALLOC 0
#define MEMP_NUM_TCP_PCB (2 * (PORTAL_SESSIONS + PORTAL_SPARE_SESSIONS) + 64)
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define MEMP_NUM_TCP_SEG 2048
#define MEMP_NUM_PBUF 16
#define MEMP_NUM_ARP_QUEUE ARP_QUEUE_LEN
#define PBUF_POOL_SIZE 1
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* they assume that frames are received into PBUF_POOL */

#define TCP_WND (6 * TCP_MSS)
#define TCP_SND_BUF (8 * TCP_MSS)
#define TCP_SND_QUEUELEN 32
#define TCP_QUEUE_OOSEQ 1
#define TCP_SYNMAXRTX 12 /* the most that lwIP takes: 6 s of SESSION_SYN_MS, beyond CONNECT_MS */

#endif
