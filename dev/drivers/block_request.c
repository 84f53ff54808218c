/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks and counters of block devices.
 */
#include "dev/drivers/block_request.h"

enum err block_request_check(const struct block_device *b, const struct block_request *r,
                             uint64_t *sectors)
{
    *sectors = 0;
    if (r->op == BLOCK_FLUSH) {
        return OK;
    }
    if (r->op == BLOCK_WRITE && b->read_only) {
        return ERR_DENIED;
    }
    if (r->piece_count > b->pieces_max) {
        return ERR_RANGE;
    }
    for (unsigned i = 0; i < r->piece_count; i++) {
        uint32_t bytes = r->pieces[i].bytes;
        if (bytes == 0 || bytes % BLOCK_SECTOR_BYTES != 0 || !IS_ALIGNED(r->pieces[i].pa.v, 4)) {
            return ERR_INVALID;
        }
        *sectors += bytes / BLOCK_SECTOR_BYTES;
    }
    bool inside = r->sector <= b->sectors && *sectors <= b->sectors - r->sector;
    return *sectors == 0 ? ERR_INVALID : inside ? OK : ERR_RANGE;
}

void block_request_begin(struct block_device *b, const struct block_request *r, uint64_t sectors)
{
    bool write = r->op == BLOCK_WRITE;
    *(r->op == BLOCK_FLUSH ? &b->flushes : write ? &b->writes : &b->reads) += 1;
    *(write ? &b->written_sectors : &b->read_sectors) += sectors;
    b->in_flight++;
    b->in_flight_most = MAX(b->in_flight_most, b->in_flight);
}

void block_request_end(struct block_device *b, struct block_request *r, enum err e)
{
    b->in_flight--;
    b->errors += e != OK;
    r->done(r, e);
}
