/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a VM ends. It may end in the middle of a trap that still uses it, its own or another's, so
 * it only stops being scheduled there; the keeper frees it when the trap is over.
 */
#include <stdarg.h>

#include "arch/time.h"
#include "core/base/log.h"
#include "core/base/string.h"
#include "core/group.h"
#include "core/journal.h"
#include "core/load.h"
#include "core/operate.h"
#include "core/residence.h"
#include "core/run.h"

/* From the end of a supervisor to its next start. */
#define AGAIN_NS NS_PER_S

static void stop(struct vm *vm, enum vm_end end)
{
    struct run *r = run_this();
    struct console_owner owner = vm_console_owner(vm);
    console_flush(&vm->console, &owner);
    wheel_cancel(&r->wheel, &vm->stub->timeout);
    mux_remove(&r->mux, &vm->sched, counter_now());
    vm->ended = (uint8_t)end;
    vm->wait = WAIT_NONE; /* no event wakes it any more */
    gate_quit(&vm->gate);
    list_remove(&vm->link); /* should it wait for room */
    list_push_back(&r->departing, &vm->link);
}

void vm_kill(struct vm *vm, const char *fmt, ...)
{
    if (vm->ended) {
        return;
    }
    char why[160];
    va_list args;
    va_start(args, fmt);
    fmt_vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    stop(vm, VM_KILLED);
    const struct group *g = vm_group(vm);
    run_this()->kills++;
    journal_add(TOKLAT_JOURNAL_KILLED, vm->stub->number, 0, why, strlen(why));
    log_raw("[%s/%u] killed: %s\n", g->config->name, vm_instance(vm->stub), why);
}

void vm_exit(struct vm *vm, uint64_t status)
{
    if (vm->ended) {
        return;
    }
    stop(vm, VM_EXITED);
    journal_note(TOKLAT_JOURNAL_EXITED, vm->stub->number, (int64_t)status);
    const struct group *g = vm_group(vm);
    log_raw("[%s/%u] exited with status %lld\n", g->config->name, vm_instance(vm->stub),
            (long long)status);
}

void vm_reset(struct vm *vm)
{
    if (!vm->ended) {
        stop(vm, VM_RESET);
    }
}

static void define_again(struct stub *s)
{
    struct group *g = &groups[s->group];
    g->live--;
    g->defined++;
    s->state = VM_DEFINED;
}

void vm_start_again(struct stub *s)
{
    enum err e = residence_start(s);
    if (e != OK) {
        log_error("[%s/%u] does not start again: %s", groups[s->group].config->name, vm_instance(s),
                  err_name(e));
    }
}

void vm_reap(struct vm *vm)
{
    struct stub *s = vm->stub;
    struct group *g = &groups[s->group];
    bool again = vm->ended == VM_RESET, supervisor = g->config->supervisor;
    g->killed += vm->ended == VM_KILLED;
    g->exited += vm->ended == VM_EXITED;
    vm_free(vm);
    if (s->number == 0) {
        group_fail(g);
    } else if (again || supervisor) {
        define_again(s);
        residence_forget(s, residence_nothing(s));
        if (supervisor) {
            load_forget();
        }
        if (again) {
            vm_start_again(s);
        } else if (!residence_stopping) { /* its faults cost no more than a start each second */
            wheel_add(&run_this()->wheel, &s->timeout, counter_now() + ticks_from_ns(AGAIN_NS));
        }
    } else {
        g->live--;
        g->dead++;
        s->state = VM_DEAD;
        residence_forget(s, STORE_DEAD);
    }
}

/* Takes from a VM all that it has but records and what it waits for in the store. */
static void undo(struct stub *s)
{
    struct group *g = &groups[s->group];
    if (s->state == VM_PAUSED) {
        operate_unpause(s);
    }
    if (s->state == VM_CLONING) {
        s->state = VM_DEFINED;
        s->vm = NULL;
    } else if (s->state == VM_LIVE) {
        mux_remove(&run_this()->mux, &s->vm->sched, counter_now());
        vm_free(s->vm);
        define_again(s);
    } else if (s->state == VM_DEAD) {
        g->dead--;
        g->defined++;
        s->state = VM_DEFINED;
    }
}

enum err vm_begin_anew(struct stub *s)
{
    undo(s);
    residence_forget(s, residence_nothing(s));
    return residence_start(s);
}

void vm_destroy(struct stub *s)
{
    struct group *g = &groups[s->group];
    undo(s);
    residence_forget(s, STORE_NOTHING);
    if (vm_instance(s) > g->config->count) {
        g->defined--;
        vm_put_absent(g, s);
    }
}
