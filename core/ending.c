/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a VM ends. It may end in the middle of a trap that still uses it, its own or another's, so
 * it only stops being scheduled there; the keeper frees it when the trap is over.
 */
#include <stdarg.h>

#include "arch/time.h"
#include "core/base/log.h"
#include "core/group.h"
#include "core/residence.h"
#include "core/run.h"

static void stop(struct vm *vm, enum vm_end end)
{
    struct run *r = run_this();
    const struct group *g = vm_group(vm);
    console_flush(&vm->console, g->config->name, vm_instance(vm->stub));
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
    log_raw("[%s/%u] killed: %s\n", g->config->name, vm_instance(vm->stub), why);
}

void vm_exit(struct vm *vm, uint64_t status)
{
    if (vm->ended) {
        return;
    }
    stop(vm, VM_EXITED);
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

static void restart(struct stub *s)
{
    define_again(s);
    residence_forget(s, residence_nothing(s));
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
    bool again = vm->ended == VM_RESET;
    g->killed += vm->ended == VM_KILLED;
    g->exited += vm->ended == VM_EXITED;
    vm_free(vm);
    if (s->number == 0) {
        group_fail(g);
    } else if (again) {
        restart(s);
    } else {
        g->live--;
        g->dead++;
        s->state = VM_DEAD;
        residence_forget(s, STORE_DEAD);
    }
}

void vm_destroy(struct stub *s)
{
    struct group *g = &groups[s->group];
    if (s->state == VM_LIVE) {
        mux_remove(&run_this()->mux, &s->vm->sched, counter_now());
        vm_free(s->vm);
        define_again(s);
    } else if (s->state == VM_DEAD) {
        g->dead--;
        g->defined++;
        s->state = VM_DEFINED;
    }
    residence_forget(s, STORE_NOTHING);
    if (vm_instance(s) > g->config->count) {
        g->defined--;
        vm_put_absent(g, s);
    }
}
