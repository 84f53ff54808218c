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

/* The number that a property holds in one or two cells; 0: there is none. */
uint64_t dt_number(const void *fdt, int node, const char *name);

#endif
