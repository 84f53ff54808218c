/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold of a machine after every trap.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/time.h"
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
    uint32_t ready, residents, leaving, arriving, coming, fetching;
    uint64_t leaving_frames;
    bool fp_owner_lives;
};

static void add_vm(struct sums *sums, const struct vm *vm, bool clone)
{
    const struct space *s = &vm->space;
    sums->private_pages += s->private_pages;
    sums->shared_pages += clone ? 0 : s->shared_pages;
    sums->tables += s->private_tables;
    sums->ready += vm->sched.state == SCHED_READY;
    sums->fp_owner_lives |= host_context_fp_owner() == &vm->context;
}

/* A VM that waits for a page has a read under way, one that waits for room is in a list or leaves.
 */
static void check_wait(const struct vm *vm)
{
    const struct transit *t = vm->fetch;
    must(!t || (t->stub == vm->stub && t->bytes && !vm->leaving));
    must(vm->wait != WAIT_PAGE || t);
    must(vm->wait != WAIT_ROOM || vm->leaving == list_empty(&vm->link));
    must(vm->wait == WAIT_ROOM || list_empty(&vm->link));
    must(!vm->leaving || vm->sched.state == SCHED_BLOCKED);
}

static void add_resident(struct sums *sums, const struct vm *vm)
{
    const struct gate_resident *r = &vm->gate;
    bool idles = vm->sched.state == SCHED_BLOCKED && vm->wait >= WAIT_IDLE;
    must(vm->leaving || r->state != GATE_LEAVING);
    must(!vm_group(vm)->config->supervisor || r->state == GATE_APART);
    must(vm->ended || !store_takes_records() || r->state != GATE_IDLE || idles);
    sums->residents += r->state != GATE_APART;
    sums->leaving += r->state == GATE_LEAVING;
    sums->leaving_frames += r->state == GATE_LEAVING ? r->frames : 0;
    sums->fetching += vm->fetch != NULL;
}

static void check_live(const struct vm *vm, bool waiting)
{
    const struct run *r = run_this();
    const struct toklat_system_page *p = vm->page;
    must(vm->stub->vm == vm);
    must(vm->wait <= WAIT_WFI);
    if (vm->ended) {
        must(vm->sched.state == SCHED_BLOCKED && vm->wait == WAIT_NONE);
        must(!list_empty(&vm->link) && !timeout_waiting(&vm->stub->timeout));
        return;
    }
    check_wait(vm);
    must((vm->sched.state == SCHED_RUNNING) == (r->mux.current == &vm->sched));
    must(vm->sched.state != SCHED_RUNNING || vm->wait == WAIT_NONE);
    must(vm->sched.state != SCHED_BLOCKED || vm->wait != WAIT_NONE);
    must(!timeout_waiting(&vm->stub->timeout) || vm->sched.state == SCHED_BLOCKED);
    if (waiting && vm->sched.state == SCHED_BLOCKED && vm->wait >= WAIT_IDLE) {
        uint64_t told = (p->events_pending | vm->stub->events) & ~p->events_masked;
        must((told & TOKLAT_EVENTS_ALL) == 0);
    }
}

/* A VM that is out, or on its way. */
static void check_out(struct sums *sums, const struct stub *s)
{
    bool stored = s->place.sector >= STORE_MARKERS;
    if (s->state == VM_COMING) {
        const struct transit *t = s->transit;
        must(t->stub == s && t->waiter.state != GATE_OUT);
        must((t->waiter.state == GATE_ARRIVING) == (t->bytes != 0));
        must(stored || t->bytes == 0);
        sums->coming++;
        sums->arriving += t->waiter.state == GATE_ARRIVING;
        return;
    }
    must(s->vm == NULL && s->events == 0 && (s->state == VM_STORED) == stored);
    must(s->state == VM_STORED || !timeout_waiting(&s->timeout));
}

/* What a stub counts as; one that comes is still where it comes from. */
static enum vm_state counts_as(const struct stub *s)
{
    bool stored = s->place.sector >= STORE_MARKERS;
    return s->state != VM_COMING ? (enum vm_state)s->state : stored ? VM_STORED : VM_DEFINED;
}

static void add_group(struct sums *sums, const struct group *g, bool waiting)
{
    uint32_t count[VM_COMING] = {0}, spare = 0;
    const struct deployment_group *c = g->config;
    for (uint32_t n = c->first_vm; n < c->first_vm + c->count + c->reserve; n++) {
        const struct stub *s = vm_find(n);
        count[s ? counts_as(s) : VM_ABSENT]++;
        if (s && s->state == VM_LIVE) {
            check_live(s->vm, waiting);
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
    must(g->stored == count[VM_STORED]);
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

/* The gatekeeper counts what there is; reads that nobody waits for are counted as arriving. */
static void check_gate(const struct sums *sums)
{
    const struct gate *g = &gatekeeper;
    must(length(&g->waiting) == g->waiting_count);
    must(g->resident_count == sums->residents && g->leaving_count == sums->leaving);
    must(g->leaving_frames == sums->leaving_frames);
    must(g->arriving_count >= sums->arriving && (g->arriving_count || g->arriving_frames == 0));
    uint32_t known = sums->coming + sums->fetching, live = transit_get_counters().live;
    must(live >= known && live - known <= (machine_disk ? machine_disk->queued : 0));
    must(live > 0 || transit_get_counters().bytes == 0);
    must(transit_get_counters().bytes <= PARKED_BYTES_MAX);
}

/* The CPU and what it has entered agree, and its timer is armed for what is due first. */
static void check_cpu(const struct sums *sums)
{
    struct run *r = run_this();
    const struct vm *vm = machine_current();
    must(run_current(r) == vm);
    must(sums->fp_owner_lives || !host_context_fp_owner());
    must(r->mux.ready_count == sums->ready);
    must(length(&r->mux.ready) + length(&r->mux.boosted) == sums->ready);
    must(vm || sums->ready == 0 || residence_stopping);
    must(!vm || !vm->ended);
    must(vm || list_empty(&r->departing));
    must(r->armed == host_timer_deadline());
    must(r->armed <= wheel_next(&r->wheel) || residence_stopping);
    must(vm || r->armed <= gate_deadline(&gatekeeper) || residence_stopping);
    must(!vm || r->armed <= mux_deadline(&r->mux));
    must(!vm || vm->context.cntvoff_el2 == vm->sched.voffset);
}

void machine_check(bool waiting)
{
    struct sums sums = {0};
    check_frames_sum();
    for (unsigned i = 0; i < group_count; i++) {
        add_group(&sums, &groups[i], waiting);
    }
    must(sums.private_pages == frame_count(FRAME_PRIVATE));
    must(sums.shared_pages == frame_count(FRAME_SHARED));
    must(sums.tables == frame_count(FRAME_STAGE2));
    check_gate(&sums);
    check_cpu(&sums);
}
