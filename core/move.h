/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMs between CPUs.
 *
 *              admitted, woken                        wants a page or a frame, ended,
 *   keeper ------------------------> home ----------- was asked for, is one too many -----> keeper
 *
 * A VM belongs to one CPU at a time, which alone touches its stub, its descriptor and its memory;
 * to the keeper whenever it cannot run. It moves by one message: what is sent to it meanwhile goes
 * to its last CPU, which passes it on, behind the message. So nothing is lost, but frames for a VM
 * that moves may overtake each other. Modelled in tests/model/move.pml.
 */
#ifndef CORE_MOVE_H
#define CORE_MOVE_H

#include "arch/cpu.h"
#include "core/mail.h"
#include "core/run.h"

enum move_why {
    MOVE_NOT,
    MOVE_HOME,   /* from the keeper: it can run */
    MOVE_PAGE,   /* to the keeper: it wants page space.away_page */
    MOVE_ROOM,   /* it wants a frame */
    MOVE_ENDED,  /* it is to be freed */
    MOVE_EVICT,  /* the gatekeeper asked for somebody */
    MOVE_WANTED, /* the keeper asked for this one */
    MOVE_LOAD,   /* another CPU has nothing to do */
    MOVE_ALL,    /* the machine stops */
};

/* stub.where: the CPU to send to, and while the VM is on its way the one that it goes to, plus 1,
 * in the upper byte. Its CPU sets it when the VM departs, the next when it has come. */
#define WHERE_GOES_SHIFT 8

/* Whether the stub is this CPU's. */
static inline bool move_is_here(const struct stub *s)
{
    return __atomic_load_n(&s->where, __ATOMIC_ACQUIRE) == cpu_index(); /* partner: take, depart */
}

/* The CPU to send to what is for a stub that is not here. */
unsigned move_next_stop(const struct stub *s);

/* A VM of this CPU, which does not run and is in no queue, goes to its home, or to the keeper when
 * this is its home, at the end of the trap. Not while its record is written. */
void move_later(struct vm *vm, enum move_why why);

/* Ends the trap for all VMs that depart or have ended. Returns whether there were any. */
bool move_depart_all(void);

static inline bool move_depart(struct run *r)
{
    return unlikely(!list_empty(&r->departing)) && move_depart_all();
}

/* Asks for a VM of another CPU: `caller` does not run until that is here and control_finish has
 * done to it what the caller's x1 says; x2 is its number. Then it goes on as it was. ERR_BUSY: too
 * much is being asked for; nothing has changed. The keeper. */
enum err move_summon(struct stub *s, struct vm *caller) MUST_USE;

/* Asks CPU `cpu` for somebody of its pool: struct gate_ops. */
enum gate_answer move_ask(unsigned cpu, bool busy);

/* Asks all CPUs for all their VMs. The keeper. */
void move_ask_all(void);

/* Has the gatekeeper look at its pools, from any CPU. */
void move_poke(void);

/* Somebody lacks frames: has all CPUs give back those that rest in their caches. The keeper. */
void move_spill(void);

/* Registers the interrupt by which CPUs call each other, on the CPU that calls. */
enum err move_init(void) MUST_USE;

/* Others than this CPU do nothing until move_resume_others. Returns a bit for each that did not
 * answer in time. For debug keys, on the keeper. */
unsigned move_pause_others(void);
void move_resume_others(void);

#endif
