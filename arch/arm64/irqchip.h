/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt controllers: one table of operations for each, chosen at boot by "compatible".
 */
#ifndef ARCH_ARM64_IRQCHIP_H
#define ARCH_ARM64_IRQCHIP_H

#include "arch/machine.h"

#define IRQ_NONE UINT32_MAX

struct irqchip_ops {
    const char *name;
    /* Starts the controller and the boot CPU's interface. */
    enum err (*start)(const void *fdt, int node);
    /* Starts the interface of the CPU that calls, which is not the boot CPU. */
    enum err (*start_cpu)(void);
    /* The number of entry `index` of the node's "interrupts". Errors of irq_of_node. */
    enum err (*decode)(const void *fdt, int node, unsigned index, uint32_t *irq);
    /* Has `irq` delivered to this CPU. */
    void (*enable)(uint32_t irq);
    /* Takes the interrupt to be handled next; IRQ_NONE: none is pending. */
    uint32_t (*acknowledge)(void);
    void (*end)(uint32_t irq);
    /* Interrupts CPU `cpu`, which is given `irq_kick()`. What was written before is seen there. */
    void (*send)(unsigned cpu);
    uint32_t kick;
};

extern const struct irqchip_ops gicv2_ops, gicv3_ops, bcm2836_ops;

/* Range `index` of the node's registers, mapped. ERR_INVALID: fewer than `least` bytes. */
enum err irqchip_map(const void *fdt, int node, unsigned index, uint64_t least, uint64_t *base,
                     uint64_t *bytes);

/* The rest of machine_start_interrupts on a CPU that is not the boot CPU. */
enum err irqchip_start_cpu(void) MUST_USE;

#endif
