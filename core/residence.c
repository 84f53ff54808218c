/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMs between memory and the store.
 *
 * Invariants: a VM is COMING exactly while it has a transit; the timeout of a STORED VM passes
 * ARRIVAL_AHEAD_NS before its deadline, that of any other at it; the place of a DEFINED VM points
 * to no record.
 */
#include "core/residence.h"
#include "arch/time.h"
#include "core/arrival.h"
#include "core/base/log.h"
#include "core/group.h"
#include "core/identity.h"
#include "core/journal.h"
#include "core/move.h"
#include "core/operate.h"
#include "core/snapshot.h"
#include "core/transit.h"

/* Of all frames: what admission leaves to those that live, where eviction begins and ends, and what
 * may be on the way in, and out. */
#define FLOOR_SHARE 64
#define LOW_SHARE 32
#define HIGH_SHARE 24
#define TRANSIT_SHARE 16

#define ARRIVING_MAX 128
#define PATIENCE_NS NS_PER_S
#define RETRY_NS (10 * NS_PER_MS)

struct gate gatekeeper;
struct residence_counters residence_counters;
static bool is_open, one_page;

/* --- leaving ------------------------------------------------------------------------------ */

uint32_t residence_frames(const struct vm *vm)
{
    return vm->space.private_pages + vm->space.private_tables + 1;
}

enum err residence_write_out(struct vm *vm)
{
    bool can_run = vm->sched.state != SCHED_BLOCKED || vm->wait == WAIT_ROOM ||
                   vm->wait == WAIT_VM; /* whose end is not waited for as the machine stops */
    if (can_run) {
        run_stop(vm, WAIT_ROOM);
        vm->wait = WAIT_ROOM;
        list_remove(&vm->link); /* should it wait itself */
    }
    enum err e = snapshot_write(vm, vm->stub->number);
    if (e == OK) {
        vm->leaving = true;
    } else if (can_run) {
        run_go_on(vm);
    }
    return e;
}

static enum gate_answer leave(struct gate_resident *resident)
{
    struct vm *vm = container_of(resident, struct vm, gate);
    const struct timeout *t = &vm->stub->timeout;
    bool soon =
        timeout_waiting(t) && t->deadline <= counter_now() + ticks_from_ns(ARRIVAL_AHEAD_NS);
    if (vm->why) {
        return GATE_LATER; /* it departs */
    }
    if (vm->ended || vm->fetch || soon) { /* it would be read again at once */
        return GATE_NEVER;
    }
    enum err e = residence_write_out(vm);
    if (e == ERR_AWAY) {
        return fetch_begin(vm, true) ? GATE_NEVER : GATE_LATER;
    }
    if (e == ERR_RANGE && residence_counters.too_large++ == 0) {
        log_warn("[%s/%u] is too large for a record: it stays", vm_group(vm)->config->name,
                 vm_instance(vm->stub));
    }
    bool stays = e == ERR_RANGE || e == ERR_NO_MEMORY; /* too large, or the store is full */
    return e == OK ? GATE_STARTED : stays ? GATE_NEVER : GATE_LATER;
}

static enum gate_answer evict(struct gate_resident *resident)
{
    uint64_t begun = counter_now();
    enum gate_answer answer = leave(resident);
    residence_counters.evict_ticks += answer == GATE_STARTED ? counter_now() - begun : 0;
    return answer;
}

void residence_stored(struct stub *s, uint64_t deadline)
{
    groups[s->group].stored++;
    s->state = VM_STORED;
    if (deadline != TICKS_NEVER) {
        uint64_t ahead = ticks_from_ns(ARRIVAL_AHEAD_NS);
        wheel_add(&run_this()->wheel, &s->timeout, deadline - MIN(deadline, ahead));
    }
}

static void go_out(struct vm *vm)
{
    struct stub *s = vm->stub;
    bool can_run = vm->wait == WAIT_ROOM;
    uint64_t deadline = timeout_waiting(&s->timeout) ? s->timeout.deadline : TICKS_NEVER;
    s->deadline_ns = can_run ? STORE_AT_ONCE : residence_deadline_ns(s);
    wheel_cancel(&run_this()->wheel, &s->timeout);
    residence_counters.evictions++;
    vm->leaving = false;
    if (vm->gate.state == GATE_LEAVING) {
        gate_left(&gatekeeper, &vm->gate);
    }
    vm_discard(vm);
    groups[s->group].live--;
    residence_stored(s, deadline);
    if ((can_run || s->events) && !residence_stopping) {
        residence_want(s);
    }
}

void residence_keep(struct vm *vm)
{
    vm->leaving = false;
    if (vm->gate.state == GATE_LEAVING) {
        gate_kept(&gatekeeper, &vm->gate);
    }
}

void residence_stay(struct vm *vm)
{
    const struct timeout *t = &vm->stub->timeout;
    residence_keep(vm);
    run_arrived(vm, timeout_waiting(t) ? t->deadline : TICKS_NEVER);
}

void residence_written(uint32_t slot, enum err e)
{
    struct stub *s = vm_find(slot);
    if (s && s->state == VM_CLONING) {
        operate_cloned(s, e);
        return;
    }
    if (!s || !move_is_here(s) || s->state != VM_LIVE || !s->vm->leaving || s->vm->ended) {
        return; /* a template; or it woke, or ended, before it was out */
    }
    struct vm *vm = s->vm;
    if (e == OK && !(s->events && residence_stopping)) { /* which the record does not have */
        uint64_t begun = counter_now();
        go_out(vm);
        residence_counters.evict_ticks += counter_now() - begun;
        return;
    }
    residence_keep(vm);
    if (vm->wait == WAIT_ROOM) {
        run_go_on(vm);
    }
}

void residence_changed(void)
{
    gate_poke(&gatekeeper);
}

void residence_want(struct stub *s)
{
    if (s->state == VM_STORED || s->state == VM_COMING) {
        (void)arrival_want(s);
    }
}

void residence_timeout(struct stub *s, uint64_t now)
{
    if (s->state == VM_COMING) {
        s->events |= TOKLAT_EVENT_TIMER;
        (void)arrival_want(s);
        return;
    }
    if (s->state == VM_PAUSED) {
        s->events |= TOKLAT_EVENT_TIMER;
        return;
    }
    if (s->state == VM_DEFINED) { /* a supervisor that ended: vm_reap */
        vm_start_again(s);
        return;
    }
    uint64_t deadline = s->timeout.deadline + ticks_from_ns(ARRIVAL_AHEAD_NS);
    struct transit *t = s->state == VM_STORED ? arrival_come(s) : NULL;
    if (t) {
        wheel_add(&run_this()->wheel, &s->timeout, deadline);
        gate_want_ahead(&gatekeeper, &t->waiter, arrival_frames(s), now);
    } else if (s->state == VM_STORED && groups[s->group].state != GROUP_FAILED) {
        wheel_add(&run_this()->wheel, &s->timeout, now + ticks_from_ns(RETRY_NS));
    }
}

/* --- starting ----------------------------------------------------------------------------- */

enum err residence_start(struct stub *s)
{
    if (unlikely(timeout_waiting(&s->timeout) && s->state == VM_DEFINED)) {
        wheel_cancel(&run_this()->wheel, &s->timeout); /* a supervisor's: vm_reap */
    }
    bool waits = is_open && s->state == VM_DEFINED && gatekeeper.waiting_count;
    enum err e = waits ? ERR_NO_MEMORY : vm_start(s);
    if (e == OK && is_open && !groups[s->group].config->supervisor) {
        gate_enter(&gatekeeper, &s->vm->gate, ARRIVAL_NEW_FRAMES);
    }
    if (e == ERR_NO_MEMORY && is_open) {
        return arrival_want(s)                         ? OK
               : groups[s->group].state == GROUP_READY ? ERR_NO_MEMORY
                                                       : ERR_BUSY;
    }
    return e;
}

bool residence_receive(struct stub *s, const uint8_t *frame, size_t bytes)
{
    if (s->state == VM_DEFINED) {
        if (residence_start(s) == OK && s->state == VM_LIVE) {
            return true;
        }
    } else if (s->state == VM_STORED) {
        (void)arrival_want(s);
    }
    if (s->state == VM_COMING) {
        (void)arrival_want(s); /* should it only be read ahead */
        transit_park(s->transit, frame, bytes);
        return false;
    }
    residence_counters.dropped++;
    return false;
}

void residence_forget(struct stub *s, uint32_t marker)
{
    struct group *g = &groups[s->group];
    if (s->state == VM_COMING || s->state == VM_STORED) {
        bool stored = s->place.sector >= STORE_MARKERS;
        g->stored -= stored;
        g->defined += stored;
        wheel_cancel(&run_this()->wheel, &s->timeout);
        s->events = 0;
    }
    if (s->state == VM_COMING) {
        struct transit *t = s->transit;
        s->vm = NULL;
        gate_forget(&gatekeeper, &t->waiter);
        if (t->bytes) {
            t->stub = NULL;
        } else {
            transit_free(t);
        }
    }
    if (s->state == VM_COMING || s->state == VM_STORED) {
        s->state = VM_DEFINED;
    }
    if (store_is_open() && s->number &&
        (s->place.sector != marker || store_is_pending(s->number))) {
        store_mark(s->number, marker);
        residence_note();
    }
}

uint64_t residence_deadline_ns(const struct stub *s)
{
    if (!timeout_waiting(&s->timeout)) {
        return 0;
    }
    return identity_wall_ns(s->timeout.deadline);
}

/* --- work --------------------------------------------------------------------------------- */

static uint64_t free_frames(void)
{
    return frame_count(FRAME_FREE);
}

static const struct gate_ops gate_ops = {free_frames, arrival_admit, evict, move_ask};

BOOT void residence_init(void)
{
    uint64_t frames = frame_total();
    struct gate_limits limits = {
        .floor = frames / FLOOR_SHARE,
        .low = frames / LOW_SHARE,
        .high = frames / HIGH_SHARE,
        .transit = frames / TRANSIT_SHARE,
        .arriving = ARRIVING_MAX,
        .patience = ticks_from_ns(PATIENCE_NS),
    };
    gate_init(&gatekeeper, &gate_ops, &limits);
    transit_init();
    residence_counters = (struct residence_counters){0};
    is_open = one_page = residence_stopping = false;
}

BOOT void residence_open(void)
{
    if (transit_open() != OK) {
        log_error("store: no memory for what is read: nothing leaves");
        return;
    }
    is_open = true;
    vm_keep_frames(gatekeeper.limits.floor);
    residence_note();
}

void residence_set_one_page(bool on)
{
    one_page = on;
}

bool residence_one_page(void)
{
    return one_page;
}

void residence_look(void)
{
    if (is_open && (run_this()->cpu == KEEPER || frame_count(FRAME_FREE) < gatekeeper.limits.low ||
                    run_this()->pool->hungry)) {
        move_poke();
    }
}

void residence_look_at_time(void)
{
    gatekeeper.own.due |= gate_deadline(&gatekeeper) != TICKS_NEVER;
}

void residence_interrupt(void)
{
    residence_note();
}

/* It reads the journal, and has found nothing more in it the last time. */
static void tell_supervisor(void)
{
    for (unsigned i = 0; i < group_count; i++) {
        struct stub *s = groups[i].config->supervisor ? vm_find(groups[i].config->first_vm) : NULL;
        if (s && move_is_here(s)) {
            event_post(s, TOKLAT_EVENT_CONSOLE);
        }
    }
}

static bool work(void)
{
    gatekeeper.own.due = false;
    if (journal_has_news()) {
        tell_supervisor();
    }
    if (!is_open) {
        fetch_work();
        gatekeeper.own.due = group_starts_due > 0;
        return false;
    }
    bool more = group_save_templates();
    if (residence_stopping) {
        more |= shutdown_work();
    } else {
        gate_run(&gatekeeper, counter_now());
        run_arm(gate_deadline(&gatekeeper));
        fetch_work();
    }
    more |= store_work();
    bool again = more || (gatekeeper.own.due && !residence_stopping);
    gatekeeper.own.due |= more || residence_stopping || group_starts_due > 0;
    return again;
}

bool residence_work(uint64_t now)
{
    bool more = work();
    residence_counters.work_ticks += is_open ? counter_now() - now : 0;
    return more;
}
