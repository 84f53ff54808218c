/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of the process that plays a machine: a test raises them, and CPU 0 takes them; the
 * hypervisor timer's is pending from its deadline until it is armed anew.
 */
#include "arch/irq.h"
#include "arch/cpu.h"
#include "arch/host/host.h"
#include "arch/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EL2_TIMER 26u
#define VIRTUAL_TIMER 27u
#define KICK 0u

static irq_fn handlers[IRQ_MAX];
static uint64_t pending[IRQ_MAX / 64]; /* a bit each */
static bool kicked[CPUS_MAX];
static uint64_t taken[CPUS_MAX], spurious[CPUS_MAX];
static void (*idle)(void), (*poll)(void);

void host_irq_reset(void)
{
    memset(handlers, 0, sizeof(handlers));
    memset(pending, 0, sizeof(pending));
    memset(kicked, 0, sizeof(kicked));
    memset(taken, 0, sizeof(taken));
    memset(spurious, 0, sizeof(spurious));
    idle = poll = NULL;
}

void host_irq_raise(uint32_t irq)
{
    pending[irq / 64] |= 1ull << irq % 64;
}

void host_on_idle(void (*fn)(void))
{
    idle = fn;
}

void host_on_poll(void (*fn)(void))
{
    poll = fn;
}

enum err irq_register(uint32_t irq, irq_fn fn)
{
    if (irq >= IRQ_MAX) {
        return ERR_RANGE;
    }
    handlers[irq] = fn;
    return OK;
}

uint32_t irq_el2_timer(void)
{
    return EL2_TIMER;
}

uint32_t irq_virtual_timer(void)
{
    return VIRTUAL_TIMER;
}

uint64_t irq_count(unsigned cpu)
{
    return taken[cpu];
}

uint64_t irq_spurious_count(unsigned cpu)
{
    return spurious[cpu];
}

void irq_send(unsigned cpu)
{
    __atomic_store_n(&kicked[cpu], true, __ATOMIC_RELEASE); /* partner: next_pending */
    HOST_COUNT(kicks, 1);
}

uint32_t irq_kick(void)
{
    return KICK;
}

/* The one to be handled next, or IRQ_MAX. */
static uint32_t next_pending(void)
{
    if (counter_now() >= host_timer_deadline()) {
        return EL2_TIMER;
    }
    if (__atomic_load_n(&kicked[cpu_index()], __ATOMIC_ACQUIRE)) { /* partner: irq_send */
        return KICK;
    }
    for (uint32_t i = 0; cpu_index() == 0 && i < IRQ_MAX / 64; i++) {
        if (pending[i]) {
            return i * 64 + (uint32_t)__builtin_ctzll(pending[i]);
        }
    }
    return IRQ_MAX;
}

bool host_irq_pending(void)
{
    return next_pending() != IRQ_MAX;
}

void irq_dispatch(void)
{
    uint32_t irq;
    if (poll && !host_irq_pending()) {
        poll();
    }
    while ((irq = next_pending()) != IRQ_MAX) {
        uint64_t deadline = host_timer_deadline();
        pending[irq / 64] &= ~(1ull << irq % 64);
        kicked[cpu_index()] &= irq != KICK;
        taken[cpu_index()]++;
        if (handlers[irq]) {
            handlers[irq](irq);
        } else {
            spurious[cpu_index()]++;
        }
        if (irq == EL2_TIMER && host_timer_deadline() == deadline) {
            fprintf(stderr, "host: the timer's interrupt was not silenced\n");
            abort();
        }
    }
}

void cpu_wait(void)
{
    HOST_COUNT(waits, 1);
    if (!host_irq_pending() && idle) {
        idle();
    }
    if (host_irq_pending()) {
        return;
    }
    if (host_timer_deadline() == TICKS_NEVER) {
        fprintf(stderr, "host: the CPU sleeps and nothing will wake it\n");
        abort();
    }
    host_time_set(host_timer_deadline());
}
