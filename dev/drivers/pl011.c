/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arm PrimeCell UART PL011 (DDI 0183). Line speed and format are the firmware's: they are never
 * changed here. The FIFOs are turned on if they are off: without them one byte that is not taken in
 * time is lost.
 */
#include "dev/drivers/mmio.h"
#include "dev/drivers/uart.h"

#define UARTDR 0x000
#define UARTDR_ERROR (0xFu << 8) /* overrun, break, parity, framing */
#define FIFO_DEPTH 32            /* at most, over all revisions */
#define UARTFR 0x018
#define UARTFR_BUSY (1u << 3)
#define BUSY_TRIES 100000u /* more than a character takes at 9,600 baud */
#define UARTFR_RXFE (1u << 4)
#define UARTFR_TXFF (1u << 5)
#define UARTLCR_H 0x02C
#define UARTLCR_H_FEN (1u << 4)
#define UARTCR 0x030
#define UARTCR_UARTEN (1u << 0)
#define UARTCR_TXE (1u << 8)
#define UARTCR_RXE (1u << 9)
#define UARTIMSC 0x038
#define UARTICR 0x044
#define INT_RX (1u << 4)
#define INT_TX (1u << 5)
#define INT_RX_TIMEOUT (1u << 6)

static bool pl011_put(uintptr_t base, char c)
{
    if (mmio_read32(base + UARTFR) & UARTFR_TXFF) {
        return false;
    }
    mmio_write32(base + UARTDR, (uint8_t)c);
    return true;
}

static int pl011_get(uintptr_t base)
{
    for (unsigned i = 0; i < FIFO_DEPTH && !(mmio_read32(base + UARTFR) & UARTFR_RXFE); i++) {
        uint32_t data = mmio_read32(base + UARTDR);
        if (!(data & UARTDR_ERROR)) {
            return data & 0xFF;
        }
    }
    return -1;
}

/* The format may be written only while the UART is off and nothing is being sent (3.3.7). */
static void turn_fifos_on(uintptr_t base)
{
    uint32_t format = mmio_read32(base + UARTLCR_H);
    if (format & UARTLCR_H_FEN) {
        return;
    }
    for (uint32_t i = 0; i < BUSY_TRIES && mmio_read32(base + UARTFR) & UARTFR_BUSY; i++) {
    }
    mmio_write32(base + UARTCR, mmio_read32(base + UARTCR) & ~UARTCR_UARTEN);
    mmio_write32(base + UARTLCR_H, format | UARTLCR_H_FEN);
}

static void pl011_start(uintptr_t base)
{
    turn_fifos_on(base);
    uint32_t cr = mmio_read32(base + UARTCR);
    mmio_write32(base + UARTCR, cr | UARTCR_UARTEN | UARTCR_TXE | UARTCR_RXE);
    mmio_write32(base + UARTIMSC, INT_RX | INT_RX_TIMEOUT);
}

static void pl011_interrupt_on_room(uintptr_t base, bool on)
{
    mmio_write32(base + UARTIMSC, INT_RX | INT_RX_TIMEOUT | (on ? INT_TX : 0));
}

static void pl011_ack(uintptr_t base)
{
    mmio_write32(base + UARTICR, INT_RX | INT_RX_TIMEOUT | INT_TX);
}

const struct uart_ops pl011_ops = {
    .put = pl011_put,
    .get = pl011_get,
    .start = pl011_start,
    .interrupt_on_room = pl011_interrupt_on_room,
    .ack = pl011_ack,
};
