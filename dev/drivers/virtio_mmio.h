/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transport of virtio devices over memory-mapped registers, modern layout (virtio 1.2, section
 * 4.2), and the steps that every device is started with (section 3.1).
 */
#ifndef DEV_DRIVERS_VIRTIO_MMIO_H
#define DEV_DRIVERS_VIRTIO_MMIO_H

#include "abi/virtq.h"
#include "core/base/error.h"
#include "core/base/types.h"

#define VIRTIO_MMIO_COMPATIBLE "virtio,mmio"
#define VIRTIO_MMIO_CONFIG 0x100u /* the device's own registers, from `base` */
#define VIRTIO_F_VERSION_1 (1ull << 32)

/* Looks for a device of kind `device_id`. ERR_NOT_FOUND: none is there; ERR_UNSUPPORTED: it is,
 * but with the legacy layout. */
enum err virtio_mmio_find(uintptr_t base, uint32_t device_id) MUST_USE;

/* Resets the device and agrees on features: `required`, which must all be offered, and what is
 * offered of `optional`. ERR_UNSUPPORTED: not offered, or refused; ERR_IO: it does not reset. */
enum err virtio_mmio_negotiate(uintptr_t base, uint64_t required, uint64_t optional,
                               uint64_t *agreed) MUST_USE;

/* The largest power of two, at most `limit`, that queue `index` may have; 0: there is none. */
uint16_t virtio_mmio_queue_size(uintptr_t base, uint32_t index, uint16_t limit);

/* Hands queue `index`, which is at physical addresses, over to the device. */
void virtio_mmio_queue_start(uintptr_t base, uint32_t index, uint16_t size, pa_t desc, pa_t avail,
                             pa_t used);

/* The driver is ready: the device runs. */
void virtio_mmio_start(uintptr_t base);

/* Gives the device up: it is reset. ERR_IO: it does not confirm, and may still use its memory. */
enum err virtio_mmio_stop(uintptr_t base) MUST_USE;

/* Tells the device of new buffers in queue `index`, made visible by virtq_wants_notify(). */
void virtio_mmio_notify(uintptr_t base, uint32_t index);

/* Acknowledges whatever raised the interrupt. */
void virtio_mmio_ack(uintptr_t base);

#endif
