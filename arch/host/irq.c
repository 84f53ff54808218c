/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of the process that plays a machine: a test raises them; the hypervisor timer's is
 * pending from its deadline until it is armed anew.
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

static irq_fn handlers[IRQ_MAX];
static uint64_t pending[IRQ_MAX / 64]; /* a bit each */
static uint64_t taken, spurious;
static void (*idle)(void);

void host_irq_reset(void)
{
    memset(handlers, 0, sizeof(handlers));
    memset(pending, 0, sizeof(pending));
    taken = spurious = 0;
    idle = NULL;
}

void host_irq_raise(uint32_t irq)
{
    pending[irq / 64] |= 1ull << irq % 64;
}

void host_on_idle(void (*fn)(void))
{
    idle = fn;
}

enum err irq_register(uint32_t irq, irq_fn fn)
{
    if (irq >= IRQ_MAX) {
        return ERR_RANGE;
    }
    handlers[irq] = fn;
    return OK;
}

enum err irq_decode(const void *interrupts, size_t bytes, uint32_t *irq)
{
    if (bytes != sizeof(*irq)) {
        return ERR_INVALID;
    }
    memcpy(irq, interrupts, sizeof(*irq));
    return *irq < IRQ_MAX ? OK : ERR_INVALID;
}

uint32_t irq_el2_timer(void)
{
    return EL2_TIMER;
}

uint32_t irq_virtual_timer(void)
{
    return VIRTUAL_TIMER;
}

uint64_t irq_count(void)
{
    return taken;
}

uint64_t irq_spurious_count(void)
{
    return spurious;
}

/* The one to be handled next, or IRQ_MAX. */
static uint32_t next_pending(void)
{
    if (counter_now() >= host_timer_deadline()) {
        return EL2_TIMER;
    }
    for (uint32_t i = 0; i < IRQ_MAX / 64; i++) {
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
    while ((irq = next_pending()) != IRQ_MAX) {
        uint64_t deadline = host_timer_deadline();
        pending[irq / 64] &= ~(1ull << irq % 64);
        taken++;
        if (handlers[irq]) {
            handlers[irq](irq);
        } else {
            spurious++;
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
