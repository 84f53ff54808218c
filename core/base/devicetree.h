/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a device tree says that something is (Devicetree Specification, 2.3.6 and 2.3.8).
 */
#ifndef CORE_BASE_DEVICETREE_H
#define CORE_BASE_DEVICETREE_H

#include "core/base/error.h"
#include "core/base/types.h"

/* Range `index` of the node's "reg" as the CPU sees it: through the "ranges" of the buses that it
 * is on. ERR_NOT_FOUND: it has no such range; ERR_INVALID: no CPU reaches it, or it is malformed.
 */
enum err dt_reg(const void *fdt, int node, unsigned index, uint64_t *base, uint64_t *bytes);

/* The same, as the bus that the node is on has it. */
enum err dt_reg_on_bus(const void *fdt, int node, unsigned index, uint64_t *base, uint64_t *bytes);

/* One entry of a node's "interrupts": the node of the controller that it is for, and its cells. */
#define DT_INTERRUPT_CELLS 3
struct dt_interrupt {
    int controller;
    unsigned count;
    uint32_t cell[DT_INTERRUPT_CELLS];
};

/* Entry `index` of the node's "interrupts" (Devicetree Specification, 2.4). ERR_NOT_FOUND: it has
 * none; ERR_INVALID: no controller, or malformed. */
enum err dt_interrupt(const void *fdt, int node, unsigned index, struct dt_interrupt *out);

/* The controller of the interrupts of `node`, or negative. */
int dt_interrupt_parent(const void *fdt, int node);

/* The node's first "compatible", or its name: for messages. Never NULL. */
const char *dt_name(const void *fdt, int node);

/* The number that a property holds in one or two cells; 0: there is none. */
uint64_t dt_number(const void *fdt, int node, const char *name);

#endif
