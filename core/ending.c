/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a VM ends. It may end in the middle of a trap that still uses it, its own or another's, so
 * it only stops being scheduled there; vm_reap frees it when the trap is over.
 */
#include <stdarg.h>

#include "arch/time.h"
#include "core/base/log.h"
#include "core/group.h"
#include "core/residence.h"
#include "core/run.h"

static void stop(struct vm *vm)
{
    struct run *r = run_this();
    const struct group *g = vm_group(vm);
    console_flush(&vm->console, g->config->name, vm_instance(vm->stub));
    wheel_cancel(&r->wheel, &vm->stub->timeout);
    mux_remove(&r->mux, &vm->sched, counter_now());
    vm->ended = true;
    vm->wait = WAIT_NONE;     /* no event wakes it any more */
    list_remove(&vm->ending); /* should it wait for room */
    list_push_back(&r->ending, &vm->ending);
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
    stop(vm);
    struct group *g = vm_group(vm);
    g->killed++;
    run_this()->kills++;
    log_raw("[%s/%u] killed: %s\n", g->config->name, vm_instance(vm->stub), why);
}

void vm_exit(struct vm *vm, uint64_t status)
{
    if (vm->ended) {
        return;
    }
    stop(vm);
    struct group *g = vm_group(vm);
    g->exited++;
    log_raw("[%s/%u] exited with status %lld\n", g->config->name, vm_instance(vm->stub),
            (long long)status);
}

void vm_reset(struct vm *vm)
{
    if (!vm->ended) {
        stop(vm);
        vm->restart = true;
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

static void reap(struct vm *vm)
{
    struct stub *s = vm->stub;
    struct group *g = &groups[s->group];
    bool again = vm->restart;
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

bool vm_reap(void)
{
    struct list *ending = &run_this()->ending;
    bool any = !list_empty(ending);
    while (!list_empty(ending)) {
        reap(list_first(ending, struct vm, ending));
    }
    return any;
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
