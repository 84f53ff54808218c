/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's output: which driver, and the queue before it.
 *
 *   queue[taken ..... given)   indices run on and are masked; given - taken <= QUEUE_BYTES
 */
#include "dev/drivers/uart.h"

#include "core/base/string.h"

#define QUEUE_BYTES 16384u /* a power of two */

/* Tries before a character is given up: far longer than one takes to leave at 9,600 baud, at the
 * speed of any bus. */
#define PUT_TRIES 1000000u

static const struct {
    const char *compatible;
    const struct uart_ops *ops;
} drivers[] = {
    {"arm,pl011", &pl011_ops},
    {"brcm,bcm2835-aux-uart", &mini_uart_ops},
};

/* Tries for the lock before text is written without it, which may mix with another CPU's: the one
 * that has it may have come to a fault there. */
#define LOCK_TRIES 100000000u

static struct lock lock;
static bool shared;
static const struct uart_ops *uart;
static uintptr_t uart_base;
static bool has_interrupts;
static char queue[QUEUE_BYTES];
static uint32_t given, taken;
static uint64_t dropped; /* texts */

BOOT const struct uart_ops *uart_find(const char *compatible)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (strcmp(drivers[i].compatible, compatible) == 0) {
            return drivers[i].ops;
        }
    }
    return NULL;
}

BOOT void uart_use(const struct uart_ops *ops, uintptr_t base)
{
    uart = ops;
    uart_base = base;
}

BOOT void uart_share(void)
{
    shared = true;
}

void uart_start_interrupts(void)
{
    has_interrupts = true;
    uart->start(uart_base);
}

static void put(char c)
{
    for (uint32_t i = 0; i < PUT_TRIES && !uart->put(uart_base, c); i++) {
    }
}

/* Gives the transmitter what it has room for; returns whether the queue is empty. */
static bool drain(void)
{
    while (taken != given && uart->put(uart_base, queue[taken & (QUEUE_BYTES - 1)])) {
        taken++;
    }
    return taken == given;
}

static void write(const char *text, size_t n)
{
    while (taken != given) {
        put(queue[taken++ & (QUEUE_BYTES - 1)]);
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n') {
            put('\r');
        }
        put(text[i]);
    }
}

void uart_write(const char *text, size_t n)
{
    bool locked = shared && lock_try(&lock, LOCK_TRIES);
    write(text, n);
    if (locked) {
        lock_release(&lock);
    }
}

const struct lock *uart_lock(void)
{
    return &lock;
}

uint64_t uart_dropped(void)
{
    return dropped;
}

static void enqueue(const char *text, size_t n)
{
    if (!uart || 2 * n > QUEUE_BYTES - (given - taken)) {
        dropped++;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n') {
            queue[given++ & (QUEUE_BYTES - 1)] = '\r';
        }
        queue[given++ & (QUEUE_BYTES - 1)] = text[i];
    }
    if (!has_interrupts) {
        write("", 0);
    } else if (!drain()) {
        uart->interrupt_on_room(uart_base, true);
    }
}

void uart_queue(const char *text, size_t n)
{
    lock_take(&lock);
    enqueue(text, n);
    lock_release(&lock);
}

void uart_interrupt(void (*key)(char c))
{
    int c;
    uart->ack(uart_base);
    while ((c = uart->get(uart_base)) >= 0) {
        key((char)c);
    }
    lock_take(&lock);
    if (drain()) {
        uart->interrupt_on_room(uart_base, false);
    }
    lock_release(&lock);
}
