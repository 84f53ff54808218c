/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial console of the hypervisor.
 */
#ifndef DEV_DRIVERS_UART_H
#define DEV_DRIVERS_UART_H

#include "core/base/types.h"

struct uart_ops {
    /* Writes one byte, waiting (bounded) for room. */
    void (*put)(uintptr_t base, char c);
    /* Takes one received byte, or -1. */
    int (*get)(uintptr_t base);
    /* Turns on the receive interrupt. */
    void (*enable_receive)(uintptr_t base);
    /* Acknowledges it. */
    void (*ack)(uintptr_t base);
};

/* The driver for a device-tree "compatible" string, or NULL. */
const struct uart_ops *uart_find(const char *compatible);

extern const struct uart_ops pl011_ops;

#endif
