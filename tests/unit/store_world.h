/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A store with its device and its owner, for tests: the owner knows which version of each slot's
 * record the store said to have, and what a record of any version looks like.
 */
#ifndef TESTS_UNIT_STORE_WORLD_H
#define TESTS_UNIT_STORE_WORLD_H

#include "mm/store_log.h"
#include "tests/unit/fake_block.h"

#define WORLD_VMS_MAX 20000u
#define WORLD_SLOTS (WORLD_VMS_MAX + STORE_TEMPLATES_MAX + 1)
#define WORLD_DEPLOYMENT 0xDEB10Cull

/* What became of a slot. Versions only grow, over all slots and boots. */
struct world_slot {
    struct store_place place;
    uint64_t deadline_ns;
    uint64_t durable; /* version that the store vouches for; 0: none */
    uint64_t pending; /* committed, and not told of; 0: none */
    uint64_t newest;  /* that was ever committed or marked */
    uint32_t markers; /* bits: those that may be found instead of a record */
};

struct world {
    struct fake_block disk;
    uint32_t vms;      /* of the store */
    uint32_t deployed; /* VMs of the deployment */
    struct world_slot slots[WORLD_SLOTS];
    uint64_t version;
    uint64_t told_ok, told_error, changed; /* calls of store_ops */
    uint64_t committed, voided;
    uint64_t found_damaged; /* world_boot: slots whose record is not there as it was written */
    bool forgiving;         /* damage is expected: count it, do not fail */
};

extern struct world world;

/* A fresh device of `segments` segments with an empty store. */
void world_create(uint32_t vms, uint32_t segments, uint32_t segment_sectors, uint64_t seed);
void world_free(void);

/* A machine that has just been switched on mounts the store; then everything that was acknowledged
 * must be there. */
enum err world_mount(void) MUST_USE;
void world_adopt(void); /* after world_mount: checks what was found, and goes on from it */
void world_boot(void);

/* Power fails, and comes back. */
void world_cut(void);

/* A new version of a slot's record, of about `bytes` bytes. */
enum err world_put(uint32_t slot, uint32_t bytes) MUST_USE;

/* The same, while the store is busy going on with it. False: it does not take the record, ever. */
bool world_must_put(uint32_t slot, uint32_t bytes);
void world_mark(uint32_t slot, uint32_t marker);

/* Goes on until the store has settled. False: it does not. */
bool world_settle(void);
void world_work(unsigned times);

/* What the places say is durable and right, and the books agree. */
void world_check(void);

/* The version of the record at a place of the disk as it is now; 0: it is not whole. */
uint64_t world_version_at(uint32_t slot, const struct store_place *p);

uint32_t world_random(uint32_t below);

#endif
