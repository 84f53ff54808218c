/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Generic Interrupt Controller version 2 (IHI 0048B), as in GIC-400.
 */
#include "arch/arm64/gic.h"
#include "arch/arm64/sysreg.h"
#include "arch/cpu.h"

#define GICC_CTLR 0x00
#define GICC_PMR 0x04
#define GICC_IAR 0x0c
#define GICC_EOIR 0x10

static uint64_t gicd, gicc;
static uint8_t interface[CPUS_MAX]; /* the bit of each CPU's interface */

/* This CPU's interface, its SGIs and its PPIs. */
static enum err start_cpu(void)
{
    interface[cpu_index()] = *(volatile uint8_t *)(gicd + GICD_ITARGETSR); /* of a banked one */
    gic_quieten(gicd, 0);
    gic_write(gicc + GICC_PMR, 0xff);
    gic_write(gicc + GICC_CTLR, 1);
    return OK;
}

BOOT static enum err start(const void *fdt, int node)
{
    uint64_t bytes;
    enum err e = irqchip_map(fdt, node, 0, 0x1000, &gicd, &bytes);
    if (e == OK) {
        e = irqchip_map(fdt, node, 1, 0x100, &gicc, &bytes);
    }
    if (e != OK) {
        return e;
    }
    uint32_t words = (gic_read(gicd + GICD_TYPER) & 0x1f) + 1; /* of 32 interrupts */
    gic_write(gicd + GICD_CTLR, 0);
    for (uint32_t i = 1; i < words; i++) {
        gic_quieten(gicd, i);
    }
    gic_write(gicd + GICD_CTLR, 1);
    return start_cpu();
}

static void enable(uint32_t irq)
{
    if (irq >= GIC_SPI_FIRST) {
        gic_write8(gicd + GICD_ITARGETSR + irq, interface[cpu_index()]);
    }
    gic_enable(gicd, irq);
}

/* GICC_EOIR of an SGI wants the number of the CPU that sent it, GICC_IAR bits 12:10. */
static uint32_t sender[CPUS_MAX];

static uint32_t acknowledge(void)
{
    uint32_t iar = gic_read(gicc + GICC_IAR);
    uint32_t irq = iar & 0x3ff;
    if (irq < GIC_PPI_FIRST) {
        dmb(ld); /* before the handler reads what the sender wrote: partner is send() */
        sender[cpu_index()] = iar & ~0x3ffu;
    }
    return irq < GIC_SPURIOUS ? irq : IRQ_NONE;
}

static void end(uint32_t irq)
{
    dsb(sy); /* the device is quiet before its interrupt may come again */
    gic_write(gicc + GICC_EOIR, irq < GIC_PPI_FIRST ? irq | sender[cpu_index()] : irq);
}

static void send(unsigned cpu)
{
    dsb(ishst); /* what the other CPU is to see, before it is called: partner is its acknowledge */
    gic_write(gicd + GICD_SGIR, (uint32_t)interface[cpu] << 16 | GIC_SGI_KICK);
}

const struct irqchip_ops gicv2_ops = {"GICv2",     start, start_cpu, gic_decode,  enable,
                                      acknowledge, end,   send,      GIC_SGI_KICK};
