/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMs on their way in: wanted, admitted, read, made, handed what came for them.
 *
 * Invariant: a transit that reads is freed when the read has ended, whatever became of its VM.
 */
#include "core/arrival.h"
#include "arch/memory.h"
#include "arch/time.h"
#include "core/base/log.h"
#include "core/move.h"
#include "core/network.h"
#include "core/residence.h"
#include "core/run.h"
#include "core/snapshot.h"
#include "core/transit.h"
#include "mm/record.h"

#define ONE_PAGE_SECTORS 8u

/* The timeout of a STORED VM passes early; that of a COMING one at its deadline. */
static void time_coming(struct stub *s)
{
    struct wheel *w = &run_this()->wheel;
    if (timeout_waiting(&s->timeout)) {
        uint64_t deadline = s->timeout.deadline;
        wheel_cancel(w, &s->timeout);
        wheel_add(w, &s->timeout, deadline + ticks_from_ns(ARRIVAL_AHEAD_NS));
    }
}

uint32_t arrival_frames(const struct stub *s)
{
    return s->place.sector < STORE_MARKERS ? ARRIVAL_NEW_FRAMES : store_size(s->place.frames);
}

/* Gives a VM that is out a transit. NULL: its template is not there, or no memory for one; nothing
 * has changed. */
struct transit *arrival_come(struct stub *s)
{
    if (s->state == VM_COMING) {
        return s->transit;
    }
    bool ready = groups[s->group].state == GROUP_READY;
    struct transit *t = ready ? transit_new(s) : NULL;
    if (!t && ready) {
        move_spill();
    } else if (t) {
        if (s->state == VM_STORED) {
            time_coming(s);
        }
        s->state = VM_COMING;
        s->transit = t;
    }
    return t;
}

bool arrival_want(struct stub *s)
{
    struct transit *t = arrival_come(s);
    if (t) {
        gate_want(&gatekeeper, &t->waiter, arrival_frames(s), counter_now());
    }
    return t;
}

/* Its frames are handed over as far as they can be; what is left waits for a page. */
static void hand_over(struct transit *t, struct vm *vm)
{
    transit_unpark(t, network_hand_over, vm);
    if (t->first && !vm->ended) {
        vm->fetch = t;
        (void)fetch_begin(vm, false);
    } else {
        transit_free(t);
    }
}

static void arrive(struct transit *t, struct vm *vm)
{
    struct stub *s = vm->stub;
    gate_arrived(&gatekeeper, &t->waiter, &vm->gate, residence_frames(vm));
    if (vm_group(vm)->config->supervisor) {
        gate_remove(&gatekeeper, &vm->gate);
    }
    if (vm->wait == WAIT_NONE) { /* its timeout was to bring it here */
        wheel_cancel(&run_this()->wheel, &s->timeout);
        s->events &= ~TOKLAT_EVENT_TIMER;
    }
    hand_over(t, vm);
    run_arrived(vm, timeout_waiting(&s->timeout) ? s->timeout.deadline : TICKS_NEVER);
}

static enum gate_answer admit_new(struct transit *t, struct stub *s)
{
    s->state = VM_DEFINED;
    s->vm = NULL;
    enum err e = vm_start(s);
    if (e == OK) {
        arrive(t, s->vm);
        return GATE_STARTED;
    }
    if (e == ERR_NO_MEMORY) {
        s->state = VM_COMING;
        s->transit = t;
        move_spill();
        return GATE_LATER;
    }
    gate_arrived(&gatekeeper, &t->waiter, NULL, 0);
    transit_free(t);
    return GATE_STARTED;
}

static void came(struct store_io *io, enum err e);

static enum err read_record(struct transit *t, const struct stub *s)
{
    uint32_t hot = MIN(store_size(s->place.hot), s->place.sectors);
    uint32_t sectors =
        residence_one_page() && t->retries == 0 ? MIN(ONE_PAGE_SECTORS, s->place.sectors) : hot;
    enum err e = transit_read(t, s->place.sector, sectors * STORE_SECTOR_BYTES, came);
    residence_counters.wake_reads += e == OK;
    return e;
}

static enum gate_answer admit(struct gate_waiter *w)
{
    struct transit *t = container_of(w, struct transit, waiter);
    if (t->stub->place.sector < STORE_MARKERS) {
        return admit_new(t, t->stub);
    }
    return read_record(t, t->stub) == OK ? GATE_STARTED : GATE_LATER;
}

/* What was read becomes the VM. */
static enum err take(struct transit *t, struct stub *s)
{
    const struct store_record *r = arch_ptr(t->buffer);
    if (!record_head_is_sound(r, t->bytes, store_uuid()) || r->slot != s->number) {
        return ERR_INVALID;
    }
    enum err e = snapshot_read(s, r, t->bytes, residence_one_page());
    if (e != OK) { /* the stub waits again */
        s->transit = t;
        return e;
    }
    struct group *g = &groups[s->group];
    g->stored--;
    g->live++;
    s->state = VM_LIVE;
    return OK;
}

/* The record is of no use: the VM begins anew. */
static void begin_anew(struct transit *t, struct stub *s, enum err e)
{
    struct group *g = &groups[s->group];
    if (e != ERR_NOT_FOUND) {
        residence_counters.wakes_damaged++;
        log_warn("[%s/%u] its record at sector %u cannot be used (%s): it begins anew",
                 g->config->name, vm_instance(s), s->place.sector, err_name(e));
    } else if (g->foreign++ == 0) {
        log_warn("group %s: its template is another one than when its VMs were stored: they begin "
                 "anew",
                 g->config->name);
    }
    residence_counters.wakes_foreign += e == ERR_NOT_FOUND;
    store_mark(s->number, residence_nothing(s));
    g->stored--;
    g->defined++;
    wheel_cancel(&run_this()->wheel, &s->timeout);
    s->events = 0;
    t->retries = 0;
    gate_arrived(&gatekeeper, &t->waiter, NULL, 0);
    gate_want(&gatekeeper, &t->waiter, ARRIVAL_NEW_FRAMES, counter_now());
}

/* A read of a record has ended. It may have been moved meanwhile, or be longer than was read. */
static void end_read(struct store_io *io, enum err e)
{
    struct transit *t = container_of(io, struct transit, io);
    struct stub *s = t->stub;
    if (s && e == OK) {
        e = take(t, s);
    }
    bool moved = s && t->sector != s->place.sector;
    transit_read_done(t);
    if (!s) {
        gate_arrived(&gatekeeper, &t->waiter, NULL, 0);
        transit_free(t);
    } else if (e == OK) {
        residence_counters.wakes++;
        residence_counters.one_read_wakes += t->retries == 0;
        arrive(t, s->vm);
    } else if (e != ERR_NO_MEMORY && e != ERR_NOT_FOUND && (moved || t->retries == 0)) {
        t->retries++;
        if (read_record(t, s) != OK) {
            gate_arrived(&gatekeeper, &t->waiter, NULL, 0);
            (void)arrival_want(s);
        }
    } else if (e == ERR_NO_MEMORY) {
        gate_arrived(&gatekeeper, &t->waiter, NULL, 0);
        (void)arrival_want(s);
        gatekeeper.admit_later = true; /* not before frames have become free */
        move_spill(); /* which may rest with other CPUs, free enough for nobody to be evicted */
    } else {
        begin_anew(t, s, e);
    }
}

static void came(struct store_io *io, enum err e)
{
    uint64_t begun = counter_now();
    end_read(io, e);
    residence_counters.wake_ticks += counter_now() - begun;
}

enum gate_answer arrival_admit(struct gate_waiter *w)
{
    uint64_t begun = counter_now();
    enum gate_answer answer = admit(w);
    residence_counters.wake_ticks += counter_now() - begun;
    return answer;
}
