/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device of blocks, as what stores something on it sees it. Drivers are above (dev/drivers);
 * the device is handed down as a struct block_device.
 */
#ifndef MM_BLOCK_H
#define MM_BLOCK_H

#include "core/base/error.h"
#include "core/base/types.h"

#define BLOCK_SECTOR_BYTES 512u

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

/* Physically contiguous memory; a multiple of BLOCK_SECTOR_BYTES. */
struct block_piece {
    pa_t pa;
    uint32_t bytes;
};

/* One request. It belongs to the device from block_device.submit until `done` is called, pieces and
 * memory included. */
struct block_request {
    enum block_op op;
    uint64_t sector;
    const struct block_piece *pieces; /* of a flush: none */
    unsigned piece_count;
    /* OK; ERR_IO: the device says so, or answered nonsense; ERR_UNSUPPORTED. The request is the
     * caller's again and may be submitted anew from here. Context: the CPU that polls. */
    void (*done)(struct block_request *r, enum err e);
};

struct block_device {
    /* Queues a request; never waits. ERR_BUSY: too many are in flight, try again when one is done.
     * ERR_RANGE: beyond the end, or more than pieces_max; ERR_DENIED: a write, and it is read-only;
     * ERR_INVALID: no pieces, or one of odd size; ERR_IO: the device was given up, for all time.
     * The device is told at the next `kick`. */
    enum err (*submit)(struct block_device *d, struct block_request *r);
    /* Tells the device of all that was queued: one notification for many. */
    void (*kick)(struct block_device *d);
    /* Takes what is finished, and calls `done` for each; returns how many. `done` may submit. A
     * flush of a device without a cache is finished at once: no interrupt announces it. */
    unsigned (*poll)(struct block_device *d);
    /* Acknowledges the device's interrupt; a poll follows. */
    void (*ack)(struct block_device *d);
    const char *name;
    uint64_t first; /* where sector 0 of requests is: the rest belongs to others */
    uint64_t sectors;
    unsigned pieces_max; /* of one request */
    bool read_only;
    uint64_t reads, writes, flushes, read_sectors, written_sectors, errors;
    unsigned in_flight, in_flight_most;
};

#endif
