/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers in device trees: big-endian 32-bit cells (Devicetree Specification, 2.2.4).
 */
#ifndef CORE_BASE_CELLS_H
#define CORE_BASE_CELLS_H

#include "core/base/types.h"

/* The number that `count` (1 or 2) cells hold; `cells` is 4-byte aligned. */
static inline uint64_t cells_read(const void *cells, int count)
{
    const uint32_t *c = cells;
    uint64_t v = 0;
    for (int i = 0; i < count; i++) {
        v = v << 32 | __builtin_bswap32(c[i]);
    }
    return v;
}

#endif
