/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio over memory-mapped registers. Invariant: nothing here waits without a bound.
 */
#include "dev/drivers/virtio_mmio.h"

#include "dev/drivers/mmio.h"

/* Registers (virtio 1.2, section 4.2.2). */
#define MAGIC_VALUE 0x000
#define MAGIC 0x74726976u /* "virt" */
#define VERSION 0x004
#define VERSION_MODERN 2u
#define DEVICE_ID 0x008
#define DEVICE_FEATURES 0x010
#define DEVICE_FEATURES_SEL 0x014
#define DRIVER_FEATURES 0x020
#define DRIVER_FEATURES_SEL 0x024
#define QUEUE_SEL 0x030
#define QUEUE_NUM_MAX 0x034
#define QUEUE_NUM 0x038
#define QUEUE_READY 0x044
#define QUEUE_NOTIFY 0x050
#define INTERRUPT_STATUS 0x060
#define INTERRUPT_ACK 0x064
#define STATUS 0x070
#define QUEUE_DESC_LOW 0x080
#define QUEUE_DRIVER_LOW 0x090
#define QUEUE_DEVICE_LOW 0x0A0

/* Device status (section 2.1). */
#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER 2u
#define STATUS_DRIVER_OK 4u
#define STATUS_FEATURES_OK 8u
#define STATUS_FAILED 128u

#define RESET_POLLS 1000000u

BOOT enum err virtio_mmio_find(uintptr_t base, uint32_t device_id)
{
    if (mmio_read32(base + MAGIC_VALUE) != MAGIC || mmio_read32(base + DEVICE_ID) != device_id) {
        return ERR_NOT_FOUND;
    }
    return mmio_read32(base + VERSION) == VERSION_MODERN ? OK : ERR_UNSUPPORTED;
}

static void status_add(uintptr_t base, uint32_t bits)
{
    mmio_write32(base + STATUS, mmio_read32(base + STATUS) | bits);
}

static enum err reset(uintptr_t base)
{
    mmio_write32(base + STATUS, 0);
    for (uint32_t i = 0; i < RESET_POLLS; i++) {
        if (mmio_read32(base + STATUS) == 0) {
            return OK;
        }
    }
    return ERR_IO;
}

BOOT static uint64_t read_features(uintptr_t base)
{
    mmio_write32(base + DEVICE_FEATURES_SEL, 1);
    uint64_t high = mmio_read32(base + DEVICE_FEATURES);
    mmio_write32(base + DEVICE_FEATURES_SEL, 0);
    return high << 32 | mmio_read32(base + DEVICE_FEATURES);
}

BOOT static void write_features(uintptr_t base, uint64_t features)
{
    mmio_write32(base + DRIVER_FEATURES_SEL, 1);
    mmio_write32(base + DRIVER_FEATURES, (uint32_t)(features >> 32));
    mmio_write32(base + DRIVER_FEATURES_SEL, 0);
    mmio_write32(base + DRIVER_FEATURES, (uint32_t)features);
}

BOOT enum err virtio_mmio_negotiate(uintptr_t base, uint64_t required, uint64_t optional,
                                    uint64_t *agreed)
{
    enum err e = reset(base);
    if (e != OK) {
        return e;
    }
    status_add(base, STATUS_ACKNOWLEDGE);
    status_add(base, STATUS_DRIVER);
    uint64_t offered = read_features(base);
    *agreed = offered & (required | optional);
    if ((offered & required) != required) {
        status_add(base, STATUS_FAILED);
        return ERR_UNSUPPORTED;
    }
    write_features(base, *agreed);
    status_add(base, STATUS_FEATURES_OK);
    if (!(mmio_read32(base + STATUS) & STATUS_FEATURES_OK)) {
        status_add(base, STATUS_FAILED);
        return ERR_UNSUPPORTED;
    }
    return OK;
}

BOOT uint16_t virtio_mmio_queue_size(uintptr_t base, uint32_t index, uint16_t limit)
{
    mmio_write32(base + QUEUE_SEL, index);
    uint32_t max = mmio_read32(base + QUEUE_NUM_MAX);
    if (mmio_read32(base + QUEUE_READY) != 0 || max == 0) {
        return 0;
    }
    max = MIN(max, (uint32_t)limit);
    return (uint16_t)(1u << (31 - __builtin_clz(max)));
}

BOOT static void write_address(uintptr_t low, pa_t pa)
{
    mmio_write32(low, (uint32_t)pa.v);
    mmio_write32(low + 4, (uint32_t)(pa.v >> 32));
}

BOOT void virtio_mmio_queue_start(uintptr_t base, uint32_t index, uint16_t size, pa_t desc,
                                  pa_t avail, pa_t used)
{
    mmio_write32(base + QUEUE_SEL, index);
    mmio_write32(base + QUEUE_NUM, size);
    write_address(base + QUEUE_DESC_LOW, desc);
    write_address(base + QUEUE_DRIVER_LOW, avail);
    write_address(base + QUEUE_DEVICE_LOW, used);
    virtq_barrier(); /* the zeroed ring is visible before the device may look at it */
    mmio_write32(base + QUEUE_READY, 1);
}

BOOT void virtio_mmio_start(uintptr_t base)
{
    status_add(base, STATUS_DRIVER_OK);
}

enum err virtio_mmio_stop(uintptr_t base)
{
    status_add(base, STATUS_FAILED);
    return reset(base);
}

void virtio_mmio_notify(uintptr_t base, uint32_t index)
{
    mmio_write32(base + QUEUE_NOTIFY, index);
}

void virtio_mmio_ack(uintptr_t base)
{
    mmio_write32(base + INTERRUPT_ACK, mmio_read32(base + INTERRUPT_STATUS));
}
