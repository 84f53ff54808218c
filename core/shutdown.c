/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of the machine: nobody runs any more, everybody is written to the store, then the index,
 * then the power is switched off, or the machine starts again.
 */
#include "arch/machine.h"
#include "core/base/log.h"
#include "core/move.h"
#include "core/operate.h"
#include "core/residence.h"

#define STUBS_AT_ONCE 4096u

bool residence_stopping;
static bool checkpointed, off, restarts;
static uint32_t next; /* VM that is looked at next */
static bool any_left;

static void power_off(void)
{
    log_info("shutdown: done");
    if (restarts) {
        machine_reset();
    } else {
        machine_power_off();
    }
    log_warn("shutdown: this board's firmware cannot do that; it may be switched off now");
}

void residence_shutdown(void)
{
    if (residence_stopping) {
        return;
    }
    if (!store_takes_records()) {
        log_warn("shutdown: no store: what VMs have in memory is lost");
        power_off();
        return;
    }
    log_info("shutdown: all VMs are written to the store");
    residence_stopping = true;
    residence_note();
    move_ask_all();
    checkpointed = any_left = off = false;
    next = 1;
}

void residence_restart(void)
{
    restarts = true;
    residence_shutdown();
}

/* False: not now, when the store has room again. */
static bool write_out(struct vm *vm)
{
    const struct group *g = vm_group(vm);
    gate_remove(&gatekeeper, &vm->gate);
    enum err e = residence_write_out(vm);
    if (e == OK || e == ERR_BUSY) {
        return e == OK;
    }
    if (e == ERR_AWAY) {
        return fetch_begin(vm, true);
    }
    log_warn("[%s/%u] cannot be written (%s): it will begin anew", g->config->name,
             vm_instance(vm->stub), err_name(e));
    vm->ended = VM_KILLED; /* it does not run any more */
    return true;
}

/* One part of a pass over all VMs. False: the store must first have done something. */
static bool pass_on(void)
{
    for (uint32_t i = 0; i < STUBS_AT_ONCE && next < vm_table_size(); i++, next++) {
        struct stub *s = vm_stub(next);
        if (s->state == VM_PAUSED) {
            operate_unpause(s);
        }
        if (!move_is_here(s) || s->state == VM_CLONING || (s->state == VM_LIVE && s->vm->why)) {
            any_left = true;
            continue;
        }
        if (s->state != VM_LIVE || s->vm->ended) {
            continue;
        }
        any_left = true;
        if (!s->vm->leaving && !s->vm->fetch && !write_out(s->vm)) {
            return false;
        }
    }
    return true;
}

/* The pass is over: either all are out, or some are on their way, and another one will tell. */
static bool end_pass(void)
{
    bool waits = any_left || gatekeeper.arriving_count > 0;
    any_left = false;
    next = 1;
    if (!waits) {
        checkpointed = true;
        store_checkpoint(true);
    }
    return !waits;
}

bool shutdown_work(void)
{
    if (!checkpointed) {
        return pass_on() && (next < vm_table_size() || end_pass());
    }
    if (!off && store_settled()) {
        off = true;
        power_off();
    }
    return false;
}
