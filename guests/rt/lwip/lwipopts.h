/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's options for guests. What a guest wants otherwise it defines in net_config.h in its own
 * folder. The defaults are for a small server: everything comes from the one heap, whose lowest
 * addresses are used first, so that few pages are written.
 */
#ifndef GUESTS_RT_LWIP_LWIPOPTS_H
#define GUESTS_RT_LWIP_LWIPOPTS_H

#include "net_config.h"

/* One thread, raw API. */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_TIMERS 1
#define LWIP_TIMERS_CUSTOM 1 /* guests/rt/timers.c: nothing ticks in a quiet VM */
#define LWIP_HOOK_FILENAME "guests/rt/lwip/hooks.h"

/* Memory. */
#ifndef MEMP_MEM_MALLOC
#define MEMP_MEM_MALLOC 1
#endif
#define MEM_LIBC_MALLOC 1
#define MEM_ALIGNMENT 8
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#ifndef NET_RX_BUFFERS
#define NET_RX_BUFFERS 4 /* received frames that the device may fill ahead, in a quiet VM */
#endif
#ifndef NET_RING_SIZE
#define NET_RING_SIZE 16 /* entries of each queue, a power of two; as many buffers in a busy VM */
#endif

/* Link: two bytes of padding align the IP header; virtio's header goes before them. */
#define ETH_PAD_SIZE 2
#define PBUF_LINK_ENCAPSULATION_HLEN 16
#define LWIP_SINGLE_NETIF 1
#define LWIP_NETIF_LOOPBACK 0
#define LWIP_HAVE_LOOPIF 0
#define LWIP_ARP 1
#ifndef ARP_TABLE_SIZE
#define ARP_TABLE_SIZE 4
#endif
#ifndef ARP_QUEUEING
#define ARP_QUEUEING 0
#endif

/* Protocols. */
#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_ICMP 1
#define LWIP_RAW 0
#ifndef LWIP_UDP
#define LWIP_UDP 0
#endif
#define LWIP_DNS 0
#define LWIP_DHCP 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define LWIP_STATS 0

/* TCP. */
#define LWIP_TCP 1
#define TCP_LISTEN_BACKLOG 1
#define TCP_MSS 1460
#ifndef TCP_WND
#define TCP_WND (2 * TCP_MSS)
#endif
#ifndef TCP_SND_BUF
#define TCP_SND_BUF (4 * TCP_MSS)
#endif
#ifndef TCP_SND_QUEUELEN
#define TCP_SND_QUEUELEN 16
#endif
#ifndef MEMP_NUM_TCP_SEG
#define MEMP_NUM_TCP_SEG TCP_SND_QUEUELEN
#endif
#ifndef TCP_QUEUE_OOSEQ
#define TCP_QUEUE_OOSEQ 0
#endif
#define TCP_MSL 1000 /* ms: both ends are on one machine or near it */
#define TCP_FIN_WAIT_TIMEOUT 5000
#define TCP_SYN_RCVD_TIMEOUT 5000

#endif
