/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which driver a UART of the device tree has.
 */
#include "dev/drivers/uart.h"

#include "core/base/string.h"

static const struct {
    const char *compatible;
    const struct uart_ops *ops;
} drivers[] = {
    {"arm,pl011", &pl011_ops},
};

const struct uart_ops *uart_find(const char *compatible)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (strcmp(drivers[i].compatible, compatible) == 0) {
            return drivers[i].ops;
        }
    }
    return NULL;
}
