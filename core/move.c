/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMs between CPUs.
 *
 * Invariants: a VM whose stub is not here is not touched here. One that is on its way is in no
 * queue, no wheel, no pool and in no CPU's registers, and its VMID is forgotten: what a TLB still
 * holds of it has an identifier that is not handed out again before all are invalidated.
 */
#include "core/move.h"

#include "arch/irq.h"
#include "arch/time.h"
#include "core/base/log.h"
#include "core/base/string.h"
#include "core/control.h"
#include "core/group.h"
#include "core/network.h"
#include "core/residence.h"

#define PAUSE_NS NS_PER_S

/* How soon a VM is sent again that a full ring did not take. */
#define FULL_NS NS_PER_MS

/* VMs that may be asked for at a time for callers. With those that the gatekeeper asks for, the
 * questions and their answers fit in what VMs leave free of a ring. */
#define SUMMONED_MAX 64u

static bool spilling[CPUS_MAX]; /* a MAIL_SPILL is on its way */
static bool poked;              /* a MAIL_POKE is on its way */
static bool pausing;            /* all but the keeper do nothing */
static struct list callers;     /* VMs that wait for another to come, by vm.link */
static uint32_t summoned;       /* VMs that were asked for and have not come yet */

/* --- where a VM is ------------------------------------------------------------------------ */

unsigned move_next_stop(const struct stub *s)
{
    unsigned where = __atomic_load_n(&s->where, __ATOMIC_ACQUIRE);
    unsigned cpu = where & ((1u << WHERE_GOES_SHIFT) - 1);
    return cpu == cpu_index() && where >> WHERE_GOES_SHIFT ? (where >> WHERE_GOES_SHIFT) - 1 : cpu;
}

void move_later(struct vm *vm, enum move_why why)
{
    gate_quit(&vm->gate);
    vm->why = (uint8_t)why;
    list_remove(&vm->link);
    list_push_back(&run_this()->departing, &vm->link);
}

/* Takes a VM off this CPU. */
static void pack(struct run *r, struct vm *vm)
{
    struct timeout *t = &vm->stub->timeout;
    vm->until = timeout_waiting(t) ? t->deadline : TICKS_NEVER;
    wheel_cancel(&r->wheel, t);
    gate_quit(&vm->gate);
    context_retire(&vm->context, true);
    vm->space.vmid = (struct vmid){0};
}

/* False: the ring is full; the VM stays for now. */
static bool depart(struct run *r, struct vm *vm)
{
    struct stub *s = vm->stub;
    unsigned to = r->cpu == KEEPER ? vm->sched.cpu : KEEPER;
    bool ended = vm->ended && vm->why != MOVE_WANTED && vm->why != MOVE_EVICT;
    enum move_why why = ended ? MOVE_ENDED : (enum move_why)vm->why;
    uint32_t number = s->number;
    pack(r, vm);
    vm->why = MOVE_NOT;
    uint16_t goes = (uint16_t)(r->cpu | (to + 1) << WHERE_GOES_SHIFT);
    __atomic_store_n(&s->where, goes, __ATOMIC_RELEASE);
    if (mail_send(to, MAIL_VM, (uint8_t)why, number, NULL, 0) != OK) {
        __atomic_store_n(&s->where, (uint16_t)r->cpu, __ATOMIC_RELEASE);
        vm->why = (uint8_t)why;
        if (vm->until != TICKS_NEVER) {
            wheel_add(&r->wheel, &s->timeout, vm->until);
        }
        return false;
    }
    r->went++;
    if (r->cpu == KEEPER) {
        runs[to].given++;
    }
    return true;
}

/* A VM that was to go home: its pages are being read since, or nobody runs any more. */
static void stay(struct run *r, struct vm *vm)
{
    vm->why = MOVE_NOT;
    gate_join(r->pool, &vm->gate);
    if (residence_stopping && !vm->fetch) {
        run_arrived(vm, TICKS_NEVER);
    }
}

bool move_depart_all(void)
{
    struct run *r = run_this();
    struct list full;
    list_init(&full);
    while (!list_empty(&r->departing)) {
        struct vm *vm = container_of(list_pop(&r->departing), struct vm, link);
        if (vm->ended && r->cpu == KEEPER) {
            vm_reap(vm);
        } else if (r->cpu == KEEPER && (vm->fetch || residence_stopping)) {
            stay(r, vm);
        } else if (!depart(r, vm)) {
            list_push_back(&full, &vm->link);
        }
    }
    if (!list_empty(&full)) { /* again when the others have read, which nobody announces */
        run_arm(counter_now() + ticks_from_ns(FULL_NS));
    }
    while (!list_empty(&full)) {
        list_push_back(&r->departing, list_pop(&full));
    }
    if (r->cpu == KEEPER && gatekeeper.evict_later) {
        gate_poke(&gatekeeper); /* who departed could not be evicted */
    }
    return true;
}

/* --- coming ------------------------------------------------------------------------------- */

/* A short message, for which there is always room. */
static void must_send(unsigned to, enum mail_kind kind, uint8_t detail, uint32_t number)
{
    CHECK(mail_send(to, kind, detail, number, NULL, 0) == OK);
}

static struct vm *caller_of(const struct stub *s)
{
    list_for_each(e, &callers)
    {
        struct vm *caller = container_of(e, struct vm, link);
        if (caller->context.x[2] == s->number) {
            return caller;
        }
    }
    return NULL; /* it does not wait any more: the machine stops */
}

/* What was asked for is here; or not where it was asked for, and is asked for again. */
static void answer(struct stub *s)
{
    if (!move_is_here(s)) {
        must_send(move_next_stop(s), MAIL_GIVE, 0, s->number);
        return;
    }
    summoned--;
    struct vm *caller = caller_of(s);
    if (caller) {
        list_remove(&caller->link);
        control_finish(caller, s);
        run_go_on(caller);
    }
}

enum err move_summon(struct stub *s, struct vm *caller)
{
    if (summoned == SUMMONED_MAX) {
        return ERR_BUSY;
    }
    summoned++;
    mux_stop(&run_this()->mux, MUX_BLOCK, counter_now());
    caller->wait = WAIT_VM;
    list_push_back(&callers, &caller->link);
    must_send(move_next_stop(s), MAIL_GIVE, 0, s->number);
    return OK;
}

/* A VM that came because it was asked for goes on, if what it was asked for left it as it was. */
static void settle(struct vm *vm, uint64_t deadline)
{
    if (vm->ended) {
        move_later(vm, MOVE_ENDED);
    } else if (!vm->leaving && vm->wait >= WAIT_IDLE) {
        run_arrived(vm, deadline); /* an event may have come since it was asked for */
    } else if (!vm->leaving) {
        run_go_on(vm);
    }
}

static void come_when_wanted(struct vm *vm)
{
    struct stub *s = vm->stub;
    uint64_t deadline = vm->until;
    answer(s);
    if (s->state == VM_LIVE && s->vm == vm && !vm->why && vm->sched.state == SCHED_BLOCKED) {
        settle(vm, deadline);
    }
}

/* A VM that the gatekeeper asked for. */
static void come_to_leave(struct vm *vm, unsigned from, uint64_t deadline)
{
    if (vm->wait >= WAIT_IDLE) {
        gate_idle(&gatekeeper.own, &vm->gate, deadline, counter_now());
    }
    gate_given(&gatekeeper, from, &vm->gate);
    settle(vm, deadline);
}

static void keep(struct vm *vm, unsigned from, enum move_why why)
{
    switch (why) {
    case MOVE_PAGE:
        residence_fetch(vm);
        return;
    case MOVE_ROOM:
        residence_queue_for_room(vm);
        return;
    case MOVE_ENDED:
        move_later(vm, why);
        return;
    case MOVE_EVICT:
        come_to_leave(vm, from, vm->until);
        return;
    case MOVE_WANTED:
        come_when_wanted(vm);
        return;
    case MOVE_LOAD:
        vm_set_home(vm, vm_choose_home(vm_group(vm)));
        run_wake(vm);
        return;
    default: /* MOVE_ALL: it is written like all others; perhaps as one that has woken */
        if (vm->wait >= WAIT_IDLE) {
            run_arrived(vm, vm->until);
        }
        return;
    }
}

static void take(struct stub *s, unsigned from, enum move_why why)
{
    struct run *r = run_this();
    struct vm *vm = s->vm;
    __atomic_store_n(&s->where, (uint16_t)r->cpu, __ATOMIC_RELEASE); /* partner: move_is_here */
    r->came++;
    gate_join(r->pool, &vm->gate);
    if (vm->until != TICKS_NEVER) {
        wheel_add(&r->wheel, &s->timeout, vm->until);
    }
    if (r->cpu == KEEPER) {
        keep(vm, from, why);
    } else {
        run_arrived(vm, vm->until);
    }
}

/* --- what the keeper asks for ------------------------------------------------------------- */

/* A VM that is to answer another question already does not answer this one. */
static void give(struct stub *s)
{
    if (!move_is_here(s) || s->vm->why == MOVE_EVICT || s->vm->why == MOVE_WANTED) {
        must_send(KEEPER, MAIL_GONE, 0, s->number);
        return;
    }
    run_stop(s->vm, WAIT_ROOM);
    move_later(s->vm, MOVE_WANTED);
}

static void give_first(struct run *r, bool busy)
{
    struct gate_resident *first = gate_first(r->pool, busy, counter_now());
    if (!first) {
        must_send(KEEPER, MAIL_NOBODY, 0, 0);
        return;
    }
    struct vm *vm = container_of(first, struct vm, gate);
    run_stop(vm, WAIT_ROOM);
    move_later(vm, MOVE_EVICT);
}

/* The spared, too, who are in no list. */
static void give_all(void)
{
    for (uint32_t n = 1; n < vm_table_size(); n++) {
        struct stub *s = vm_stub(n);
        if (move_is_here(s) && !s->vm->why && !s->vm->ended) {
            run_stop(s->vm, WAIT_ROOM);
            move_later(s->vm, MOVE_ALL);
        }
    }
}

enum gate_answer move_ask(unsigned cpu, bool busy)
{
    return mail_send(cpu, MAIL_ASK, busy, 0, NULL, 0) == OK ? GATE_STARTED : GATE_LATER;
}

void move_ask_all(void)
{
    for (unsigned cpu = 1; cpu < run_cpus; cpu++) {
        if (runs[cpu].online) {
            must_send(cpu, MAIL_ALL, 0, 0);
        }
    }
}

void move_poke(void)
{
    if (cpu_index() == KEEPER) {
        gate_poke(&gatekeeper);
    } else if (!__atomic_exchange_n(&poked, true, __ATOMIC_ACQ_REL)) { /* partner: handle */
        must_send(KEEPER, MAIL_POKE, 0, 0);
    }
}

void move_spill(void)
{
    frame_spill();
    for (unsigned cpu = 1; cpu < run_cpus; cpu++) {
        bool *asked = &spilling[cpu];
        if (runs[cpu].online && !__atomic_exchange_n(asked, true, __ATOMIC_ACQ_REL)) {
            must_send(cpu, MAIL_SPILL, 0, 0);
        }
    }
}

static void spill(struct run *r)
{
    __atomic_store_n(&spilling[r->cpu], false, __ATOMIC_RELEASE);
    frame_spill();
    move_poke();
}

static void handle(unsigned from, const struct mail *m)
{
    struct run *r = run_this();
    switch (m->kind) {
    case MAIL_FRAME:
        network_deliver(m->number, m->data, m->bytes);
        return;
    case MAIL_UPLINK:
        network_send(m->data, m->bytes);
        return;
    case MAIL_VM:
        take(vm_stub(m->number), from, (enum move_why)m->detail);
        return;
    case MAIL_GIVE:
        give(vm_stub(m->number));
        return;
    case MAIL_GONE:
        answer(vm_stub(m->number));
        return;
    case MAIL_ASK:
        give_first(r, m->detail);
        return;
    case MAIL_NOBODY:
        gate_given(&gatekeeper, from, NULL);
        return;
    case MAIL_ALL:
        give_all();
        return;
    case MAIL_SPILL:
        spill(r);
        return;
    default:                                               /* MAIL_POKE */
        __atomic_store_n(&poked, false, __ATOMIC_RELEASE); /* before the look; partner: move_poke */
        gate_poke(&gatekeeper);
        return;
    }
}

/* --- calls ---------------------------------------------------------------------------------- */

static void wait_while_pausing(struct run *r)
{
    while (__atomic_load_n(&pausing, __ATOMIC_ACQUIRE)) {     /* partner: move_resume_others */
        __atomic_store_n(&r->paused, true, __ATOMIC_RELEASE); /* partner: move_pause_others */
    }
    __atomic_store_n(&r->paused, false, __ATOMIC_RELEASE);
}

static void on_kick(uint32_t irq)
{
    (void)irq;
    struct run *r = run_this();
    if (r->cpu != KEEPER) {
        wait_while_pausing(r);
    }
    mail_take(handle);
    move_depart(r); /* or what comes back for a VM that departs is taken for ever in this trap */
}

/* Waits until CPU `cpu` stands still, or does not; false: not by `end`. */
static bool wait_for_pause(unsigned cpu, bool paused, uint64_t end)
{
    bool now;
    do {
        now =
            __atomic_load_n(&runs[cpu].paused, __ATOMIC_ACQUIRE); /* partner: wait_while_pausing */
    } while (now != paused && counter_now() < end);
    return now == paused;
}

unsigned move_pause_others(void)
{
    unsigned silent = 0;
    uint64_t end = counter_now() + ticks_from_ns(PAUSE_NS);
    for (unsigned cpu = 1; cpu < run_cpus; cpu++) {
        (void)wait_for_pause(cpu, false, end); /* it may still be on its way out of the last one */
    }
    __atomic_store_n(&pausing, true, __ATOMIC_RELEASE); /* partner: wait_while_pausing */
    for (unsigned cpu = 1; cpu < run_cpus; cpu++) {
        if (runs[cpu].online) {
            irq_send(cpu);
            silent |= (unsigned)!wait_for_pause(cpu, true, end) << cpu;
        }
    }
    return silent;
}

void move_resume_others(void)
{
    __atomic_store_n(&pausing, false, __ATOMIC_RELEASE);
}

enum err move_init(void)
{
    if (cpu_index() == KEEPER) {
        list_init(&callers);
        summoned = 0;
        poked = pausing = false;
        memset(spilling, 0, sizeof(spilling));
    }
    return irq_register(irq_kick(), on_kick);
}
