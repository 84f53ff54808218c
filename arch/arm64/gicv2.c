/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Generic Interrupt Controller version 2 (IHI 0048B), as in GIC-400.
 */
#include "arch/arm64/gic.h"
#include "arch/arm64/sysreg.h"

#define GICC_CTLR 0x00
#define GICC_PMR 0x04
#define GICC_IAR 0x0c
#define GICC_EOIR 0x10

static uint64_t gicd, gicc;

static enum err start(const uint64_t *reg, const uint64_t *bytes)
{
    if (bytes[0] < 0x1000 || bytes[1] < 0x100) {
        return ERR_INVALID;
    }
    gicd = reg[0];
    gicc = reg[1];
    uint32_t words = (gic_read(gicd + GICD_TYPER) & 0x1f) + 1; /* of 32 interrupts */
    gic_write(gicd + GICD_CTLR, 0);
    for (uint32_t i = 0; i < words; i++) {
        gic_write(gicd + GICD_ICENABLER + 4 * i, ~0u);
        gic_write(gicd + GICD_ICPENDR + 4 * i, ~0u);
    }
    gic_write(gicd + GICD_CTLR, 1);
    gic_write(gicc + GICC_PMR, 0xff);
    gic_write(gicc + GICC_CTLR, 1);
    return OK;
}

static void enable(uint32_t irq)
{
    gic_write8(gicd + GICD_IPRIORITYR + irq, GIC_PRIORITY);
    if (irq >= GIC_SPI_FIRST) {
        uint8_t self = *(volatile uint8_t *)(gicd + GICD_ITARGETSR); /* of a banked interrupt */
        gic_write8(gicd + GICD_ITARGETSR + irq, self);
    }
    gic_write(gicd + GICD_ISENABLER + irq / 32 * 4, 1u << irq % 32);
}

static uint32_t acknowledge(void)
{
    return gic_read(gicc + GICC_IAR) & 0x3ff;
}

static void end(uint32_t irq)
{
    dsb(sy); /* the device is quiet before its interrupt may come again */
    gic_write(gicc + GICC_EOIR, irq);
}

const struct gic_ops gicv2_ops = {"GICv2", start, enable, acknowledge, end};
