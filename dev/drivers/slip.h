/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An uplink over a serial line (RFC 1055).
 */
#ifndef DEV_DRIVERS_SLIP_H
#define DEV_DRIVERS_SLIP_H

#include "dev/drivers/uart.h"
#include "dev/drivers/uplink.h"

/* Turns the UART at `base` into the uplink `*out`: running, with its receive interrupt on. The
 * caller registers `irq` and sets `mac`, which received packets will be addressed to. ERR_BUSY:
 * there is one already. Boot CPU only. */
enum err slip_start(const struct uart_ops *ops, uintptr_t base, uint32_t irq,
                    struct uplink **out) MUST_USE;

#endif
