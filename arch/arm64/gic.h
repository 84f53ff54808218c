/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What both versions of the Generic Interrupt Controller have (IHI 0048, IHI 0069).
 */
#ifndef ARCH_ARM64_GIC_H
#define ARCH_ARM64_GIC_H

#include "arch/arm64/irqchip.h"

#define GIC_SPURIOUS 1020 /* this and above: nothing is pending */
#define GIC_PPI_FIRST 16
#define GIC_SPI_FIRST 32
#define GIC_SGI_KICK 0

/* Devicetree binding arm,gic: (type, number, flags); type 0 is an SPI, 1 a PPI. */
enum err gic_decode(const void *fdt, int node, unsigned index, uint32_t *irq);

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

#define GICD_CTLR 0x000
#define GICD_TYPER 0x004
#define GICD_IGROUPR 0x080
#define GICD_ISENABLER 0x100
#define GICD_ICENABLER 0x180
#define GICD_ICPENDR 0x280
#define GICD_ICACTIVER 0x380
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR 0x800
#define GICD_ICFGR 0xc00
#define GICD_SGIR 0xf00

#define GIC_PRIORITY 0xa0

/* Word `i` of the registers that `frame` has for 32 interrupts each: none of them is enabled,
 * pending, or active since firmware took it. */
void gic_quieten(uint64_t frame, uint32_t i);

/* Enables an interrupt, of which `frame` has the registers, with the priority of all. */
void gic_enable(uint64_t frame, uint32_t irq);

#endif
