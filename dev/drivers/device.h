/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a driver is given of its device.
 */
#ifndef DEV_DRIVERS_DEVICE_H
#define DEV_DRIVERS_DEVICE_H

#include "core/base/types.h"

struct device {
    const void *fdt;
    int node;       /* in `fdt` */
    uintptr_t base; /* its first register range, mapped */
    uint64_t bytes;
    uint32_t irq; /* its first interrupt, as the interrupt controller counts */
};

#endif
