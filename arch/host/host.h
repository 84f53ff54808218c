/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine that is a process: what tests set and inspect of it.
 *
 * It is stricter than a real one where that finds mistakes: memory that was never written holds a
 * pattern, an address outside RAM ends the process, and a table entry that is changed without
 * break-before-make does too.
 */
#ifndef ARCH_HOST_HOST_H
#define ARCH_HOST_HOST_H

#include "arch/context.h"
#include "core/base/types.h"

#define HOST_RAM_BASE 0x40000000ull
#define HOST_RAM_PATTERN 0xA5

/* A fresh RAM of `bytes` (whole pages) at HOST_RAM_BASE, and all counts at 0. The RAM before it,
 * if any, is gone. Without this call there are 64 MiB. */
void host_memory_init(size_t bytes);
size_t host_memory_bytes(void);

/* How often what was called. */
struct host_counts {
    unsigned page_zeros;
    unsigned page_copies;
    unsigned icache_syncs;
    unsigned dcache_cleans; /* calls */
    uint64_t dcache_clean_bytes;
    unsigned publishes;
    unsigned breaks;
    unsigned flushes;
    unsigned vmids;
    unsigned waits;
    unsigned arms;
    unsigned irqs_raised; /* exceptions fabricated for guests */
    unsigned vtimer_masks;
    unsigned kicks; /* interrupts sent to CPUs */
};

extern struct host_counts host_counts;

/* Threads play CPUs, so they count at once. */
#define HOST_COUNT(field, n) ((void)__atomic_fetch_add(&host_counts.field, n, __ATOMIC_RELAXED))

/* The CPU that the calling thread plays, 0 at first. */
void host_cpu_set(unsigned index);

/* Physical counter, in ticks of 62.5 MHz; stands still unless it is told to move. */
void host_time_set(uint64_t ticks);
void host_time_advance(uint64_t ticks);

/* What timer_arm was told last on the calling thread's CPU, TICKS_NEVER at first. */
uint64_t host_timer_deadline(void);

/* Interrupts. irq_dispatch takes those that a test raised, and the timer's when its deadline has
 * come. */
void host_irq_reset(void);
void host_irq_raise(uint32_t irq);
bool host_irq_pending(void);

/* cpu_wait with nothing pending calls `fn`, which may raise an interrupt, move the clock, or leave
 * by longjmp. If still nothing is pending the clock moves on to the timer's deadline; without one
 * the process ends. NULL: no function. */
void host_on_idle(void (*fn)(void));

/* irq_dispatch with nothing pending calls `fn`, which may leave by longjmp: a CPU that polls waits
 * for another, which is played by the same thread. NULL: no function. */
void host_on_poll(void (*fn)(void));

/* Plays the vectors, for the VM that is entered: a trap of the loaded one, and what is entered
 * next. The handlers are those of trap_set_ops. */
void host_context_reset(void);
struct context *host_enter(struct context *c);
struct context *host_hypercall(void);
struct context *host_interrupt(void);
struct context *host_fault(const struct trap *t);

/* The context that is loaded, or NULL; its system registers, which a guest reads and writes; whose
 * FP registers the CPU holds, and those. */
struct context *host_context_loaded(void);
struct context *host_context_live(void);
struct context *host_context_fp_owner(void);
struct context_extra *host_context_fp(void);

#endif
