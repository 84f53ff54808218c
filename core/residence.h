/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMs between memory and the store: what the gatekeeper decides is done here.
 *
 *   STORED --wanted--> COMING (queued, then read) --> LIVE --idles, chosen--> leaving --> STORED
 *   DEFINED --no room--> COMING ------------------------^
 *
 * Nothing waits: a read or a write ends in a function that goes on. Without a store VMs start when
 * they are wanted, as long as there are frames, and stay.
 *
 * Context: the keeper, where nothing else is said.
 */
#ifndef CORE_RESIDENCE_H
#define CORE_RESIDENCE_H

#include "core/vm.h"

extern struct gate gatekeeper;

/* Boot CPU, memory is there. */
void residence_init(void);

/* The store is open: VMs may leave from now on. `one_page`: come back page by page. */
void residence_open(void);
void residence_set_one_page(bool on);
bool residence_one_page(void);

/* Starts a DEFINED VM now, or as soon as there is room for it. ERR_BUSY: its template is not ready;
 * ERR_NO_MEMORY: there is no room, and none will be made. */
enum err residence_start(struct stub *s) MUST_USE;

/* A frame for a VM that is not live. Returns whether it is now; otherwise the frame is parked, or
 * dropped, and the VM is on its way if it can be. */
bool residence_receive(struct stub *s, const uint8_t *frame, size_t bytes);

/* A live VM's rings are in the store: the frame is parked until they are here. Any CPU. */
void residence_park(struct vm *vm, const uint8_t *frame, size_t bytes);

/* Something happened to a VM that is out: it is to come in. */
void residence_want(struct stub *s);

/* The timeout of a VM that is not live has passed: early, so that it can be read ahead, or wholly.
 */
void residence_timeout(struct stub *s, uint64_t now);

/* A VM that was about to leave woke up. */
void residence_keep(struct vm *vm);

/* Its memory changed instead: it idles on, and may be asked to leave again. */
void residence_stay(struct vm *vm);

/* A VM that touched a page which is in the store, or for which there is no frame, goes to sleep
 * until there is. It is current, and was not changed. False: that cannot be; it is to end. Any CPU.
 */
bool residence_wait_for_page(struct vm *vm);
bool residence_wait_for_room(struct vm *vm);

/* The same for one that stopped for it on another CPU; should it be impossible, it ends. */
void residence_fetch(struct vm *vm);
void residence_queue_for_room(struct vm *vm);

/* A VM that is not live is destroyed or begins anew: it has no record and waits for nothing. */
void residence_forget(struct stub *s, uint32_t marker);

/* When a live VM's idle() ends, as Unix time in ns (machine time on a board without a clock); 0:
 * not by itself. */
uint64_t residence_deadline_ns(const struct stub *s);

/* The deadline of a VM that can run. */
#define STORE_AT_ONCE 1u

/* The stub, which has no descriptor, is of a VM in the store from now on: STORED, and read ahead of
 * `deadline`, in ticks, TICKS_NEVER: there is none. */
void residence_stored(struct stub *s, uint64_t deadline);

/* What stands in the place of a VM that exists and has no record. */
static inline uint32_t residence_nothing(const struct stub *s)
{
    return vm_instance(s) > groups[s->group].config->count ? STORE_EXISTS : STORE_NOTHING;
}

/* Has every VM written to the store, and the machine powered off, or started again. */
void residence_shutdown(void);
void residence_restart(void);

/* There is something to do: gatekeeper.own.due. Doing a bounded part of it; returns whether more is
 * left. */
static inline void residence_note(void)
{
    gatekeeper.own.due = true;
}
bool residence_work(uint64_t now);
extern bool residence_stopping;

/* Frames were taken: are there enough? Any CPU. */
void residence_look(void);

/* The timer fired: is somebody's patience at its end? */
void residence_look_at_time(void);

/* The store's device interrupts. */
void residence_interrupt(void);

/* struct store_ops. */
void residence_written(uint32_t slot, enum err e);
void residence_changed(void);

struct residence_counters {
    uint64_t wakes, wake_reads, one_read_wakes, wakes_damaged, wakes_foreign;
    uint64_t fetches, fetched_pages, evictions, too_large, out_of_room;
    uint64_t dropped;                 /* frames for VMs that cannot come */
    uint64_t evict_ticks, wake_ticks; /* spent on those that were written, and on wakes */
    uint64_t work_ticks;              /* in residence_work, most of the two included */
};
extern struct residence_counters residence_counters;

/* --- inside: core/residence.c, core/fetch.c and core/shutdown.c --------------------------------
 */

/* Has a VM that does not run written; gone when that is durable. Errors of snapshot_write. */
enum err residence_write_out(struct vm *vm) MUST_USE;

/* Begins to bring page vm->space.away_page; or all pages, so that the VM can leave. False: no means
 * just now; frames that were parked for the VM are dropped. */
bool fetch_begin(struct vm *vm, bool whole);
void fetch_work(void);
bool shutdown_work(void);
uint32_t residence_frames(const struct vm *vm);

#endif
