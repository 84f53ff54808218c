/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block device over virtio-mmio, modern layout (virtio 1.2, sections 4.2 and 5.2).
 */
#ifndef DEV_DRIVERS_VIRTIO_BLK_H
#define DEV_DRIVERS_VIRTIO_BLK_H

#include "core/base/error.h"
#include "core/base/types.h"
#include "dev/drivers/device.h"
#include "mm/block.h"

/* Probes a device. ERR_NOT_FOUND: no block device is there (not an
 * error: virtio-mmio slots may be empty or hold something else); ERR_UNSUPPORTED: a legacy one, one
 * that refuses our features, or one of logical blocks that are no multiple of a sector or larger
 * than a page; ERR_NO_MEMORY. On OK the device is running and `*out` is it. Boot CPU only.
 *
 * Its flush is a request where the device has one. Where it has none, what is written is stable
 * when it is done: a flush is done with OK at the next poll, and no interrupt announces it. */
enum err virtio_blk_probe(const struct device *device, struct block_device **out) MUST_USE;

#endif
