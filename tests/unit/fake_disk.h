/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model of tests/unit/fake_virtio.h as a block device (virtio 1.2, section 5.2).
 */
#ifndef TESTS_UNIT_FAKE_DISK_H
#define TESTS_UNIT_FAKE_DISK_H

#include "tests/unit/fake_virtio.h"

#define FAKE_DISK_SECTORS 4096u

#define FAKE_DISK_SIZE_MAX (1ull << 1)
#define FAKE_DISK_SEG_MAX (1ull << 2)
#define FAKE_DISK_RO (1ull << 5)
#define FAKE_DISK_BLK_SIZE (1ull << 6)
#define FAKE_DISK_FLUSH (1ull << 9)

/* What the device does. The next answers have the status `status`; 0xFF: it writes none. */
struct fake_disk {
    uint8_t disk[FAKE_DISK_SECTORS * 512];
    uint8_t status;
    unsigned flushes;
    unsigned most_segments; /* of data, in one chain */
    uint32_t most_bytes;    /* of one segment */
};

extern struct fake_disk fake_disk;

/* A device with SEG_MAX 254, FLUSH, BLK_SIZE and a queue of 256. */
void fake_disk_init(void);
void fake_disk_config(unsigned offset, uint32_t v);

/* Does the oldest request, and says so or not. Returns the head of its chain. A chain that is not
 * as the specification says ends the test. */
uint16_t fake_disk_do(void);
uint16_t fake_disk_serve(void);
/* Serves all that was offered. */
unsigned fake_disk_serve_all(void);

#endif
