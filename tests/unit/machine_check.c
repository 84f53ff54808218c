/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold of a machine after every trap.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/time.h"
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
    uint32_t ready;
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

static void check_live(const struct vm *vm, bool waiting)
{
    const struct run *r = run_this();
    const struct toklat_system_page *p = vm->page;
    must(vm->stub->vm == vm);
    must(vm->wait <= WAIT_WFI);
    if (vm->ended) {
        must(vm->sched.state == SCHED_BLOCKED && vm->wait == WAIT_NONE);
        must(!list_empty(&vm->ending) && !timeout_waiting(&vm->stub->timeout));
        return;
    }
    must(list_empty(&vm->ending));
    must((vm->sched.state == SCHED_RUNNING) == (r->mux.current == &vm->sched));
    must(vm->sched.state != SCHED_RUNNING || vm->wait == WAIT_NONE);
    must(vm->sched.state != SCHED_BLOCKED || vm->wait != WAIT_NONE);
    must(!timeout_waiting(&vm->stub->timeout) || vm->sched.state == SCHED_BLOCKED);
    if (waiting && vm->sched.state == SCHED_BLOCKED) {
        uint64_t told = (p->events_pending | vm->stub->events) & ~p->events_masked;
        must((told & TOKLAT_EVENTS_ALL) == 0);
    }
}

static void add_group(struct sums *sums, const struct group *g, bool waiting)
{
    uint32_t count[4] = {0}, spare = 0;
    const struct deployment_group *c = g->config;
    for (uint32_t n = c->first_vm; n < c->first_vm + c->count + c->reserve; n++) {
        const struct stub *s = vm_find(n);
        count[s ? s->state : VM_ABSENT]++;
        if (s && s->state == VM_LIVE) {
            check_live(s->vm, waiting);
            add_vm(sums, s->vm, true);
        } else if (s) {
            must(s->vm == NULL && s->events == 0 && !timeout_waiting(&s->timeout));
        }
    }
    for (const struct stub *s = g->free; s; s = s->next_free) {
        must(s->state == VM_ABSENT && s->group == g->index);
        spare++;
    }
    must(spare == count[VM_ABSENT] && g->defined == count[VM_DEFINED]);
    must(g->live == count[VM_LIVE] && g->dead == count[VM_DEAD]);
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

/* The CPU and what it has entered agree, and its timer is armed for what is due first. */
static void check_cpu(const struct sums *sums)
{
    struct run *r = run_this();
    const struct vm *vm = machine_current();
    must(run_current(r) == vm);
    must(sums->fp_owner_lives || !host_context_fp_owner());
    must(r->mux.ready_count == sums->ready);
    must(length(&r->mux.ready) + length(&r->mux.boosted) == sums->ready);
    must(vm || sums->ready == 0);
    must(!vm || !vm->ended);
    must(vm || list_empty(&r->ending));
    must(r->armed == host_timer_deadline());
    must(r->armed <= wheel_next(&r->wheel));
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
    check_cpu(&sums);
}
