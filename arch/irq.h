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

/* Routes `irq` to this CPU and calls `fn` for it. ERR_RANGE: no such number. */
enum err irq_register(uint32_t irq, irq_fn fn) MUST_USE;

/* The number that a device tree's "interrupts" property (`bytes` long) begins with. ERR_INVALID: it
 * is none of this controller's. */
enum err irq_decode(const void *interrupts, size_t bytes, uint32_t *irq) MUST_USE;

/* Takes and handles interrupts until none is pending. Counts them. */
void irq_dispatch(void);

uint64_t irq_count(void);
uint64_t irq_spurious_count(void);

/* The number of the hypervisor timer's and of the guests' virtual timer's interrupt. */
uint32_t irq_el2_timer(void);
uint32_t irq_virtual_timer(void);

#endif
