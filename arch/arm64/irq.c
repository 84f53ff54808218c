/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical interrupts: finding the controller and the timers, handing interrupts out.
 */
#include <libfdt.h>

#include "arch/arm64/firmware.h"
#include "arch/arm64/gic.h"
#include "arch/arm64/timer.h"
#include "arch/irq.h"
#include "core/base/cells.h"
#include "core/base/log.h"

static const struct {
    const char *compatible;
    const struct gic_ops *ops;
} controllers[] = {
    {"arm,gic-v3", &gicv3_ops},
    {"arm,cortex-a15-gic", &gicv2_ops},
    {"arm,gic-400", &gicv2_ops},
};

static const struct gic_ops *gic;
static irq_fn handlers[IRQ_MAX];
static uint64_t taken, spurious;

enum err irq_register(uint32_t irq, irq_fn fn)
{
    if (irq >= IRQ_MAX) {
        return ERR_RANGE;
    }
    handlers[irq] = fn;
    gic->enable(irq);
    return OK;
}

/* Devicetree binding arm,gic: (type, number, flags); type 0 is an SPI, 1 a PPI. */
enum err irq_decode(const void *interrupts, size_t bytes, uint32_t *irq)
{
    if (bytes < 12) {
        return ERR_INVALID;
    }
    const uint32_t *cells = interrupts;
    uint64_t type = cells_read(&cells[0], 1);
    uint64_t number = cells_read(&cells[1], 1);
    if (type > 1 || number >= IRQ_MAX) {
        return ERR_INVALID;
    }
    *irq = (uint32_t)number + (type == 0 ? GIC_SPI_FIRST : GIC_PPI_FIRST);
    return OK;
}

void irq_dispatch(void)
{
    uint32_t irq;
    while ((irq = gic->acknowledge()) < GIC_SPURIOUS) {
        taken++;
        if (irq < IRQ_MAX && handlers[irq]) {
            handlers[irq](irq);
        } else {
            spurious++;
        }
        gic->end(irq);
    }
}

uint64_t irq_count(void)
{
    return taken;
}

uint64_t irq_spurious_count(void)
{
    return spurious;
}

const char *machine_interrupt_controller(void)
{
    return gic ? gic->name : "none";
}

/* The first two register ranges of a node, mapped. */
static enum err map_registers(const void *fdt, int node, uint64_t *base, uint64_t *bytes)
{
    int length;
    const fdt64_t *reg = fdt_getprop(fdt, node, "reg", &length);
    int parent = fdt_parent_offset(fdt, node);
    if (!reg || length < 32 || fdt_address_cells(fdt, parent) != 2 ||
        fdt_size_cells(fdt, parent) != 2) {
        return ERR_INVALID;
    }
    for (int i = 0; i < 2; i++) {
        base[i] = cells_read(&reg[2 * i], 2);
        bytes[i] = cells_read(&reg[2 * i + 1], 2);
        enum err e = machine_map_device(base[i], bytes[i]);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

static enum err start_controller(const void *fdt)
{
    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
        int node = fdt_node_offset_by_compatible(fdt, -1, controllers[i].compatible);
        if (node < 0) {
            continue;
        }
        uint64_t base[2], bytes[2];
        enum err e = map_registers(fdt, node, base, bytes);
        if (e == OK) {
            gic = controllers[i].ops;
            e = gic->start(base, bytes);
        }
        return e;
    }
    return ERR_NOT_FOUND;
}

enum err machine_start_interrupts(const struct machine *m)
{
    firmware_find(m->fdt);
    enum err e = start_controller(m->fdt);
    return e == OK ? timer_start(m->fdt) : e;
}
