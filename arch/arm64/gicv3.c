/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Generic Interrupt Controller version 3 (IHI 0069), system register interface, affinity routing,
 * all interrupts in group 1.
 */
#include "arch/arm64/cpu.h"
#include "arch/arm64/gic.h"
#include "arch/cpu.h"

#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_SGI1R_EL1 S3_0_C12_C11_5
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

#define GICR_CTLR 0x00
#define GICR_CTLR_RWP (1u << 3)
#define GICR_TYPER 0x08
#define GICR_TYPER_VLPIS (1u << 1)
#define GICR_TYPER_LAST (1u << 4)
#define GICR_WAKER 0x14
#define WAKER_SLEEP (1u << 1)
#define WAKER_ASLEEP (1u << 2)
#define GICR_FRAME 0x10000
#define GICR_SGI GICR_FRAME /* the second frame: SGIs and PPIs */

#define WAIT_POLLS 1000000u

static uint64_t gicd;
static uint64_t redistributors, redistributors_bytes;
static uint64_t gicr[CPUS_MAX]; /* each CPU's redistributor */

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
    uint64_t mpidr = cpu_this()->mpidr;
    return (uint32_t)((mpidr & 0xffffff) | (mpidr >> 32) << 24);
}

static enum err find_redistributor(uint64_t *out)
{
    uint64_t end = redistributors + redistributors_bytes;
    for (uint64_t r = redistributors; r + 2 * GICR_FRAME <= end;) {
        uint32_t low = gic_read(r + GICR_TYPER);
        if (gic_read(r + GICR_TYPER + 4) == affinity()) {
            *out = r;
            return OK;
        }
        if (low & GICR_TYPER_LAST) {
            break;
        }
        r += low & GICR_TYPER_VLPIS ? 4 * GICR_FRAME : 2 * GICR_FRAME;
    }
    return ERR_NOT_FOUND;
}

BOOT static enum err start_distributor(void)
{
    uint32_t words = (gic_read(gicd + GICD_TYPER) & 0x1f) + 1;
    /* IHI 0069, GICD_CTLR: ARE may be set while no group is enabled, and not cleared. */
    gic_write(gicd + GICD_CTLR, gic_read(gicd + GICD_CTLR) & GICD_CTLR_ARE);
    enum err e = wait_clear(gicd + GICD_CTLR, GICD_CTLR_RWP);
    if (e != OK) {
        return e;
    }
    for (uint32_t i = 1; i < words; i++) {
        gic_quieten(gicd, i);
        gic_write(gicd + GICD_IGROUPR + 4 * i, ~0u);
    }
    gic_write(gicd + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_GROUP1);
    return wait_clear(gicd + GICD_CTLR, GICD_CTLR_RWP);
}

static enum err start_redistributor(uint64_t r)
{
    gic_write(r + GICR_WAKER, gic_read(r + GICR_WAKER) & ~WAKER_SLEEP);
    enum err e = wait_clear(r + GICR_WAKER, WAKER_ASLEEP);
    if (e != OK) {
        return e;
    }
    gic_quieten(r + GICR_SGI, 0);
    gic_write(r + GICR_SGI + GICD_IGROUPR, ~0u);
    return wait_clear(r + GICR_CTLR, GICR_CTLR_RWP);
}

static enum err start_interface(void)
{
    write_sysreg(ICC_SRE_EL2, 7); /* system registers; EL1's view of them traps */
    isb();
    if (!(read_sysreg(ICC_SRE_EL2) & 1)) {
        return ERR_UNSUPPORTED; /* firmware keeps them to itself (ICC_SRE_EL3) */
    }
    write_sysreg(ICH_HCR_EL2, ICH_HCR_TRAPS);
    write_sysreg(ICC_CTLR_EL1, 0); /* EOI drops priority and deactivates */
    write_sysreg(ICC_PMR_EL1, 0xff);
    write_sysreg(ICC_IGRPEN1_EL1, 1);
    isb();
    return OK;
}

static enum err start_cpu(void)
{
    uint64_t *r = &gicr[cpu_index()];
    enum err e = find_redistributor(r);
    if (e == OK) {
        e = start_redistributor(*r);
    }
    return e == OK ? start_interface() : e;
}

BOOT static enum err start(const void *fdt, int node)
{
    uint64_t bytes;
    enum err e = irqchip_map(fdt, node, 0, 0x10000, &gicd, &bytes);
    if (e == OK) {
        e = irqchip_map(fdt, node, 1, 2 * GICR_FRAME, &redistributors, &redistributors_bytes);
    }
    if (e == OK) {
        e = start_distributor();
    }
    return e == OK ? start_cpu() : e;
}

static void enable(uint32_t irq)
{
    uint64_t base = irq < GIC_SPI_FIRST ? gicr[cpu_index()] + GICR_SGI : gicd;
    if (irq >= GIC_SPI_FIRST) {
        uint64_t route = cpu_this()->mpidr;
        *(volatile uint64_t *)(gicd + GICD_IROUTER + 8ull * irq) = route;
    }
    gic_enable(base, irq);
}

static uint32_t acknowledge(void)
{
    uint32_t irq = (uint32_t)read_sysreg(ICC_IAR1_EL1);
    dsb(sy); /* IHI 0069, 4.1.1: the read has taken effect before the handler looks */
    irq &= 0xffffff;
    return irq < GIC_SPURIOUS ? irq : IRQ_NONE;
}

static void end(uint32_t irq)
{
    dsb(sy); /* the device is quiet before its interrupt may come again */
    write_sysreg(ICC_EOIR1_EL1, irq);
    isb();
}

/* IHI 0069, 12.2.20: Aff3, Aff2, Aff1, and one bit of the sixteen that share them. */
static void send(unsigned cpu)
{
    uint64_t mpidr = cpu_at(cpu)->mpidr;
    uint64_t to = (mpidr >> 32 & 0xff) << 48 | (mpidr >> 16 & 0xff) << 32 |
                  (mpidr >> 8 & 0xff) << 16 | 1ull << (mpidr & 0xf);
    dsb(ishst); /* what the other CPU is to see, before it is called: partner is its acknowledge */
    write_sysreg(ICC_SGI1R_EL1, to | (uint64_t)GIC_SGI_KICK << 24);
    isb();
}

const struct irqchip_ops gicv3_ops = {"GICv3",     start, start_cpu, gic_decode,  enable,
                                      acknowledge, end,   send,      GIC_SGI_KICK};
