/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mini UART of the BCM2835 and its successors (BCM2835 ARM Peripherals, section 2.2, with its
 * errata). Line speed and format are the firmware's: they are never changed here.
 *
 * It is a part of the AUX block, whose registers are in the same page, and shares its interrupt
 * with two SPI masters that nobody here turns on. It detects an overrun and no other error of the
 * line: what must be whole needs a check of its own.
 */
#include "dev/drivers/mmio.h"
#include "dev/drivers/uart.h"

#define AUX_ENABLES 0x004 /* from the block's start; the others from the mini UART's */
#define AUX_ENABLES_UART (1u << 0)
#define MU_IO 0x00
#define MU_IER 0x04
/* Errata: bit 0 is the receiver's and bit 1 the transmitter's, not as the table has them; and
 * without bits 3:2 no interrupt comes. */
#define MU_IER_RX (1u << 0 | 3u << 2)
#define MU_IER_TX (1u << 1)
#define MU_LSR 0x14
#define MU_LSR_RX_READY (1u << 0)
#define MU_LSR_TX_ROOM (1u << 5)
#define MU_CNTL 0x20
#define MU_CNTL_ON (1u << 0 | 1u << 1) /* receiver and transmitter */

static bool mini_uart_put(uintptr_t base, char c)
{
    if (!(mmio_read32(base + MU_LSR) & MU_LSR_TX_ROOM)) {
        return false;
    }
    mmio_write32(base + MU_IO, (uint8_t)c);
    return true;
}

static int mini_uart_get(uintptr_t base)
{
    bool ready = mmio_read32(base + MU_LSR) & MU_LSR_RX_READY;
    return ready ? (int)(mmio_read32(base + MU_IO) & 0xFF) : -1;
}

static void mini_uart_start(uintptr_t base)
{
    uintptr_t enables = ALIGN_DOWN(base, PAGE_SIZE) + AUX_ENABLES;
    mmio_write32(enables, mmio_read32(enables) | AUX_ENABLES_UART); /* before its own registers */
    mmio_write32(base + MU_CNTL, mmio_read32(base + MU_CNTL) | MU_CNTL_ON);
    mmio_write32(base + MU_IER, MU_IER_RX);
}

static void mini_uart_interrupt_on_room(uintptr_t base, bool on)
{
    mmio_write32(base + MU_IER, MU_IER_RX | (on ? MU_IER_TX : 0));
}

/* Each interrupt ends with its cause: a byte taken, one given, or an overrun seen in LSR. */
static void mini_uart_ack(uintptr_t base)
{
    (void)mmio_read32(base + MU_LSR);
}

const struct uart_ops mini_uart_ops = {
    .put = mini_uart_put,
    .get = mini_uart_get,
    .start = mini_uart_start,
    .interrupt_on_room = mini_uart_interrupt_on_room,
    .ack = mini_uart_ack,
};
