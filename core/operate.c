/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done to one VM from outside.
 *
 * Invariant: a PAUSED VM with a descriptor is in no queue of the multiplexer and of the gatekeeper;
 * what happens to it is kept in its stub. Counters of its group count it as what it was.
 */
#include "core/operate.h"
#include "arch/time.h"
#include "core/base/log.h"
#include "core/group.h"
#include "core/journal.h"
#include "core/residence.h"
#include "core/run.h"
#include "core/snapshot.h"

/* Whether a live VM stands still in no other hands: those of the store, of another CPU, or of a
 * queue for pages or frames. */
static bool is_at_hand(const struct vm *vm)
{
    return !vm->why && !vm->ended && !vm->fetch && !vm->leaving && vm->wait != WAIT_PAGE &&
           vm->wait != WAIT_VM && list_empty(&vm->link);
}

static uint64_t deadline_of(const struct stub *s)
{
    return timeout_waiting(&s->timeout) ? s->timeout.deadline : TICKS_NEVER;
}

enum err operate_pause(struct stub *s)
{
    struct group *g = &groups[s->group];
    if (s->state == VM_LIVE && is_at_hand(s->vm)) {
        run_stop(s->vm, WAIT_ROOM);
        gate_quit(&s->vm->gate);
    } else if (s->state == VM_STORED) {
        s->vm = NULL;
        g->paused_stored++;
    } else {
        return ERR_BUSY;
    }
    s->state = VM_PAUSED;
    g->paused++;
    journal_note(TOKLAT_JOURNAL_PAUSED, s->number, 0);
    return OK;
}

void operate_unpause(struct stub *s)
{
    groups[s->group].paused--;
    groups[s->group].paused_stored -= !s->vm;
    s->state = s->vm ? VM_LIVE : VM_STORED;
    if (s->vm) {
        gate_join(run_this()->pool, &s->vm->gate);
    }
}

enum err operate_resume(struct stub *s)
{
    if (s->state != VM_PAUSED) {
        return ERR_BUSY;
    }
    operate_unpause(s);
    if (s->state == VM_STORED && (s->events || s->deadline_ns == STORE_AT_ONCE)) {
        residence_want(s);
    } else if (s->state == VM_LIVE && s->vm->wait == WAIT_ROOM) {
        run_go_on(s->vm);
    } else if (s->state == VM_LIVE) {
        run_arrived(s->vm, deadline_of(s));
    }
    journal_note(TOKLAT_JOURNAL_RESUMED, s->number, 0);
    return OK;
}

enum err operate_restart(struct stub *s)
{
    if (groups[s->group].state != GROUP_READY) {
        return ERR_BUSY;
    }
    enum err e = vm_begin_anew(s);
    if (e == OK) {
        journal_note(TOKLAT_JOURNAL_RESTARTED, s->number, 0);
    }
    return e;
}

/* A record of the VM as it is now, under the number `slot`. Pages of it that are in the store are
 * read first. */
static enum err write_as(struct vm *vm, uint32_t slot)
{
    if (!is_at_hand(vm)) {
        return ERR_BUSY;
    }
    enum err e = snapshot_write(vm, slot);
    if (e == ERR_AWAY) {
        (void)fetch_begin(vm, true);
        return ERR_BUSY;
    }
    return e;
}

enum err operate_checkpoint(struct stub *s)
{
    if (!store_takes_records()) {
        return ERR_UNSUPPORTED;
    }
    enum err e = vm_of(s)                                         ? write_as(s->vm, s->number)
                 : s->state == VM_STORED || s->state == VM_PAUSED ? OK
                                                                  : ERR_BUSY;
    if (e == OK) {
        journal_note(TOKLAT_JOURNAL_CHECKPOINT, s->number, 0);
    }
    return e;
}

enum err operate_clone(struct stub *s, uint32_t *number)
{
    if (!store_takes_records()) {
        return ERR_UNSUPPORTED;
    }
    if (!vm_of(s)) {
        residence_want(s);
        return ERR_BUSY;
    }
    enum err e = vm_create(&groups[s->group], number);
    if (e != OK) {
        return e;
    }
    struct stub *clone = vm_find(*number);
    e = write_as(s->vm, *number);
    if (e != OK) {
        vm_destroy(clone);
        return e;
    }
    clone->state = VM_CLONING;
    journal_note(TOKLAT_JOURNAL_CLONED, *number, s->number);
    return OK;
}

void operate_cloned(struct stub *s, enum err e)
{
    struct group *g = &groups[s->group];
    s->state = VM_DEFINED;
    if (e == OK) {
        g->defined--;
        residence_stored(s, TICKS_NEVER);
        if (!residence_stopping) {
            residence_want(s); /* it learns who it is */
        }
        return;
    }
    log_error("[%s/%u] its record could not be written (%s): there is no such clone",
              g->config->name, vm_instance(s), err_name(e));
    vm_destroy(s);
}

/* The guest's index is anything; ours counts on whatever it says. */
static size_t put_input(struct toklat_system_page *p, const char *text, size_t n)
{
    uint32_t put = p->console_in_put;
    uint32_t used = put - p->console_in_taken;
    uint32_t room = used < TOKLAT_CONSOLE_IN_BYTES ? TOKLAT_CONSOLE_IN_BYTES - used : 0;
    uint32_t count = (uint32_t)MIN(n, (size_t)room);
    for (uint32_t i = 0; i < count; i++) {
        p->console_in[(put + i) % TOKLAT_CONSOLE_IN_BYTES] = text[i];
    }
    p->console_in_put = put + count;
    return count;
}

enum err operate_input(struct stub *s, const char *text, size_t n, size_t *taken)
{
    if (s->state == VM_STORED) {
        residence_want(s);
    }
    /* Not while its record is written, which would not have it. */
    if (s->state != VM_LIVE || s->vm->ended || s->vm->leaving || s->vm->why) {
        return ERR_BUSY;
    }
    *taken = put_input(s->vm->page, text, n);
    event_post(s, TOKLAT_EVENT_CONSOLE);
    return OK;
}
