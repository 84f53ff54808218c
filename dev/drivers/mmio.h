/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device registers: single aligned accesses of a stated size, ordered among themselves by being
 * Device-nGnRE memory. Ordering against normal memory is the driver's, with virtq_barrier().
 */
#ifndef DEV_DRIVERS_MMIO_H
#define DEV_DRIVERS_MMIO_H

#include "abi/virtq.h"
#include "core/base/types.h"

static inline uint32_t mmio_read32(uintptr_t a)
{
    return *(volatile uint32_t *)a;
}

static inline void mmio_write32(uintptr_t a, uint32_t v)
{
    *(volatile uint32_t *)a = v;
}

static inline uint8_t mmio_read8(uintptr_t a)
{
    return *(volatile uint8_t *)a;
}

#endif
