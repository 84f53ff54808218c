/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contract: physical interrupts, numbered as the interrupt controller does (GIC: INTID).
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include "core/base/error.h"

/* Numbers below this can be registered: covers the boards that Toklat knows. */
#define IRQ_MAX 256

typedef void (*irq_fn)(uint32_t irq);

/* Routes `irq` to this CPU and calls `fn` for it; one that each CPU has of its own is registered on
 * each, with the same `fn`. ERR_RANGE: no such number. */
enum err irq_register(uint32_t irq, irq_fn fn) MUST_USE;

/* The number of entry `index` of a device tree node's "interrupts". ERR_NOT_FOUND: it has none;
 * ERR_INVALID: it is none of this machine's controller. */
enum err irq_of_node(const void *fdt, int node, unsigned index, uint32_t *irq) MUST_USE;

/* Takes and handles interrupts until none is pending. Counts them. */
void irq_dispatch(void);

/* Of CPU `cpu`, so far. */
uint64_t irq_count(unsigned cpu);
uint64_t irq_spurious_count(unsigned cpu);

/* Interrupts CPU `cpu`, which is given the number irq_kick(). What this CPU wrote before is seen
 * there by then. Many calls may become one interrupt. */
void irq_send(unsigned cpu);
uint32_t irq_kick(void);

/* The number of the hypervisor timer's and of the guests' virtual timer's interrupt. */
uint32_t irq_el2_timer(void);
uint32_t irq_virtual_timer(void);

#endif
