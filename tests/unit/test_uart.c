/* SPDX-License-Identifier: BSD-2-Clause */
// sources: dev/drivers/uart.c dev/drivers/pl011.c dev/drivers/mini_uart.c
/*
 * The console's queue, over a transmitter with as much room as a test gives it; and the
 * registers of the PL011 and the mini UART, played by memory. The queue is one for the process, so
 * each test leaves it empty.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dev/drivers/uart.h"

#define FOREVER 1000000
#define QUEUE_BYTES 16384 /* as in dev/drivers/uart.c */

static struct {
    size_t room;
    char sent[2 * QUEUE_BYTES];
    size_t sent_bytes;
    const char *keys;
    bool started, wants_room;
    unsigned acks;
} line;

static bool put(uintptr_t base, char c)
{
    assert_int_equal(base, 42);
    if (line.room == 0) {
        return false;
    }
    line.room--;
    line.sent[line.sent_bytes++] = c;
    return true;
}

static int get(uintptr_t base)
{
    (void)base;
    return line.keys && *line.keys ? *line.keys++ : -1;
}

static void start(uintptr_t base)
{
    (void)base;
    line.started = true;
}

static void interrupt_on_room(uintptr_t base, bool on)
{
    (void)base;
    line.wants_room = on;
}

static void ack(uintptr_t base)
{
    (void)base;
    line.acks++;
}

static const struct uart_ops ops = {put, get, start, interrupt_on_room, ack};

static char pressed[16];

static void key(char c)
{
    strncat(pressed, &c, 1);
}

static void empty(size_t room)
{
    memset(&line, 0, sizeof(line));
    line.room = room;
}

static void assert_sent(const char *text)
{
    assert_int_equal(line.sent_bytes, strlen(text));
    assert_memory_equal(line.sent, text, strlen(text));
}

/* Without interrupts nothing may stay behind. */
static void test_before_interrupts(void **state)
{
    (void)state;
    uart_queue("lost\n", 5);
    assert_int_equal(uart_dropped(), 1);
    empty(FOREVER);
    uart_use(&ops, 42);
    uart_queue("one\n", 4);
    assert_sent("one\r\n");
    assert_false(line.started);
}

static void test_queue_waits_for_room(void **state)
{
    (void)state;
    empty(3);
    uart_start_interrupts();
    assert_true(line.started);
    uart_queue("ab\ncd\n", 6);
    assert_sent("ab\r");
    assert_true(line.wants_room);
    line.room = 2;
    uart_interrupt(key);
    assert_sent("ab\r\nc");
    assert_true(line.wants_room);
    line.room = FOREVER;
    uart_interrupt(key);
    assert_sent("ab\r\ncd\r\n");
    assert_false(line.wants_room);
    assert_int_equal(line.acks, 2);
}

/* EL2's own words come after what was queued, at once. */
static void test_write_overtakes_nothing(void **state)
{
    (void)state;
    empty(0);
    uart_queue("first\n", 6);
    line.room = FOREVER;
    uart_write("second\n", 7);
    assert_sent("first\r\nsecond\r\n");
}

/* A transmitter that stays full costs characters, and the CPU gets on. */
static void test_write_gives_up(void **state)
{
    (void)state;
    empty(0);
    uart_write("x", 1);
    assert_int_equal(line.sent_bytes, 0);
}

static void test_full_queue_drops_whole_texts(void **state)
{
    (void)state;
    char text[100];
    memset(text, 'x', sizeof(text));
    uint64_t before = uart_dropped();
    size_t taken = 0;
    empty(0);
    while (uart_dropped() == before) {
        uart_queue(text, sizeof(text));
        taken++;
        assert_true(taken < QUEUE_BYTES / sizeof(text) + 1);
    }
    line.room = FOREVER;
    uart_interrupt(key);
    assert_int_equal(line.sent_bytes, (taken - 1) * sizeof(text));
    assert_true(line.sent_bytes > QUEUE_BYTES - 3 * sizeof(text));
}

static void test_keys(void **state)
{
    (void)state;
    empty(FOREVER);
    line.keys = "hv";
    uart_interrupt(key);
    assert_string_equal(pressed, "hv");
}

static void test_pl011_registers(void **state)
{
    (void)state;
    static uint32_t registers[0x1000 / 4];
    uintptr_t base = (uintptr_t)registers;
    const struct uart_ops *u = uart_find("arm,pl011");
    assert_ptr_equal(u, &pl011_ops);
    assert_null(uart_find("arm,pl012"));

    registers[0x18 / 4] = 1u << 5; /* UARTFR.TXFF */
    assert_false(u->put(base, 'a'));
    registers[0x18 / 4] = 1u << 4; /* UARTFR.RXFE */
    assert_true(u->put(base, 'a'));
    assert_int_equal(registers[0], 'a');
    assert_int_equal(u->get(base), -1);
    registers[0x18 / 4] = 0;
    assert_int_equal(u->get(base), 'a');

    registers[0x2C / 4] = 0x60; /* UARTLCR_H: eight bits */
    u->start(base);
    assert_int_equal(registers[0x2C / 4], 0x70);  /* and FIFOs */
    assert_int_equal(registers[0x30 / 4], 0x301); /* UARTCR: RXE, TXE, UARTEN */
    assert_int_equal(registers[0x38 / 4], 0x50);  /* UARTIMSC: receive and its timeout */
    u->interrupt_on_room(base, true);
    assert_int_equal(registers[0x38 / 4], 0x70);
    u->interrupt_on_room(base, false);
    assert_int_equal(registers[0x38 / 4], 0x50);
    u->ack(base);
    assert_int_equal(registers[0x44 / 4], 0x70);

    registers[0x2C / 4] = 0x1C; /* FIFOs are on: the format is not touched */
    registers[0x18 / 4] = 1u << 3;
    u->start(base);
    assert_int_equal(registers[0x2C / 4], 0x1C);
    registers[0x2C / 4] = 0; /* UARTFR.BUSY for ever: it goes on */
    u->start(base);
    assert_int_equal(registers[0x2C / 4], 0x10);
}

/* The AUX block is a page; the mini UART's registers begin at 0x40 of it. */
static void test_mini_uart_registers(void **state)
{
    (void)state;
    static _Alignas(4096) uint32_t registers[0x1000 / 4];
    uintptr_t base = (uintptr_t)registers + 0x40;
    const struct uart_ops *u = uart_find("brcm,bcm2835-aux-uart");
    assert_ptr_equal(u, &mini_uart_ops);

    registers[0x54 / 4] = 1u << 0 | 1u << 6; /* LSR: a byte has come, the transmitter is full */
    assert_false(u->put(base, 'a'));
    assert_int_equal(registers[0x40 / 4], 0);
    registers[0x40 / 4] = 0xFFFFFF5A;
    assert_int_equal(u->get(base), 0x5A);
    registers[0x54 / 4] = 1u << 5;
    assert_int_equal(u->get(base), -1);
    assert_true(u->put(base, (char)0xC0));
    assert_int_equal(registers[0x40 / 4], 0xC0);

    registers[0x04 / 4] = 1u << 2; /* AUX_ENABLES: somebody's SPI master stays on */
    registers[0x60 / 4] = 1u << 3; /* CNTL: the firmware's flow control stays as it is */
    u->start(base);
    assert_int_equal(registers[0x04 / 4], 5);
    assert_int_equal(registers[0x60 / 4], 0xB);
    assert_int_equal(registers[0x44 / 4], 0xD); /* IER: receive, and the bits it needs */
    u->interrupt_on_room(base, true);
    assert_int_equal(registers[0x44 / 4], 0xF);
    u->interrupt_on_room(base, false);
    assert_int_equal(registers[0x44 / 4], 0xD);
    u->ack(base);
    assert_int_equal(registers[0x4C / 4] | registers[0x68 / 4], 0); /* LCR and BAUD: not ours */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_interrupts),
        cmocka_unit_test(test_queue_waits_for_room),
        cmocka_unit_test(test_write_overtakes_nothing),
        cmocka_unit_test(test_write_gives_up),
        cmocka_unit_test(test_full_queue_drops_whole_texts),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_pl011_registers),
        cmocka_unit_test(test_mini_uart_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
