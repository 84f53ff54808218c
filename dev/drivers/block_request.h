/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What block devices that take requests as they are have in common: the checks of mm/block.h, and
 * its counters.
 */
#ifndef DEV_DRIVERS_BLOCK_REQUEST_H
#define DEV_DRIVERS_BLOCK_REQUEST_H

#include "mm/block.h"

/* Whether `b` takes the request, as block_device.submit answers; and how many sectors it is of. */
enum err block_request_check(const struct block_device *b, const struct block_request *r,
                             uint64_t *sectors) MUST_USE;

/* The request, of so many sectors, is in flight; and it ended. The second calls `done`. */
void block_request_begin(struct block_device *b, const struct block_request *r, uint64_t sectors);
void block_request_end(struct block_device *b, struct block_request *r, enum err e);

#endif
