/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Broadcom GENET v5, the Ethernet controller of the BCM2711 (Raspberry Pi 4).
 */
#ifndef DEV_DRIVERS_GENET_H
#define DEV_DRIVERS_GENET_H

#include "dev/drivers/device.h"
#include "dev/drivers/uplink.h"

#define GENET_COMPATIBLE "brcm,bcm2711-genet-v5"

/* Starts the controller of the node `dev`, of which there may be one. On OK it receives, and its
 * link comes up when the PHY has negotiated it, seconds later. ERR_UNSUPPORTED: another revision or
 * another way to its PHY; ERR_RANGE: too few registers; ERR_NOT_FOUND: no PHY; ERR_IO: its DMA does
 * not stop or its PHY does not answer; ERR_NO_MEMORY. Each but the last is said. Boot CPU only. */
enum err genet_probe(const struct device *dev, struct uplink **out) MUST_USE;

#endif
