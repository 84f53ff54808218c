/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual NIC's driver: an lwIP netif over the two queues.
 */
#ifndef GUESTS_RT_NIC_H
#define GUESTS_RT_NIC_H

#include <stdbool.h>

#include "lwip/netif.h"

/* Sets the queues up with EL2 and posts the receive buffers. False if EL2 refuses. */
bool nic_init(void);

/* netif's init function (netif_add). */
err_t nic_netif_init(struct netif *netif);

/* Passes received frames to lwIP, at most two rings' worth, and frees what was sent. True if there
 * is more. */
bool nic_poll(struct netif *netif);

/* Rings for whatever was queued since the last call, once for both queues. Also asks for transmit
 * events only if some frames are still EL2's. */
void nic_flush(void);

/* Says that no connection is open: receive buffers that were added under load may go. */
void nic_calm(void);

#endif
