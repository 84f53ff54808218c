/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt controllers: one table of operations for each, chosen at boot.
 */
#ifndef ARCH_ARM64_GIC_H
#define ARCH_ARM64_GIC_H

#include "arch/machine.h"

#define GIC_SPURIOUS 1020 /* this and above: nothing is pending */
#define GIC_PPI_FIRST 16
#define GIC_SPI_FIRST 32

struct gic_ops {
    const char *name;
    /* Starts the distributor and this CPU's interface; `reg` are the addresses of the node's
     * register ranges, mapped. */
    enum err (*start)(const uint64_t *reg, const uint64_t *bytes);
    void (*enable)(uint32_t irq);
    uint32_t (*acknowledge)(void);
    void (*end)(uint32_t irq);
};

extern const struct gic_ops gicv2_ops, gicv3_ops;

static inline uint32_t gic_read(uint64_t a)
{
    return *(volatile uint32_t *)a;
}

static inline void gic_write(uint64_t a, uint32_t v)
{
    *(volatile uint32_t *)a = v;
}

static inline void gic_write8(uint64_t a, uint8_t v)
{
    *(volatile uint8_t *)a = v;
}

/* Registers that the distributors of both versions have (IHI 0048, IHI 0069). */
#define GICD_CTLR 0x000
#define GICD_TYPER 0x004
#define GICD_IGROUPR 0x080
#define GICD_ISENABLER 0x100
#define GICD_ICENABLER 0x180
#define GICD_ICPENDR 0x280
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR 0x800

#define GIC_PRIORITY 0xa0

#endif
