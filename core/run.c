/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a CPU does next, and how events reach a VM.
 *
 * Events are posted into the stub and moved to the system page when the VM is entered: it sees all
 * that happened while it did not run at once.
 */
#include "core/run.h"
#include "arch/cpu.h"
#include "arch/irq.h"
#include "arch/time.h"
#include "core/group.h"
#include "core/move.h"
#include "core/network.h"
#include "core/residence.h"

#define QUANTUM_NS (10 * NS_PER_MS)
#define WHEEL_GRANULE_NS (50 * NS_PER_US)

struct run runs[CPUS_MAX];
unsigned run_cpus = 1;
static bool synchronous, no_timeout;
static uint64_t time_base;

struct run *run_this(void)
{
    return cpu_local();
}

void run_init(void)
{
    struct run *r = &runs[cpu_index()];
    cpu_set_local(r);
    r->cpu = cpu_index();
    mux_init(&r->mux, ticks_from_ns(QUANTUM_NS));
    wheel_init(&r->wheel, counter_now(), ticks_from_ns(WHEEL_GRANULE_NS));
    list_init(&r->departing);
    list_init(&r->hungry);
    r->armed = TICKS_NEVER;
    r->pool = &gatekeeper.own;
    if (r->cpu != KEEPER) {
        r->pool = &r->other_pool;
        r->mux.compensate = runs[KEEPER].mux.compensate;
    }
}

void run_set_synchronous(bool on)
{
    synchronous = on;
}

bool run_synchronous(void)
{
    return synchronous;
}

void run_set_no_timeout(bool on)
{
    no_timeout = on;
}

bool run_no_timeout(void)
{
    return no_timeout;
}

void run_set_time_base(uint64_t ticks)
{
    time_base = ticks;
}

uint64_t run_machine_ticks(void)
{
    return counter_now() + time_base;
}

/* --- events ------------------------------------------------------------------------------- */

/* A VM that stops as one that can run is not told again of what it has woken for. */
static void give_result(struct vm *vm)
{
    if (vm->wait == WAIT_IDLE) {
        vm->context.x[0] = event_take(vm);
    }
}

/* The keeper has a VM that can run and whose home is elsewhere. */
static __attribute__((noinline)) void send_home(struct vm *vm)
{
    if (vm->fetch) {
        return; /* what reads its pages looks again when it is done */
    }
    if (!residence_stopping) {
        move_later(vm, MOVE_HOME);
        return;
    }
    give_result(vm);
    vm->wait = WAIT_ROOM; /* it is written as one that can run */
}

/* Makes a VM runnable where it may run. */
static inline void go(struct run *r, struct vm *vm)
{
    if (unlikely(vm->sched.cpu != r->cpu)) {
        send_home(vm);
    } else {
        mux_wake(&r->mux, &vm->sched);
    }
}

static void wake(struct vm *vm)
{
    struct run *r = run_this();
    wheel_cancel(&r->wheel, &vm->stub->timeout);
    if (unlikely(vm->leaving)) {
        residence_keep(vm);
    }
    gate_wake(r->pool, &vm->gate);
    if (unlikely(synchronous) && vm->sched.cpu == r->cpu) {
        mux_wake_now(&r->mux, &vm->sched, counter_now());
    } else {
        go(r, vm);
    }
}

void run_wake(struct vm *vm)
{
    go(run_this(), vm);
}

void run_stop(struct vm *vm, enum vm_wait wait)
{
    if (vm->sched.state != SCHED_BLOCKED) {
        mux_remove(&run_this()->mux, &vm->sched, counter_now());
        give_result(vm);
        vm->wait = (uint8_t)wait;
    }
}

void event_post(struct stub *s, uint64_t events)
{
    if ((s->events & events) == events) {
        return; /* posted before, and not seen yet: whom it wakes is awake */
    }
    s->events |= events;
    if (unlikely(s->state != VM_LIVE)) {
        residence_want(s);
        return;
    }
    struct vm *vm = s->vm;
    if (vm->wait >= WAIT_IDLE && !vm->why && (events & ~vm->page->events_masked)) {
        wake(vm); /* one that changes CPUs is looked at when it has come: run_arrived */
    }
}

void run_go_on(struct vm *vm)
{
    if (vm->wait == WAIT_PAGE || vm->wait == WAIT_ROOM || vm->wait == WAIT_VM) {
        vm->wait = WAIT_NONE;
        gate_wake(run_this()->pool, &vm->gate);
        run_wake(vm);
    }
}

void run_arrived(struct vm *vm, uint64_t deadline)
{
    if (vm->ended || vm->sched.state != SCHED_BLOCKED) {
        return;
    }
    if (vm->wait == WAIT_NONE) {
        run_wake(vm);
    } else if (event_ready(vm)) {
        wake(vm);
    } else {
        gate_idle(run_this()->pool, &vm->gate, deadline, counter_now());
    }
}

void event_gather(struct vm *vm)
{
    if (vm->stub->events) {
        vm->page->events_pending |= vm->stub->events;
        vm->stub->events = 0;
    }
}

uint64_t event_ready(struct vm *vm)
{
    event_gather(vm);
    return vm->page->events_pending & ~vm->page->events_masked & TOKLAT_EVENTS_ALL;
}

static inline void clear(struct vm *vm, uint64_t taken)
{
    if (taken) {
        vm->page->events_pending &= ~taken;
    }
}

uint64_t event_take(struct vm *vm)
{
    uint64_t ready = event_ready(vm);
    clear(vm, ready);
    return ready;
}

/* Gives a VM that is about to be entered what it waited for, or tells it of events. */
static inline void event_deliver(struct vm *vm)
{
    uint64_t ready = event_ready(vm);
    if (vm->wait == WAIT_IDLE) {
        vm->context.x[0] = ready;
        vm->wait = WAIT_NONE;
        clear(vm, ready);
        return;
    }
    vm->wait = WAIT_NONE;
    if (ready && context_takes_events(&vm->context)) {
        context_raise_irq(&vm->context);
    }
}

/* --- the CPU ------------------------------------------------------------------------------ */

static inline void expire(struct run *r, uint64_t now)
{
    struct timeout *t;
    while (unlikely(now >= wheel_next(&r->wheel)) && (t = wheel_expire(&r->wheel, now))) {
        struct stub *s = container_of(t, struct stub, timeout);
        if (unlikely(s->state != VM_LIVE)) {
            residence_timeout(s, now);
        } else {
            event_post(s, TOKLAT_EVENT_TIMER);
        }
    }
}

/* An earlier deadline stays armed: one interrupt too many costs less than arming at each switch. */
static inline void arm_by(struct run *r, uint64_t deadline)
{
    if (unlikely(deadline < r->armed)) {
        r->armed = deadline;
        timer_arm(deadline);
    }
}

static inline void arm(struct run *r)
{
    arm_by(r, MIN(mux_deadline(&r->mux), wheel_next(&r->wheel)));
}

void run_arm(uint64_t deadline)
{
    arm_by(run_this(), deadline);
}

void run_timer_fired(void)
{
    run_this()->armed = TICKS_NEVER;
    timer_arm(TICKS_NEVER);
    residence_look_at_time();
}

/* Nobody is runnable: sleeps until an interrupt, and handles it. */
static void sleep(struct run *r)
{
    context_unload();
    arm(r);
    if (__atomic_load_n(&gatekeeper.evicting, __ATOMIC_RELAXED)) {
        frame_spill(); /* frames are scarce, and who sleeps needs none */
    }
    __atomic_store_n(&r->asleep, true, __ATOMIC_RELAXED);
    cpu_wait();
    __atomic_store_n(&r->asleep, false, __ATOMIC_RELAXED);
    irq_dispatch();
}

/* What this CPU has to do beside running VMs; returns whether more is left. */
static bool work(struct run *r, uint64_t now)
{
    if (r->cpu == KEEPER) {
        return residence_work(now);
    }
    if (r->pool->due) {
        r->pool->due = false;
        move_poke();
    }
    return false;
}

static bool somebody_sleeps(void)
{
    for (unsigned cpu = 0; cpu < run_cpus; cpu++) {
        if (runs[cpu].online && __atomic_load_n(&runs[cpu].asleep, __ATOMIC_RELAXED)) {
            return true;
        }
    }
    return false;
}

/* The slice of the current VM is over. When others wait here and a CPU has nothing to do, the VM is
 * one too many. */
static void preempt(struct run *r, struct vm *vm, uint64_t now)
{
    if (likely(!somebody_sleeps()) || residence_stopping || vm_group(vm)->config->supervisor ||
        vm->stub->number == 0) {
        mux_stop(&r->mux, MUX_PREEMPT, now);
        return;
    }
    mux_stop(&r->mux, MUX_BLOCK, now);
    if (r->cpu == KEEPER) {
        vm_set_home(vm, vm_choose_home(vm_group(vm)));
        run_wake(vm);
    } else {
        move_later(vm, MOVE_LOAD);
    }
    move_depart(r);
}

static inline struct context *enter(struct run *r, struct vm *vm)
{
    arm(r);
    if (unlikely(vmid_validate(&vm->space.vmid))) {
        context_set_space(&vm->context, (uint64_t)vm->space.root, vm->space.vmid.id);
    }
    context_set_clock(&vm->context, vm->sched.voffset);
    vm->page->wall_offset = vm->sched.voffset + time_base;
    event_deliver(vm);
    return &vm->context;
}

static __attribute__((noinline)) struct context *next_slow(struct run *r)
{
    for (;;) {
        uint64_t now = counter_now();
        expire(r, now);
        bool starting = r->cpu == KEEPER && group_start_some(); /* before work: it stays due */
        bool more = work(r, now);
        more |= move_depart(r);
        struct sched_entry *e = residence_stopping ? NULL : mux_start(&r->mux, now);
        if (e) {
            return enter(r, container_of(e, struct vm, sched));
        }
        bool received = network_poll_again(r);
        if (unlikely(!list_empty(&r->departing))) {
            irq_dispatch(); /* the others' rings are full: there may be room once ours are read */
        } else if (!starting && !received && !more) {
            sleep(r);
        }
    }
}

/* Another VM is ready, and nothing else is due: the common case. */
static __attribute__((noinline, flatten)) struct context *next(struct run *r, uint64_t now)
{
    if (likely(now < wheel_next(&r->wheel) && !r->pool->due && !mux_has_background(&r->mux))) {
        struct sched_entry *e = mux_start_foreground(&r->mux, now);
        if (likely(e)) {
            return enter(r, container_of(e, struct vm, sched));
        }
    }
    return next_slow(r);
}

struct context *run_next(void)
{
    return next(run_this(), counter_now());
}

struct context *run_block(struct vm *vm, enum vm_wait wait, uint64_t timeout)
{
    struct run *r = run_this();
    uint64_t now = counter_now();
    vm->wait = (uint8_t)wait;
    uint64_t deadline = TICKS_NEVER;
    if (timeout < TICKS_NEVER - now) {
        deadline = now + timeout;
        wheel_add(&r->wheel, &vm->stub->timeout, deadline);
    }
    gate_idle(r->pool, &vm->gate, deadline, now);
    mux_stop(&r->mux, MUX_BLOCK, now);
    return next(r, now);
}

struct context *run_yield(struct vm *vm, enum vm_wait wait)
{
    struct run *r = run_this();
    uint64_t now = counter_now();
    vm->wait = (uint8_t)wait;
    mux_stop(&r->mux, MUX_YIELD, now);
    return next(r, now);
}

struct context *run_resume(void)
{
    struct run *r = run_this();
    network_poll_again(r);
    uint64_t now = counter_now();
    expire(r, now);
    if (unlikely(r->pool->due)) {
        work(r, now);
    }
    move_depart(r);
    struct vm *vm = run_current(r);
    if (unlikely(!vm)) {
        return next(r, now);
    }
    if (unlikely(mux_slice_over(&r->mux, now) || residence_stopping)) {
        preempt(r, vm, now);
        return next(r, now);
    }
    arm(r);
    event_deliver(vm);
    return &vm->context;
}
