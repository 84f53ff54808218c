/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold of a machine after every trap.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/cpu.h"
#include "arch/time.h"
#include "core/move.h"
#include "mm/store_log.h"
#include "tests/unit/machine.h"

#define must(x) ((x) ? (void)0 : fail(#x, __LINE__))

static void fail(const char *what, int line)
{
    fprintf(stderr, "%s\ntests/unit/machine_check.c:%d: does not hold: %s\n", machine_output, line,
            what);
    abort();
}

static void check_frames_sum(void)
{
    uint64_t sum = 0;
    for (unsigned k = 0; k < FRAME_KINDS; k++) {
        uint64_t n = frame_count((enum frame_kind)k);
        must(n <= frame_total());
        sum += n;
    }
    must(sum == frame_total());
}

struct sums {
    uint64_t private_pages, shared_pages, tables;
    uint32_t residents, leaving, coming, fetching, arriving, moving;
    uint64_t leaving_frames;
    struct of_cpu {
        uint32_t ready, listed, homes, goes, kept_back;
        bool fp_owner_lives;
    } cpus[CPUS_MAX];
};

/* Whether the VM is on its way between CPUs. */
static bool travels(const struct vm *vm)
{
    return vm->stub->where >> WHERE_GOES_SHIFT;
}

/* The CPU whose the VM is, while it is one's. */
static unsigned cpu_of(const struct vm *vm)
{
    return vm->stub->where & ((1u << WHERE_GOES_SHIFT) - 1);
}

static void add_vm(struct sums *sums, const struct vm *vm, bool clone)
{
    const struct space *s = &vm->space;
    struct of_cpu *cpu = &sums->cpus[cpu_of(vm)];
    sums->private_pages += s->private_pages;
    sums->shared_pages += clone ? 0 : s->shared_pages;
    sums->tables += s->private_tables;
    sums->cpus[vm->sched.cpu].homes++;
    cpu->ready += vm->sched.state == SCHED_READY;
    cpu->kept_back += vm->why != 0;
    must(vm->sched.cpu < machine_cpus && cpu_of(vm) < machine_cpus);
    must(clone || (vm->sched.cpu == KEEPER && vm->stub->where == KEEPER));
    for (unsigned i = 0; i < machine_cpus; i++) {
        host_cpu_set(i);
        bool owns = host_context_fp_owner() == &vm->context;
        must(!owns || (i == cpu_of(vm) && !travels(vm)));
        must(host_context_loaded() != &vm->context || (i == cpu_of(vm) && !travels(vm)));
        sums->cpus[i].fp_owner_lives |= owns;
    }
}

/* One that travels is in no queue, no wheel, no pool. */
static void check_travels(struct sums *sums, const struct vm *vm)
{
    unsigned to = (vm->stub->where >> WHERE_GOES_SHIFT) - 1u;
    must(to < machine_cpus && (to == KEEPER) != (cpu_of(vm) == KEEPER));
    must(vm->sched.state == SCHED_BLOCKED && list_empty(&vm->link));
    must(!timeout_waiting(&vm->stub->timeout));
    must(vm->gate.state == GATE_MOVING || vm->gate.state == GATE_APART);
    must(!vm->leaving && !vm->fetch && !vm->why);
    sums->cpus[to].goes++;
    sums->moving++;
}

static bool is_paused(const struct vm *vm)
{
    return vm->stub->state == VM_PAUSED;
}

/* A VM that waits for a page has a read under way, one that waits for room is in a list or leaves;
 * each may also be about to go to where that is done. */
static void check_wait(const struct vm *vm)
{
    const struct transit *t = vm->fetch;
    bool away = vm->why || travels(vm) || is_paused(vm);
    must(!t || (t->stub == vm->stub && t->bytes && !vm->leaving));
    must(vm->wait != WAIT_PAGE || t || away);
    must(vm->wait != WAIT_ROOM || away || residence_stopping ||
         vm->leaving == list_empty(&vm->link));
    must(vm->wait == WAIT_ROOM || vm->wait == WAIT_VM || vm->why || list_empty(&vm->link));
    must(vm->wait != WAIT_VM || !list_empty(&vm->link));
    must(!vm->leaving || (vm->sched.state == SCHED_BLOCKED && !away));
    must(!is_paused(vm) || (vm->sched.state == SCHED_BLOCKED && list_empty(&vm->link)));
    must(!vm->why || (vm->sched.state == SCHED_BLOCKED && !list_empty(&vm->link)));
}

static void add_resident(struct sums *sums, const struct vm *vm)
{
    const struct gate_resident *r = &vm->gate;
    bool idles = vm->sched.state == SCHED_BLOCKED && vm->wait >= WAIT_IDLE;
    must(vm->leaving || r->state != GATE_LEAVING);
    must((r->state == GATE_MOVING) <= (travels(vm) || vm->why || vm->ended || is_paused(vm)));
    must(!vm_group(vm)->config->supervisor || r->state == GATE_APART);
    must(vm->ended || !store_takes_records() || r->state != GATE_IDLE || idles);
    sums->residents += r->state != GATE_APART;
    sums->leaving += r->state == GATE_LEAVING;
    sums->leaving_frames += r->state == GATE_LEAVING ? r->frames : 0;
    sums->fetching += vm->fetch != NULL;
    sums->cpus[cpu_of(vm)].listed += r->state > GATE_MOVING && r->state != GATE_SPARED;
}

/* Where a VM may be: what runs is at home, what the keeper alone does is the keeper's. */
static void check_place(const struct vm *vm)
{
    unsigned cpu = cpu_of(vm);
    const struct run *r = &runs[cpu];
    bool supervises = vm_group(vm)->config->supervisor;
    must(!supervises || (vm->stub->where == KEEPER && vm->sched.cpu == KEEPER));
    must(travels(vm) || cpu == KEEPER || cpu == vm->sched.cpu);
    must(vm->sched.state == SCHED_BLOCKED || (cpu == vm->sched.cpu && !travels(vm)));
    must((vm->sched.state == SCHED_RUNNING) == (r->mux.current == &vm->sched));
    must(cpu == KEEPER || (!vm->leaving && !vm->fetch && vm->wait != WAIT_VM));
}

/* Nobody sleeps who can run, or who has an event to be told of. */
static void check_awake(const struct vm *vm, bool waiting)
{
    const struct toklat_system_page *p = vm->page;
    bool held = vm->why || travels(vm) || is_paused(vm) || (vm->fetch && vm->sched.cpu != KEEPER);
    if (vm->sched.state != SCHED_BLOCKED || held || (vm->wait == WAIT_ROOM && residence_stopping)) {
        return;
    }
    must(vm->wait != WAIT_NONE);
    if (waiting && vm->wait >= WAIT_IDLE) {
        uint64_t told = (p->events_pending | vm->stub->events) & ~p->events_masked;
        must((told & TOKLAT_EVENTS_ALL) == 0);
    }
}

static void check_live(struct sums *sums, const struct vm *vm, bool waiting)
{
    must(vm->stub->vm == vm);
    must(vm->wait <= WAIT_WFI);
    if (travels(vm)) {
        check_travels(sums, vm);
    }
    if (vm->ended) {
        must(vm->sched.state == SCHED_BLOCKED && vm->wait == WAIT_NONE);
        must(travels(vm) || !list_empty(&vm->link));
        must(!timeout_waiting(&vm->stub->timeout));
        return;
    }
    check_wait(vm);
    check_place(vm);
    must(vm->sched.state != SCHED_RUNNING || vm->wait == WAIT_NONE);
    must(!timeout_waiting(&vm->stub->timeout) || vm->sched.state == SCHED_BLOCKED);
    check_awake(vm, waiting);
}

/* A VM that is out, or on its way. */
static void check_out(struct sums *sums, const struct stub *s)
{
    bool stored = s->place.sector >= STORE_MARKERS;
    must(s->where == KEEPER);
    if (s->state == VM_COMING) {
        const struct transit *t = s->transit;
        must(t->stub == s && t->waiter.state != GATE_OUT);
        must((t->waiter.state == GATE_ARRIVING) == (t->bytes != 0));
        must(stored || t->bytes == 0);
        sums->coming++;
        sums->arriving += t->waiter.state == GATE_ARRIVING;
        return;
    }
    bool paused = s->state == VM_PAUSED;
    must(s->vm == NULL && (s->events == 0 || paused));
    must((s->state == VM_STORED || paused) == stored);
    bool starts_again = groups[s->group].config->supervisor && s->state == VM_DEFINED;
    must(stored || starts_again || !timeout_waiting(&s->timeout));
}

/* What a stub counts as; one that comes is still where it comes from. */
static enum vm_state counts_as(const struct stub *s)
{
    bool stored = s->place.sector >= STORE_MARKERS;
    if (s->state == VM_PAUSED && s->vm) {
        return VM_LIVE;
    }
    return s->state < VM_COMING ? (enum vm_state)s->state : stored ? VM_STORED : VM_DEFINED;
}

static void add_group(struct sums *sums, const struct group *g, bool waiting)
{
    uint32_t count[VM_COMING] = {0}, spare = 0, paused = 0;
    const struct deployment_group *c = g->config;
    for (uint32_t n = c->first_vm; n < c->first_vm + c->count + c->reserve; n++) {
        const struct stub *s = vm_find(n);
        count[s ? counts_as(s) : VM_ABSENT]++;
        paused += s && s->state == VM_PAUSED;
        if (s && counts_as(s) == VM_LIVE) {
            check_live(sums, s->vm, waiting);
            add_vm(sums, s->vm, true);
            add_resident(sums, s->vm);
        } else if (s) {
            check_out(sums, s);
        }
    }
    for (const struct stub *s = g->free; s; s = s->next_free) {
        must(s->state == VM_ABSENT && s->group == g->index);
        spare++;
    }
    must(spare == count[VM_ABSENT] && g->defined == count[VM_DEFINED]);
    must(g->live == count[VM_LIVE] && g->dead == count[VM_DEAD]);
    must(g->stored == count[VM_STORED] && g->paused == paused);
    must((g->state == GROUP_FAILED) == (g->template == NULL));
    if (g->template) {
        add_vm(sums, g->template, false);
    }
}

static uint32_t length(const struct list *l)
{
    uint32_t n = 0;
    list_for_each(e, l)
    {
        n++;
    }
    return n;
}

static uint32_t asked(void)
{
    uint32_t n = 0;
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        must(gatekeeper.asked[cpu] <= (cpu && cpu < machine_cpus ? GATE_ASKED_MAX : 0));
        n += gatekeeper.asked[cpu];
    }
    return n;
}

/* The gatekeeper counts what there is, and what it asked for; reads that nobody waits for are
 * counted as arriving. */
static void check_gate(const struct sums *sums)
{
    const struct gate *g = &gatekeeper;
    must(length(&g->waiting) == g->waiting_count);
    must(g->resident_count == sums->residents);
    must(g->leaving_count == sums->leaving + asked());
    must(g->leaving_frames == sums->leaving_frames + asked() * GATE_ASKED_FRAMES);
    must(g->arriving_count >= sums->arriving && (g->arriving_count || g->arriving_frames == 0));
    uint32_t known = sums->coming + sums->fetching, live = transit_get_counters().live;
    must(live >= known && live - known <= (machine_disk ? machine_disk->queued : 0));
    must(live > 0 || transit_get_counters().bytes == 0);
    must(transit_get_counters().bytes <= PARKED_BYTES_MAX);
}

/* A pool holds the residents of its CPU, by what they do. */
static void check_pool(const struct run *r, const struct of_cpu *sums)
{
    uint32_t listed = length(&r->pool->busy);
    must(r->pool == gatekeeper.pools[r->cpu]);
    for (unsigned class = 0; class < GATE_CLASSES; class ++) {
        const struct list *idle = &r->pool->idle[class];
        must(list_empty(idle) || r->pool->idle_classes >> class & 1);
        listed += length(idle);
        list_for_each(e, idle)
        {
            const struct vm *vm = container_of(e, struct vm, gate.link);
            must(vm->gate.state == GATE_IDLE && vm->stub->where == r->cpu);
        }
    }
    list_for_each(e, &r->pool->busy)
    {
        const struct vm *vm = container_of(e, struct vm, gate.link);
        must(vm->gate.state == GATE_BUSY && vm->stub->where == r->cpu);
    }
    must(listed == sums->listed);
}

/* Who departs is in one queue; only a full ring keeps it there after a trap. */
static void check_queues(const struct run *r, const struct of_cpu *sums)
{
    uint32_t kept_back = 0;
    list_for_each(e, &r->departing)
    {
        const struct vm *vm = container_of(e, struct vm, link);
        must(vm->stub->where == r->cpu && (vm->why || vm->ended));
        kept_back += vm->why != 0;
    }
    must(kept_back == sums->kept_back);
    must(r->cpu == KEEPER || list_empty(&r->hungry));
    list_for_each(e, &r->hungry)
    {
        const struct vm *vm = container_of(e, struct vm, link);
        must(vm->wait == WAIT_ROOM && vm->stub->where == KEEPER && !vm->why);
    }
}

/* Its timer is armed for what is due first. */
static void check_timer(const struct run *r, const struct vm *vm)
{
    must(r->armed == host_timer_deadline());
    if (residence_stopping || (!vm && !r->asleep)) {
        return; /* it polls */
    }
    must(r->armed <= wheel_next(&r->wheel));
    must(vm || r->cpu != KEEPER || r->armed <= gate_deadline(&gatekeeper));
    must(!vm || r->armed <= mux_deadline(&r->mux));
}

/* The CPU and what it has entered agree. */
static void check_cpu(unsigned cpu, const struct of_cpu *sums)
{
    host_cpu_set(cpu);
    struct run *r = run_this();
    const struct vm *vm = machine_current();
    must(r == &runs[cpu] && r->cpu == cpu && run_current(r) == vm);
    must(sums->fp_owner_lives || !host_context_fp_owner());
    must(r->mux.ready_count == sums->ready);
    must(length(&r->mux.ready) + length(&r->mux.boosted) + length(&r->mux.background) ==
         sums->ready);
    must(vm || sums->ready == 0 || residence_stopping);
    must(!vm || !vm->ended);
    must(!r->asleep || list_empty(&r->departing));
    must(r->residents == sums->homes);
    must(cpu == KEEPER || r->given == (uint32_t)r->came + sums->goes);
    must(!vm || vm->context.cntvoff_el2 == vm->sched.voffset);
    check_timer(r, vm);
    check_pool(r, sums);
    check_queues(r, sums);
}

static void check_all(bool waiting, struct sums *sums)
{
    unsigned self = cpu_index();
    uint64_t came = 0, went = 0;
    check_frames_sum();
    for (unsigned i = 0; i < group_count; i++) {
        if (groups[i].state != GROUP_ABSENT) {
            add_group(sums, &groups[i], waiting);
        }
    }
    must(sums->private_pages == frame_count(FRAME_PRIVATE));
    must(sums->shared_pages == frame_count(FRAME_SHARED));
    must(sums->tables == frame_count(FRAME_STAGE2));
    check_gate(sums);
    for (unsigned cpu = 0; cpu < machine_cpus; cpu++) {
        check_cpu(cpu, &sums->cpus[cpu]);
        came += runs[cpu].came;
        went += runs[cpu].went;
    }
    must(went == came + sums->moving);
    host_cpu_set(self);
}

void machine_check(bool waiting)
{
    struct sums sums = {0};
    check_all(waiting, &sums);
}

void machine_check_settled(void)
{
    struct sums sums = {0};
    check_all(true, &sums);
    must(sums.moving == 0 && asked() == 0);
    for (unsigned cpu = 0; cpu < machine_cpus; cpu++) {
        must(list_empty(&runs[cpu].departing));
    }
    for (uint32_t n = 1; n < vm_table_size(); n++) {
        const struct stub *s = vm_stub(n);
        must(s->state != VM_LIVE || s->vm->wait != WAIT_VM);
        must(s->where == KEEPER || (s->state == VM_LIVE && s->vm->sched.cpu == s->where));
    }
}
