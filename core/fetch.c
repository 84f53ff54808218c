/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of live VMs that are still in the store: read when they are touched, and what lies beside
 * them with them. And VMs for whose pages there is no frame: they wait until others have left.
 *
 * Invariant: a VM has one read at a time (vm->fetch with bytes); what it touches meanwhile is asked
 * for when that has ended, because the access is tried again.
 */
#include "arch/cpu.h"
#include "arch/memory.h"
#include "arch/time.h"
#include "core/base/log.h"
#include "core/move.h"
#include "core/network.h"
#include "core/residence.h"
#include "core/transit.h"
#include "mm/record.h"

#define AROUND_BYTES KIB(64) /* that one read brings at most, for one page */
#define ROOM_FRAMES 64ull    /* that are free before those go on that waited for a frame */

/* --- pages -------------------------------------------------------------------------------- */

static void fetched(struct store_io *io, enum err e);

/* Reads what the transit says. ERR_NOT_FOUND: the VM has given the page back. */
static enum err read_part(struct transit *t, struct vm *vm)
{
    const struct store_place *p = &vm->stub->place;
    uint32_t end = p->sectors * STORE_SECTOR_BYTES, offset = 0, bytes = end;
    if (t->page != RECORD_ALL_PAGES) {
        if (!record_locate(&vm->space, t->page, &offset, &bytes)) {
            return ERR_NOT_FOUND;
        }
        uint32_t last = ALIGN_UP(offset + bytes, STORE_SECTOR_BYTES);
        offset = ALIGN_DOWN(offset, STORE_SECTOR_BYTES);
        uint32_t around = residence_one_page() ? 0 : offset + (uint32_t)AROUND_BYTES;
        bytes = MIN(MAX(last, around), end) - offset;
    }
    t->offset = offset;
    residence_counters.fetches++;
    return transit_read(t, p->sector + offset / STORE_SECTOR_BYTES, bytes, fetched);
}

bool fetch_begin(struct vm *vm, bool whole)
{
    struct transit *t = vm->fetch ? vm->fetch : transit_new(vm->stub);
    if (!t) {
        return false;
    }
    vm->fetch = t;
    if (t->bytes) {
        return true;
    }
    t->page = whole ? RECORD_ALL_PAGES : vm->space.away_page;
    t->retries = 0;
    if (read_part(t, vm) != OK) {
        transit_abandon(vm);
    }
    return vm->fetch;
}

/* The VM goes to the keeper at the end of the trap, and the frame, which comes back here if it is
 * there first, after it. */
static void park_elsewhere(struct vm *vm, const uint8_t *frame, size_t bytes)
{
    if (!vm->why) {
        run_stop(vm, WAIT_PAGE);
        move_later(vm, MOVE_PAGE);
    }
    if (mail_send(KEEPER, MAIL_FRAME, 0, vm->stub->number, frame, bytes) != OK) {
        run_this()->not_ready++;
    }
}

void residence_park(struct vm *vm, const uint8_t *frame, size_t bytes)
{
    if (cpu_index() != KEEPER) {
        park_elsewhere(vm, frame, bytes);
    } else if (fetch_begin(vm, false)) {
        transit_park(vm->fetch, frame, bytes);
    } else {
        residence_counters.dropped++;
    }
}

static uint32_t room(void)
{
    return (uint32_t)MAX(1u, MIN(ROOM_FRAMES, gatekeeper.limits.floor));
}

static void wait_for_room(struct vm *vm)
{
    residence_counters.out_of_room++;
    vm->wait = WAIT_ROOM;
    list_push_back(&run_this()->hungry, &vm->link);
    move_spill();
    gate_starve(&gatekeeper, room(), counter_now());
}

static void block(struct vm *vm, enum vm_wait wait)
{
    struct run *r = run_this();
    vm->wait = (uint8_t)wait;
    if (run_current(r) == vm) { /* not one that a frame for itself has stopped: park_elsewhere */
        mux_stop(&r->mux, MUX_BLOCK, counter_now());
    }
}

/* It is the keeper's to do what the VM waits for. */
static void block_elsewhere(struct vm *vm, enum vm_wait wait, enum move_why why)
{
    block(vm, wait);
    move_later(vm, why);
}

bool residence_wait_for_page(struct vm *vm)
{
    if (cpu_index() != KEEPER) {
        block_elsewhere(vm, WAIT_PAGE, MOVE_PAGE);
        return true;
    }
    if (!fetch_begin(vm, false)) {
        return residence_wait_for_room(vm);
    }
    block(vm, WAIT_PAGE);
    return true;
}

/* A VM that does not wait for a page: it may go home now, or be asked to leave again. */
static void stay_or_go(struct vm *vm)
{
    const struct timeout *t = &vm->stub->timeout;
    if (vm->sched.state == SCHED_BLOCKED && (vm->wait == WAIT_NONE || vm->wait >= WAIT_IDLE)) {
        run_arrived(vm, timeout_waiting(t) ? t->deadline : TICKS_NEVER);
    } else {
        gate_wake(&gatekeeper.own, &vm->gate);
    }
}

void residence_fetch(struct vm *vm)
{
    if (fetch_begin(vm, false)) {
        return;
    }
    if (vm->wait == WAIT_PAGE) {
        residence_queue_for_room(vm);
    } else {
        stay_or_go(vm);
    }
}

/* What was read is no use, and reading it again was none either. */
static void give_up(struct vm *vm, enum err e)
{
    const struct group *g = vm_group(vm);
    log_warn("[%s/%u] pages of its record cannot be used (%s): it begins anew", g->config->name,
             vm_instance(vm->stub), err_name(e));
    residence_counters.wakes_damaged++;
    vm_reset(vm);
}

/* There was no frame: what was parked is lost, as on any wire, and who needs the page waits for
 * room. Whoever was to leave stays, until it wakes or idles. */
static void no_frame(struct vm *vm)
{
    transit_abandon(vm);
    if (vm->wait == WAIT_PAGE) {
        wait_for_room(vm);
    } else if (vm->sched.cpu != KEEPER &&
               (vm->wait == WAIT_NONE || (vm->wait >= WAIT_IDLE && event_ready(vm)))) {
        stay_or_go(vm); /* one that idles was to leave, and is spared */
    }
}

static void go_on(struct transit *t, struct vm *vm)
{
    transit_unpark(t, network_hand_over, vm);
    if (t->first && !vm->ended) {
        (void)fetch_begin(vm, false);
    } else {
        transit_abandon(vm);
    }
    vm_show_account(vm);
    if (vm->wait == WAIT_PAGE) {
        run_go_on(vm);
    } else {
        stay_or_go(vm);
    }
}

static void fetched(struct store_io *io, enum err e)
{
    struct transit *t = container_of(io, struct transit, io);
    struct vm *vm = t->stub ? t->stub->vm : NULL;
    if (vm && e == OK) {
        uint32_t before = vm->space.stored_pages;
        e = record_fetch(&vm->space, &vm_group(vm)->template->space, arch_ptr(t->buffer), t->offset,
                         t->bytes, t->page, residence_one_page());
        residence_counters.fetched_pages += before - vm->space.stored_pages;
    }
    bool moved = vm && t->sector != vm->stub->place.sector + t->offset / STORE_SECTOR_BYTES;
    transit_read_done(t);
    if (vm && e != OK && e != ERR_NO_MEMORY && (moved || t->retries++ == 0)) {
        e = read_part(t, vm);
        if (e == OK) {
            return;
        }
    }
    if (!vm) {
        transit_free(t);
    } else if (e == ERR_NO_MEMORY) {
        no_frame(vm);
    } else if (e == OK || e == ERR_NOT_FOUND) {
        go_on(t, vm);
    } else {
        give_up(vm, e);
        transit_abandon(vm);
    }
}

/* --- room --------------------------------------------------------------------------------- */

/* Whether frames are free, in the caches of other CPUs if not here. */
static bool has_room(void)
{
    return frame_count(FRAME_FREE) >= room();
}

/* Whether frames or buffers will become free for `vm`: another will leave, or something has been
 * read. */
static bool others_leave(const struct vm *vm)
{
    return transit_reads() ||
           (store_takes_records() &&
            (gatekeeper.leaving_count || gate_others_can_leave(&gatekeeper, &vm->gate)));
}

static bool room_comes(const struct vm *vm)
{
    return has_room() || others_leave(vm);
}

bool residence_wait_for_room(struct vm *vm)
{
    if (cpu_index() != KEEPER) {
        block_elsewhere(vm, WAIT_ROOM, MOVE_ROOM);
        return true;
    }
    if (!room_comes(vm)) {
        return false;
    }
    block(vm, WAIT_ROOM);
    wait_for_room(vm);
    return true;
}

void residence_queue_for_room(struct vm *vm)
{
    if (residence_stopping || room_comes(vm)) { /* who waits is written as well */
        wait_for_room(vm);
    } else {
        vm_kill(vm, "out of memory");
    }
}

void fetch_work(void)
{
    struct list *hungry = &run_this()->hungry;
    while (!list_empty(hungry)) {
        struct vm *vm = list_first(hungry, struct vm, link);
        bool goes_on = has_room();
        if (!goes_on && others_leave(vm)) {
            return;
        }
        list_remove(&vm->link);
        if (goes_on) {
            run_go_on(vm);
        } else {
            vm_kill(vm, "out of memory");
        }
    }
    gate_fed(&gatekeeper);
}
