/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network device over virtio-mmio, modern layout (virtio 1.2, sections 4.2 and 5.1).
 */
#ifndef DEV_DRIVERS_VIRTIO_NET_H
#define DEV_DRIVERS_VIRTIO_NET_H

#include "dev/drivers/device.h"
#include "dev/drivers/uplink.h"

/* Probes a device. ERR_NOT_FOUND: no network device is there (not an error: virtio-mmio slots may
 * be empty or hold something else); ERR_UNSUPPORTED: a legacy one or one that refuses our features;
 * ERR_NO_MEMORY. On OK the device is running with its receive ring full, and `*out` is it. Boot CPU
 * only. */
enum err virtio_net_probe(const struct device *device, struct uplink **out) MUST_USE;

#endif
