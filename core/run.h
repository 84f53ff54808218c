/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a CPU does next: enter a VM, begin those that are to start, or sleep.
 */
#ifndef CORE_RUN_H
#define CORE_RUN_H

#include "core/vm.h"

/* This CPU's share of the hypervisor; only this CPU touches it. */
struct run {
    struct mux mux;
    struct wheel wheel;
    struct list ending; /* VMs to be freed */
    struct list hungry; /* VMs that wait for a frame, by vm->ending as well */
    uint64_t armed;     /* deadline of the timer interrupt, TICKS_NEVER if none */
    uint64_t kills, faults, hypercalls;
} __attribute__((aligned(64)));

extern struct run runs[CPUS_MAX];

struct run *run_this(void);

void run_init(void);

static inline struct vm *run_current(struct run *r)
{
    return r->mux.current ? container_of(r->mux.current, struct vm, sched) : NULL;
}

/* Chooses the VM to enter next; sleeps until there is one. There is no current one. */
struct context *run_next(void);

/* Ends a trap of which anything may have come: frees what ended, lets the current VM go on if its
 * slice allows, otherwise the next. */
struct context *run_resume(void);

/* The current VM gives up the CPU: until an event that it does not mask or until `timeout` ticks
 * have passed (TICKS_NEVER: no end), or only for a turn. Returns what to enter. */
struct context *run_block(struct vm *vm, enum vm_wait wait, uint64_t timeout);
struct context *run_yield(struct vm *vm, enum vm_wait wait);

/* The timer interrupts at `deadline` at the latest. */
void run_arm(uint64_t deadline);

/* This CPU's timer interrupt. What is due is found when the trap ends. */
void run_timer_fired(void);

/* Machine time of VMs, which goes on over boots: the physical counter and `ticks`. Boot CPU. */
void run_set_time_base(uint64_t ticks);
uint64_t run_machine_ticks(void);

/* idle() with a timeout returns at once, so that who waits must look again and again: the variant
 * without Denali's idle-with-timeout. */
void run_set_no_timeout(bool on);
bool run_no_timeout(void);

/* A VM that waits for a page or for room goes on. */
void run_go_on(struct vm *vm);

/* A VM has come in: it runs if it can or has an event, and idles until `deadline` otherwise. */
void run_arrived(struct vm *vm, uint64_t deadline);

/* Batched events wait for the VM's turn; the synchronous variant switches to it at once. */
void run_set_synchronous(bool on);
bool run_synchronous(void);

/* --- events ------------------------------------------------------------------------------- */

/* Posts events to a VM of this CPU, and wakes it if it waits for one of them. */
void event_post(struct stub *s, uint64_t events);

/* Moves what was posted into the system page. */
void event_gather(struct vm *vm);

/* Events that `vm` would be told of now: pending and not masked. */
uint64_t event_ready(struct vm *vm);

/* The same, taken from the pending ones. */
uint64_t event_take(struct vm *vm);

#endif
