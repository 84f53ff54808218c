/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses in device trees.
 */
#include "core/base/devicetree.h"

#include <libfdt.h>

#include "core/base/cells.h"

/* A node deeper than this is no device's. */
#define DEPTH_MAX 8

struct extent {
    uint64_t base, bytes;
};

/* How many cells an address and a size have on a bus. */
struct bus {
    int address, size;
};

static enum err bus_of(const void *fdt, int node, struct bus *b)
{
    *b = (struct bus){fdt_address_cells(fdt, node), fdt_size_cells(fdt, node)};
    bool fits = b->address >= 1 && b->address <= 2 && b->size >= 1 && b->size <= 2;
    return fits ? OK : ERR_INVALID;
}

/* From an address on the bus that `node` is to one on the bus that it is on. */
static enum err translate(const void *fdt, int node, const struct bus *child,
                          const struct bus *parent, struct extent *x)
{
    int bytes;
    const uint32_t *r = fdt_getprop(fdt, node, "ranges", &bytes);
    if (!r) {
        return ERR_INVALID;
    }
    int step = child->address + parent->address + child->size;
    for (int i = 0; i + step <= bytes / 4; i += step) {
        uint64_t from = cells_read(r + i, child->address);
        uint64_t length = cells_read(r + i + child->address + parent->address, child->size);
        if (x->base >= from && x->base - from < length && x->bytes <= length - (x->base - from)) {
            x->base = x->base - from + cells_read(r + i + child->address, parent->address);
            return OK;
        }
    }
    return bytes == 0 ? OK : ERR_INVALID; /* empty: the two buses have the same addresses */
}

/* Entry `index` of "reg", and the bus that it is an address of. */
static enum err read_reg(const void *fdt, int node, unsigned index, int *parent, struct bus *bus,
                         struct extent *out)
{
    int length;
    const uint32_t *reg = fdt_getprop(fdt, node, "reg", &length);
    *parent = reg ? fdt_parent_offset(fdt, node) : -1;
    if (*parent < 0 || bus_of(fdt, *parent, bus) != OK) {
        return reg ? ERR_INVALID : ERR_NOT_FOUND;
    }
    unsigned step = (unsigned)(bus->address + bus->size);
    if (index >= (unsigned)length / 4 / step) {
        return ERR_NOT_FOUND;
    }
    out->base = cells_read(reg + index * step, bus->address);
    out->bytes = cells_read(reg + index * step + bus->address, bus->size);
    return out->base + out->bytes < out->base ? ERR_INVALID : OK;
}

enum err dt_reg_on_bus(const void *fdt, int node, unsigned index, uint64_t *base, uint64_t *bytes)
{
    int parent;
    struct bus bus;
    struct extent e = {0, 0};
    enum err result = read_reg(fdt, node, index, &parent, &bus, &e);
    *base = e.base;
    *bytes = e.bytes;
    return result;
}

enum err dt_reg(const void *fdt, int node, unsigned index, uint64_t *base, uint64_t *bytes)
{
    int parent;
    struct bus bus, outer;
    struct extent x = {0, 0};
    enum err e = read_reg(fdt, node, index, &parent, &bus, &x);
    for (unsigned depth = 0; e == OK && parent > 0; depth++) {
        int above = depth < DEPTH_MAX ? fdt_parent_offset(fdt, parent) : -1;
        if (above < 0 || bus_of(fdt, above, &outer) != OK ||
            translate(fdt, parent, &bus, &outer, &x) != OK) {
            return ERR_INVALID;
        }
        bus = outer;
        parent = above;
    }
    *base = x.base;
    *bytes = x.bytes;
    return e == OK && x.base + x.bytes < x.base ? ERR_INVALID : e;
}

static bool cell_of(const void *fdt, int node, const char *name, uint32_t *out)
{
    int bytes;
    const uint32_t *p = fdt_getprop(fdt, node, name, &bytes);
    if (!p || bytes != 4) {
        return false;
    }
    *out = (uint32_t)cells_read(p, 1);
    return true;
}

/* Named by the node or by the nearest above it that names one; or the nearest that is one. */
int dt_interrupt_parent(const void *fdt, int node)
{
    uint32_t cell;
    for (unsigned depth = 0; node >= 0 && depth < DEPTH_MAX; depth++) {
        if (cell_of(fdt, node, "interrupt-parent", &cell)) {
            return fdt_node_offset_by_phandle(fdt, cell);
        }
        node = node > 0 ? fdt_parent_offset(fdt, node) : -1;
        if (node >= 0 && cell_of(fdt, node, "#interrupt-cells", &cell)) {
            return node;
        }
    }
    return -1;
}

enum err dt_interrupt(const void *fdt, int node, unsigned index, struct dt_interrupt *out)
{
    int bytes;
    const uint32_t *p = fdt_getprop(fdt, node, "interrupts", &bytes);
    if (!p) {
        return ERR_NOT_FOUND;
    }
    uint32_t count;
    out->controller = dt_interrupt_parent(fdt, node);
    if (out->controller < 0 || !cell_of(fdt, out->controller, "#interrupt-cells", &count) ||
        count < 1 || count > DT_INTERRUPT_CELLS || index >= (unsigned)bytes / 4 / count) {
        return ERR_INVALID;
    }
    out->count = count;
    for (unsigned i = 0; i < count; i++) {
        out->cell[i] = (uint32_t)cells_read(p + index * count + i, 1);
    }
    return OK;
}

const char *dt_name(const void *fdt, int node)
{
    const char *name = fdt_stringlist_get(fdt, node, "compatible", 0, NULL);
    name = name ? name : fdt_get_name(fdt, node, NULL);
    return name ? name : "?";
}

uint64_t dt_number(const void *fdt, int node, const char *name)
{
    int bytes;
    const void *p = fdt_getprop(fdt, node, name, &bytes);
    return p && (bytes == 4 || bytes == 8) ? cells_read(p, bytes / 4) : 0;
}
