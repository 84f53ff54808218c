// SPDX-License-Identifier: BSD-2-Clause
/*
 * A model of a virtio device over virtio-mmio (virtio 1.2, sections 4.2, 5.1 and 5.2): a network
 * device, or one of blocks; with the frames and the memory that its driver asks for.
 */
#ifndef TESTS_UNIT_FAKE_VIRTIO_H
#define TESTS_UNIT_FAKE_VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_VIRTIO_BASE 0x0A003E00u

struct virtq_desc;

struct fake_queue {
    uint32_t max;
    uint32_t size;
    uint32_t ready;
    uint64_t desc, avail, used;
    uint16_t taken; /* available entries that the device took */
};

struct fake_virtio {
    uint32_t magic, version, device_id, status, interrupt_status;
    uint64_t offered, accepted;
    uint32_t offered_sel, accepted_sel, queue_sel;
    struct fake_queue queue[2];
    unsigned notified[2];
    uint8_t config[64]; /* the device's own registers */
    uint8_t sent[4096];
    size_t sent_bytes;
    /* Misbehaviour. */
    bool refuses_features;
    bool stuck_after_start; /* does not reset once a queue is ready */
    /* Memory. */
    unsigned allocations_left;
    unsigned frames_live;
};

extern struct fake_virtio fake_virtio;

void fake_virtio_init(void); /* a network device; tests/unit/fake_block.c makes it one of blocks */
void fake_virtio_free(void);

uint32_t fake_virtio_read32(uintptr_t at);
uint8_t fake_virtio_read8(uintptr_t at);
void fake_virtio_write32(uintptr_t at, uint32_t v);

/* The device receives a frame; false: no buffer is posted. */
bool fake_virtio_receive(const void *frame, size_t bytes);
/* The device sends all that is queued; returns how many, the last is in `sent`. */
unsigned fake_virtio_transmit(void);
/* The device writes a used entry as it likes, or moves the index. */
void fake_virtio_use(unsigned queue, uint32_t id, uint32_t len);
void fake_virtio_leap(unsigned queue, uint16_t entries);
/* The device takes the next chain that was offered: the number of its head. */
uint16_t fake_virtio_next(unsigned queue);
struct virtq_desc *fake_virtio_desc(unsigned queue, uint16_t id);
/* Buffers that the device has; whether the driver wants interrupts; whether it is to notify. */
unsigned fake_virtio_posted(unsigned queue);
bool fake_virtio_interrupts(unsigned queue);
void fake_virtio_want_notify(unsigned queue, bool on);

#endif
