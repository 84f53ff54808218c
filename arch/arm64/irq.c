/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical interrupts: finding the controller and the timers, handing interrupts out.
 */
#include <libfdt.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/firmware.h"
#include "arch/arm64/gic.h"
#include "arch/arm64/smp.h"
#include "arch/arm64/timer.h"
#include "arch/irq.h"
#include "core/base/devicetree.h"
#include "core/base/log.h"

static const struct {
    const char *compatible;
    const struct irqchip_ops *ops;
} controllers[] = {
    {"arm,gic-v3", &gicv3_ops},
    {"arm,cortex-a15-gic", &gicv2_ops},
    {"arm,gic-400", &gicv2_ops},
    {"brcm,bcm2836-l1-intc", &bcm2836_ops}, /* last: the Pi 4 has one beside its GIC */
};

static const struct irqchip_ops *chip;
static int chip_node;
static irq_fn handlers[IRQ_MAX]; /* of all CPUs */

enum err irq_register(uint32_t irq, irq_fn fn)
{
    if (irq >= IRQ_MAX) {
        return ERR_RANGE;
    }
    handlers[irq] = fn;
    chip->enable(irq);
    return OK;
}

BOOT enum err irq_of_node(const void *fdt, int node, unsigned index, uint32_t *irq)
{
    return chip->decode(fdt, node, index, irq);
}

BOOT enum err gic_decode(const void *fdt, int node, unsigned index, uint32_t *irq)
{
    struct dt_interrupt i;
    enum err e = dt_interrupt(fdt, node, index, &i);
    if (e != OK) {
        return e;
    }
    if (i.controller != chip_node || i.count != 3 || i.cell[0] > 1 ||
        i.cell[1] >= IRQ_MAX - GIC_SPI_FIRST) {
        return ERR_INVALID;
    }
    *irq = i.cell[1] + (i.cell[0] == 0 ? GIC_SPI_FIRST : GIC_PPI_FIRST);
    return OK;
}

/* Every interrupt is a level: no device of ours makes it less long than its cause lasts. */
void gic_quieten(uint64_t frame, uint32_t i)
{
    gic_write(frame + GICD_ICENABLER + 4 * i, ~0u);
    gic_write(frame + GICD_ICPENDR + 4 * i, ~0u);
    gic_write(frame + GICD_ICACTIVER + 4 * i, ~0u);
    if (i > 0) { /* of SGIs and PPIs it is the implementation's */
        gic_write(frame + GICD_ICFGR + 8 * i, 0);
        gic_write(frame + GICD_ICFGR + 8 * i + 4, 0);
    }
}

/* One that firmware left to the secure world reads as 0 (IHI 0048 and IHI 0069: GICD_ISENABLER). */
void gic_enable(uint64_t frame, uint32_t irq)
{
    uint64_t enabler = frame + GICD_ISENABLER + irq / 32 * 4;
    gic_write8(frame + GICD_IPRIORITYR + irq, GIC_PRIORITY);
    gic_write(enabler, 1u << irq % 32);
    if (!(gic_read(enabler) & 1u << irq % 32)) {
        log_warn("interrupt %u: firmware left it to the secure world; it will not come", irq);
    }
}

void irq_dispatch(void)
{
    struct cpu *cpu = cpu_this();
    uint32_t irq;
    smp_halt_if_told();
    while ((irq = chip->acknowledge()) != IRQ_NONE) {
        cpu->interrupts++;
        if (irq < IRQ_MAX && handlers[irq]) {
            handlers[irq](irq);
        } else {
            cpu->spurious++;
        }
        chip->end(irq);
    }
}

uint64_t irq_count(unsigned cpu)
{
    return cpu_at(cpu)->interrupts;
}

uint64_t irq_spurious_count(unsigned cpu)
{
    return cpu_at(cpu)->spurious;
}

uint32_t irq_kick(void)
{
    return chip->kick;
}

void irq_send(unsigned cpu)
{
    chip->send(cpu);
}

BOOT const char *machine_interrupt_controller(void)
{
    return chip ? chip->name : "none";
}

BOOT enum err irqchip_map(const void *fdt, int node, unsigned index, uint64_t least, uint64_t *base,
                          uint64_t *bytes)
{
    enum err e = dt_reg(fdt, node, index, base, bytes);
    if (e == OK && *bytes < least) {
        e = ERR_INVALID;
    }
    return e == OK ? machine_map_device(*base, *bytes) : e;
}

/* The controller that most devices name, for one that finds none of ours. */
BOOT static void say_unknown(const void *fdt)
{
    int node = dt_interrupt_parent(fdt, 0);
    if (node >= 0) {
        log_error("device tree: interrupt controller %s (%s) is none that EL2 knows",
                  fdt_get_name(fdt, node, NULL), dt_name(fdt, node));
    } else {
        log_error("device tree: / names no interrupt-parent, and no controller is known");
    }
}

BOOT static enum err start_controller(const void *fdt)
{
    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
        chip_node = fdt_node_offset_by_compatible(fdt, -1, controllers[i].compatible);
        if (chip_node >= 0) {
            chip = controllers[i].ops;
            return chip->start(fdt, chip_node);
        }
    }
    say_unknown(fdt);
    return ERR_NOT_FOUND;
}

BOOT enum err machine_start_interrupts(const struct machine *m)
{
    firmware_find(m->fdt);
    enum err e = start_controller(m->fdt);
    if (e != OK) {
        return e;
    }
    chip->enable(chip->kick); /* for machine_halt(), whoever else uses it */
    return timer_start(m->fdt);
}

enum err irqchip_start_cpu(void)
{
    timer_start_cpu();
    enum err e = chip->start_cpu();
    if (e == OK) {
        chip->enable(chip->kick);
    }
    return e;
}
