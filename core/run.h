/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a CPU does next: enter a VM, begin those that are to start, or sleep.
 */
#ifndef CORE_RUN_H
#define CORE_RUN_H

#include "core/vm.h"

/* A CPU's share of the hypervisor; only that CPU changes it, but for what the keeper alone has. */
struct run {
    struct mux mux;
    struct wheel wheel;
    struct gate_pool *pool;
    unsigned cpu;
    struct list departing;             /* VMs to be freed, or to be given to another CPU */
    struct list hungry;                /* of the keeper: VMs that wait for a frame */
    uint64_t armed;                    /* deadline of the timer interrupt, TICKS_NEVER if none */
    uint64_t kills, faults, not_ready; /* not_ready: frames for a VM that has ended */
    uint64_t came, went;               /* VMs, from and to other CPUs */
    uint32_t given;                    /* of the keeper: VMs that it gave to this CPU */
    uint32_t residents;                /* of the keeper: VMs whose home this is */
    bool online, asleep, paused;
    struct gate_pool other_pool; /* `pool` of a CPU that is not the keeper */
} __attribute__((aligned(64)));

extern struct run runs[CPUS_MAX];
extern unsigned run_cpus; /* CPUs 0 to this - 1 may be online; constant after boot */

/* The CPU that has the gatekeeper, the store, the uplink, and all VMs that cannot run. */
#define KEEPER 0u

struct run *run_this(void);

/* Each CPU, the keeper first and before residence_init. */
void run_init(void);

/* How many VMs a CPU can run now, as any CPU sees it. */
static inline uint32_t run_load(const struct run *r)
{
    return __atomic_load_n(&r->mux.ready_count, __ATOMIC_RELAXED) +
           (__atomic_load_n(&r->mux.current, __ATOMIC_RELAXED) != NULL);
}

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

/* A VM that can run does so: here, if this is its home, or goes there when the trap is over. */
void run_wake(struct vm *vm);

/* A VM of this CPU that can run stops, and waits for a page or for room. */
void run_stop(struct vm *vm, enum vm_wait wait);

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
