/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Generic Interrupt Controller version 3 (IHI 0069), system register interface, affinity routing,
 * all interrupts in group 1.
 */
#include "arch/arm64/gic.h"
#include "arch/arm64/sysreg.h"

#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_CTLR_EL1 S3_0_C12_C12_4
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_SRE_EL2 S3_4_C12_C9_5
#define ICH_HCR_EL2 S3_4_C12_C11_0
/* A guest has no interrupt controller: its accesses to the CPU interface trap. */
#define ICH_HCR_TRAPS (1ull << 10 | 1ull << 11 | 1ull << 12 | 1ull << 14)

#define GICD_CTLR_GROUP1 (1u << 1)
#define GICD_CTLR_ARE (1u << 4)
#define GICD_CTLR_RWP (1u << 31)
#define GICD_IROUTER 0x6000

#define GICR_TYPER 0x08
#define GICR_TYPER_VLPIS (1u << 1)
#define GICR_TYPER_LAST (1u << 4)
#define GICR_WAKER 0x14
#define WAKER_SLEEP (1u << 1)
#define WAKER_ASLEEP (1u << 2)
#define GICR_FRAME 0x10000
#define GICR_SGI GICR_FRAME /* the second frame: SGIs and PPIs */

#define WAIT_POLLS 1000000u

static uint64_t gicd, gicr; /* gicr: this CPU's redistributor */

static enum err wait_clear(uint64_t reg, uint32_t bits)
{
    for (uint32_t i = 0; i < WAIT_POLLS; i++) {
        if (!(gic_read(reg) & bits)) {
            return OK;
        }
    }
    return ERR_IO;
}

/* Aff3.Aff2.Aff1.Aff0 as GICR_TYPER has it in its upper word. */
static uint32_t affinity(void)
{
    uint64_t mpidr = read_sysreg(mpidr_el1);
    return (uint32_t)((mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24);
}

static enum err find_redistributor(uint64_t base, uint64_t bytes)
{
    uint64_t end = base + bytes;
    for (uint64_t r = base; r + 2 * GICR_FRAME <= end;) {
        uint32_t low = gic_read(r + GICR_TYPER);
        if (gic_read(r + GICR_TYPER + 4) == affinity()) {
            gicr = r;
            return OK;
        }
        if (low & GICR_TYPER_LAST) {
            break;
        }
        r += low & GICR_TYPER_VLPIS ? 4 * GICR_FRAME : 2 * GICR_FRAME;
    }
    return ERR_NOT_FOUND;
}

static enum err start_distributor(void)
{
    uint32_t words = (gic_read(gicd + GICD_TYPER) & 0x1f) + 1;
    gic_write(gicd + GICD_CTLR, 0);
    for (uint32_t i = 1; i < words; i++) {
        gic_write(gicd + GICD_ICENABLER + 4 * i, ~0u);
        gic_write(gicd + GICD_ICPENDR + 4 * i, ~0u);
        gic_write(gicd + GICD_IGROUPR + 4 * i, ~0u);
    }
    gic_write(gicd + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_GROUP1);
    return wait_clear(gicd + GICD_CTLR, GICD_CTLR_RWP);
}

static enum err start_redistributor(void)
{
    gic_write(gicr + GICR_WAKER, gic_read(gicr + GICR_WAKER) & ~WAKER_SLEEP);
    enum err e = wait_clear(gicr + GICR_WAKER, WAKER_ASLEEP);
    if (e != OK) {
        return e;
    }
    gic_write(gicr + GICR_SGI + GICD_ICENABLER, ~0u);
    gic_write(gicr + GICR_SGI + GICD_ICPENDR, ~0u);
    gic_write(gicr + GICR_SGI + GICD_IGROUPR, ~0u);
    return OK;
}

static void start_interface(void)
{
    write_sysreg(ICC_SRE_EL2, 7); /* system registers; EL1's view of them traps */
    isb();
    write_sysreg(ICH_HCR_EL2, ICH_HCR_TRAPS);
    write_sysreg(ICC_CTLR_EL1, 0); /* EOI drops priority and deactivates */
    write_sysreg(ICC_PMR_EL1, 0xff);
    write_sysreg(ICC_IGRPEN1_EL1, 1);
    isb();
}

static enum err start(const uint64_t *reg, const uint64_t *bytes)
{
    if (bytes[0] < 0x10000) {
        return ERR_INVALID;
    }
    gicd = reg[0];
    enum err e = find_redistributor(reg[1], bytes[1]);
    if (e == OK) {
        e = start_distributor();
    }
    if (e == OK) {
        e = start_redistributor();
    }
    if (e == OK) {
        start_interface();
    }
    return e;
}

static void enable(uint32_t irq)
{
    uint64_t base = irq < GIC_SPI_FIRST ? gicr + GICR_SGI : gicd;
    gic_write8(base + GICD_IPRIORITYR + irq, GIC_PRIORITY);
    if (irq >= GIC_SPI_FIRST) {
        uint64_t route = read_sysreg(mpidr_el1) & 0xff00ffffff;
        *(volatile uint64_t *)(gicd + GICD_IROUTER + 8ull * irq) = route;
    }
    gic_write(base + GICD_ISENABLER + irq / 32 * 4, 1u << irq % 32);
}

static uint32_t acknowledge(void)
{
    uint32_t irq = (uint32_t)read_sysreg(ICC_IAR1_EL1);
    dsb(sy); /* IHI 0069, 4.1.1: the read has taken effect before the handler looks */
    return irq & 0xffffff;
}

static void end(uint32_t irq)
{
    dsb(sy); /* the device is quiet before its interrupt may come again */
    write_sysreg(ICC_EOIR1_EL1, irq);
    isb();
}

const struct gic_ops gicv3_ops = {"GICv3", start, enable, acknowledge, end};
