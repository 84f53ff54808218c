/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial console of the hypervisor.
 *
 * What EL2 says of itself is written at once. What VMs say goes through a queue that the transmit
 * interrupt empties: a VM that talks a lot costs lines, never anybody's time. Any CPU may write and
 * queue; the interrupt is one CPU's.
 */
#ifndef DEV_DRIVERS_UART_H
#define DEV_DRIVERS_UART_H

#include "arch/lock.h"
#include "core/base/types.h"

struct uart_ops {
    /* Writes one byte if the transmitter has room for it. */
    bool (*put)(uintptr_t base, char c);
    /* Takes one received byte, or -1. */
    int (*get)(uintptr_t base);
    /* Turns the device, and its receive interrupt, on. */
    void (*start)(uintptr_t base);
    /* Whether to interrupt when the transmitter has room. */
    void (*interrupt_on_room)(uintptr_t base, bool on);
    /* Acknowledges the interrupts. */
    void (*ack)(uintptr_t base);
};

/* The driver for a device-tree "compatible" string, or NULL. */
const struct uart_ops *uart_find(const char *compatible);

/* The console is the device at `base`. */
void uart_use(const struct uart_ops *ops, uintptr_t base);

/* Other CPUs will write as well. Not before the MMU is on: the lock takes exclusive accesses. */
void uart_share(void);

/* Interrupts are there: from now on the queue empties by itself. */
void uart_start_interrupts(void);

/* Writes everything queued and then `text`, waiting for the transmitter; one that stays full costs
 * characters. "\n" becomes "\r\n". */
void uart_write(const char *text, size_t n);

/* Queues `text`, whole or not at all. */
void uart_queue(const char *text, size_t n);
uint64_t uart_dropped(void);

/* The lock under which text is written and queued, for the debug keys. */
const struct lock *uart_lock(void);

/* The device's interrupt: each received byte goes to `key`. */
void uart_interrupt(void (*key)(char c));

extern const struct uart_ops pl011_ops, mini_uart_ops;

#endif
