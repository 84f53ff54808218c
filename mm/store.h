/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: a log of records on a block device (abi/store.h, docs/store-format.md).
 *
 *   store_reserve, store_commit --> open batch --write, flush--> durable: ops->written
 *
 * One batch is in flight at a time while the next one fills, so what is busy is written in large
 * pieces and what is not at once. A slot is what a record is of: VMs 1 to `vms`, then templates.
 * Where a slot's newest durable record is stands in its place, 8 bytes that the owner keeps.
 *
 * Nothing waits but store_mount. Everything runs on the CPU that polls the device.
 *
 * Invariants: what was said to be written is found again by the next store_mount, whatever happens;
 * a segment is written anew only when no place and no reader at the next boot points into it.
 */
#ifndef MM_STORE_H
#define MM_STORE_H

#include "abi/store.h"
#include "core/base/list.h"
#include "mm/block.h"

struct store_ops {
    /* Where the place of a slot is kept, 1 to vms + STORE_TEMPLATES_MAX. */
    struct store_place *(*place)(uint32_t slot);
    /* What store_mount found of a slot; may be called again for the same one. */
    void (*found)(uint32_t slot, const struct store_place *p, uint64_t deadline_ns);
    /* The deadline that a checkpoint of the index keeps for a slot; may also change `*p`, which
     * is a copy of its place. */
    uint64_t (*describe)(uint32_t slot, struct store_place *p);
    /* A record is durable, and its place says where; or it is not and will not be. */
    void (*written)(uint32_t slot, enum err e);
    /* store_reserve may succeed again. */
    void (*changed)(void);
    /* Unix time, 0 if not known; and machine time. */
    uint64_t (*wall_ns)(void);
    uint64_t (*ticks_ns)(void);
};

/* Opens the store on `d` for a deployment of `vms` VMs whose fingerprint is `deployment`, and finds
 * every slot's newest record. Waits for the device. OK; otherwise one line on the console has said
 * why, and there is no store: ERR_NOT_FOUND: the device holds none; ERR_UNSUPPORTED: of a version
 * that is not known; ERR_DENIED: another deployment's; ERR_RANGE: it is too small for the
 * deployment; ERR_INVALID, ERR_IO, ERR_NO_MEMORY. Boot CPU, before anything runs. */
enum err store_mount(struct block_device *d, const struct store_ops *ops, uint32_t vms,
                     uint64_t deployment) MUST_USE;

/* Whether there is a store; and whether it takes records. */
bool store_is_open(void);
bool store_takes_records(void);

/* Slot of template `index`. */
uint32_t store_template_slot(unsigned index);

/* Room for a record of `slot` of at most `bytes` in the open batch, aligned to 8 bytes. It is lost
 * at the next call of this function unless store_commit follows. ERR_BUSY: not now, ops->changed
 * will be called; ERR_RANGE: too large for any batch; ERR_NO_MEMORY: the store is full, more so for
 * a slot that has no record yet; ERR_DENIED: it takes no records. */
enum err store_reserve(uint32_t slot, uint32_t bytes, void **out) MUST_USE;

/* Fills in what the store knows of a record's head: magic, version, uuid, sequence, boots, times.
 */
void store_stamp(struct store_record *head);

/* The reserved room holds a record of `slot`; nobody is told of an older one that is on its way. Of
 * `sizes` the sector is ignored. */
void store_commit(uint32_t slot, enum store_kind kind, const struct store_place *sizes,
                  uint64_t deadline_ns);

/* The slot has no record any more but what the marker says; its place says so at once. */
void store_mark(uint32_t slot, uint32_t marker);

/* Whether a record of `slot` is on its way that is not durable yet. */
bool store_is_pending(uint32_t slot);

/* One read. It belongs to the store until `done`. */
struct store_io {
    struct block_request request;
    struct block_piece piece;
    struct list link;
    void (*done)(struct store_io *io, enum err e);
};

/* Reads `sectors` from `sector` into contiguous memory. `done` is never called from inside. */
void store_read(struct store_io *io, uint64_t sector, uint32_t sectors, pa_t to,
                void (*done)(struct store_io *io, enum err e));

/* Goes on with whatever can: takes what the device finished, writes the open batch, cleans. Returns
 * whether anything moved. Called at every interrupt of the device and when the CPU has time. */
bool store_work(void);

/* Writes a checkpoint of the index; `clean` says that nothing is resident. store_settled says when
 * all is written and the device has it. */
void store_checkpoint(bool clean);
bool store_settled(void);

/* One read at boot, which is waited for. */
enum err store_read_now(uint64_t sector, pa_t to, uint32_t bytes) MUST_USE;

/* Whether the machine before was shut down, with nothing resident. */
bool store_was_clean(void);

const uint8_t *store_uuid(void);

/* Machine time at the last sign of life of the boot before, and boots so far. */
uint64_t store_last_ticks_ns(void);
uint64_t store_boots(void);

struct store_counters {
    uint64_t batches, records, marks, moved, cleaned_segments, checkpoints, write_errors;
    uint64_t record_sectors, batch_sectors, moved_sectors, reads, read_sectors, read_errors;
    uint64_t refused_full;
    uint64_t found_records, replayed_batches, scanned_segments;
    uint64_t live_sectors, capacity_sectors;
    uint32_t segments, free_segments;
};
struct store_counters store_get_counters(void);

#endif
