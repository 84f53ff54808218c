/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the store is on a device that has other things too: in the first primary partition of type
 * PARTITION_STORE of a master boot record.
 */
#ifndef DEV_DRIVERS_PARTITION_H
#define DEV_DRIVERS_PARTITION_H

#include "core/base/error.h"
#include "mm/block.h"

#define PARTITION_STORE 0xDAu /* "data without a file system" */

struct partition {
    uint64_t first, sectors;
};

/* Reads sector 0 of a device of `sectors`. OK: `out` is the store's place, all of the device if
 * there is no master boot record; ERR_UNSUPPORTED: a GPT; ERR_NOT_FOUND: no such partition;
 * ERR_RANGE, ERR_INVALID: partitions lie outside, or over each other; `why` says which. */
enum err partition_find(const void *sector, uint64_t sectors, struct partition *out,
                        struct refusal *why) MUST_USE;

/* Reads the device's sector 0, and leaves of it the partition that the store is on, or all: by its
 * `first` and `sectors`. Waits, up to some seconds. On an error a line on the console has said why.
 * Boot CPU only, before anybody uses the device. */
enum err partition_open(struct block_device *d) MUST_USE;

#endif
