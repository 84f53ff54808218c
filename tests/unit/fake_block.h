/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block device in memory, with a cache that forgets when the power is cut.
 *
 * What is written is seen by reads at once, but is only durable after a flush. At a cut each sector
 * that was written since, or that a request in flight would have written, is kept or lost by
 * chance.
 */
#ifndef TESTS_UNIT_FAKE_BLOCK_H
#define TESTS_UNIT_FAKE_BLOCK_H

#include "abi/store.h"
#include "mm/block.h"

#define FAKE_QUEUE 64u
#define FAKE_FAULTS 4u

/* Of the requests that touch [from, to), all flushes included for BLOCK_FLUSH: `skip` succeed, then
 * `times` fail. */
struct fake_fault {
    enum block_op op;
    uint64_t from, to;
    unsigned skip, times;
    bool whole; /* a write: all of it is done before it fails; else a part by chance */
};

struct fake_block {
    struct block_device device; /* what the code under test is given */
    uint8_t *now, *durable;     /* what reads see, and what a cut leaves */
    bool *dirty;                /* by sector */
    uint32_t *dirty_list;
    size_t dirty_count;
    struct block_request *queue[FAKE_QUEUE];
    unsigned queued, kicked;
    unsigned limit; /* of requests in flight */
    bool shuffled;  /* completes some of what is there, in any order */
    bool silent;    /* answers nothing; the clock moves on at each poll */
    bool held;      /* answers nothing for now */
    uint64_t random;
    uint64_t done;   /* requests that were carried out */
    uint64_t cut_at; /* power fails instead of carrying out this one; 0: never */
    bool dead;       /* the power is gone */
    struct fake_fault faults[FAKE_FAULTS];
};

void fake_block_init(struct fake_block *f, uint64_t sectors, uint64_t seed);
void fake_block_free(struct fake_block *f);

/* The power is gone and comes back: requests in flight are forgotten, faults too. */
void fake_block_cut(struct fake_block *f);

/* Enters a fault, which ends when it is used up. */
void fake_block_fail(struct fake_block *f, struct fake_fault fault);

/* Behind the device's back, durably. */
void fake_block_flip(struct fake_block *f, uint64_t bit);
void fake_block_put(struct fake_block *f, uint64_t sector, const void *from, size_t bytes);
void fake_block_truncate(struct fake_block *f, uint64_t sectors);

/* An empty store for `vms` VMs, over the whole device. */
void fake_store_create(struct fake_block *f, uint32_t vms, uint32_t segment_sectors);

uint32_t fake_random(struct fake_block *f, uint32_t below);

#endif
