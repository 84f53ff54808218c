/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses in device trees.
 */
#include "core/base/devicetree.h"

#include <libfdt.h>

#include "core/base/cells.h"

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
                          const struct bus *parent, uint64_t *base, uint64_t size)
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
        if (*base >= from && *base - from < length && size <= length - (*base - from)) {
            *base = *base - from + cells_read(r + i + child->address, parent->address);
            return OK;
        }
    }
    return bytes == 0 ? OK : ERR_INVALID; /* empty: the two buses have the same addresses */
}

enum err dt_reg(const void *fdt, int node, unsigned index, uint64_t *base, uint64_t *bytes)
{
    struct bus bus, outer;
    int length;
    const uint32_t *reg = fdt_getprop(fdt, node, "reg", &length);
    int parent = fdt_parent_offset(fdt, node);
    if (!reg || parent < 0 || bus_of(fdt, parent, &bus) != OK) {
        return reg ? ERR_INVALID : ERR_NOT_FOUND;
    }
    unsigned step = (unsigned)(bus.address + bus.size);
    if (index >= (unsigned)length / 4 / step) {
        return ERR_NOT_FOUND;
    }
    *base = cells_read(reg + index * step, bus.address);
    *bytes = cells_read(reg + index * step + bus.address, bus.size);
    while (parent > 0) {
        int above = fdt_parent_offset(fdt, parent);
        if (above < 0 || bus_of(fdt, above, &outer) != OK ||
            translate(fdt, parent, &bus, &outer, base, *bytes) != OK) {
            return ERR_INVALID;
        }
        bus = outer;
        parent = above;
    }
    return *base + *bytes < *base ? ERR_INVALID : OK;
}

uint64_t dt_number(const void *fdt, int node, const char *name)
{
    int bytes;
    const void *p = fdt_getprop(fdt, node, name, &bytes);
    return p && (bytes == 4 || bytes == 8) ? cells_read(p, bytes / 4) : 0;
}
