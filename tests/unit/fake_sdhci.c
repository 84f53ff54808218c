// SPDX-License-Identifier: BSD-2-Clause
/*
 * A model of an SD host controller without DMA, as strict as BCM2835's: registers of 32 bits, no
 * two writes within two clocks of the card.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_sd.h"

#define SOURCE_HZ 250000000u
#define ERRORS 0x7FF0000u
#define COMMAND_TIMEOUT (1u << 16)
#define DATA_COMPLETE (1u << 1)
#define READ_READY (1u << 5)
#define WRITE_READY (1u << 4)

static struct {
    uint32_t block, argument, response[4], control, clock, status, enable, signal;
    uint8_t fifo[512];
    unsigned at, block_bytes, blocks, done;
    bool reading, writing, waits_for_block, busy;
    uint64_t last_write;
} c;

void fake_sdhci_init(void)
{
    memset(&c, 0, sizeof(c));
}

static void demand(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void raise_status(uint32_t bits)
{
    if (!fake_host.stopped) {
        c.status |= bits & c.enable;
    }
}

/* The next block arrives, or there is room for it. */
static void offer_block(void)
{
    c.waits_for_block = true;
    if (fake_host.available == 0) {
        return;
    }
    fake_host.available--;
    c.waits_for_block = false;
    if (fake_host_fails(c.done)) {
        c.reading = c.writing = false;
        raise_status(fake_host.fail_bits);
        return;
    }
    c.at = 0;
    if (c.reading) {
        fake_sd_get(c.fifo, c.block_bytes);
    }
    raise_status(c.reading ? READ_READY : WRITE_READY);
}

static void block_over(void)
{
    if (c.writing) {
        fake_sd_put(c.fifo, c.block_bytes);
    }
    if (++c.done < c.blocks) {
        offer_block();
    } else {
        c.reading = c.writing = false;
        raise_status(DATA_COMPLETE);
    }
}

static void *data_port(void)
{
    demand((c.reading || c.writing) && !c.waits_for_block && c.at < c.block_bytes);
    void *p = c.fifo + c.at;
    c.at += 4;
    return p;
}

static unsigned hz_now(void)
{
    uint32_t n = (c.clock >> 8 & 0xFF) | (c.clock >> 6 & 3) << 8;
    return n ? SOURCE_HZ / (2 * n) : SOURCE_HZ;
}

static void begin_data(uint32_t v)
{
    bool many = v & 1u << 5;
    c.block_bytes = c.block & 0xFFF;
    c.blocks = c.block >> 16;
    c.done = 0;
    c.reading = v & 1u << 4;
    c.writing = !c.reading;
    demand(c.blocks > 0 && (many || c.blocks == 1) && c.block_bytes <= 512);
    demand(many == !!(v & 1u << 1));
    offer_block();
}

static void command(uint32_t v)
{
    uint32_t answer[4];
    unsigned type = v >> 16 & 3, index = v >> 24;
    demand((c.clock & 7) == 7 && !(c.reading && v & 1u << 21));
    demand(hz_now() <= 50000000 && (fake_sd.state >= CARD_STANDBY || hz_now() <= 400000));
    fake_host.hz = hz_now();
    fake_host.wide = c.control & 1u << 1;
    fake_host.fast = c.control & 1u << 2;
    unsigned words = fake_sd_command(index, v & 1u << 21 || type ? c.argument : 0, answer);
    if (type != 0 && words != (type == 1 ? 4u : 1u)) {
        raise_status(COMMAND_TIMEOUT);
        return;
    }
    c.response[0] = answer[0];
    for (unsigned i = 0; type == 1 && i < 4; i++) {
        c.response[3 - i] = answer[i] >> 8 | (i > 0 ? answer[i - 1] << 24 : 0);
    }
    raise_status(1);
    c.busy = type == 3;
    if (v & 1u << 21) {
        begin_data(v);
    }
}

/* What changes by itself. */
static void settle(void)
{
    if (c.busy && !fake_host.holds_busy) {
        c.busy = false;
        raise_status(DATA_COMPLETE);
    }
    if (c.waits_for_block && (c.reading || c.writing)) {
        offer_block();
    }
}

static void write_clock(uint32_t v)
{
    if (v & 1u << 24) {
        c.status = c.enable = c.signal = 0;
    }
    if (v & (1u << 24 | 1u << 26)) {
        c.reading = c.writing = c.busy = c.waits_for_block = false;
        c.status &= ~(READ_READY | WRITE_READY | DATA_COMPLETE);
    }
    c.clock = (v & ~(fake_host.hangs ? 0 : 7u << 24)) | (v & 1) << 1;
}

uint32_t fake_sdhci_read32(uintptr_t at)
{
    settle();
    switch (at - FAKE_SDHCI_BASE) {
    case 0x10:
    case 0x14:
    case 0x18:
    case 0x1C:
        return c.response[(at - FAKE_SDHCI_BASE - 0x10) / 4];
    case 0x20: {
        uint32_t v;
        demand(c.reading);
        memcpy(&v, data_port(), 4);
        if (c.at == c.block_bytes) {
            block_over();
        }
        return v;
    }
    case 0x24:
        return c.reading || c.writing || c.busy ? 2 : 0;
    case 0x2C:
        return c.clock;
    case 0x30:
        return c.status | (c.status & ERRORS ? 1u << 15 : 0);
    case 0x40:
        return fake_host.capabilities;
    default:
        abort();
    }
}

static void write_data(uint32_t v)
{
    demand(c.writing);
    memcpy(data_port(), &v, 4);
    if (c.at == c.block_bytes) {
        block_over();
    }
}

static void check_gap(void)
{
    uint64_t gap_ns = (fake_host.now - c.last_write) * FAKE_SD_TICK_NS;
    fake_host.too_early += c.clock & 4 && gap_ns < 2000000000ull / hz_now();
    c.last_write = fake_host.now;
}

void fake_sdhci_write32(uintptr_t at, uint32_t v)
{
    uintptr_t reg = at - FAKE_SDHCI_BASE;
    if (reg == 0x20) {
        write_data(v);
        return;
    }
    check_gap();
    switch (reg) {
    case 0x04:
        c.block = v;
        break;
    case 0x08:
        c.argument = v;
        break;
    case 0x0C:
        command(v);
        break;
    case 0x28:
        c.control = v;
        break;
    case 0x2C:
        write_clock(v);
        break;
    case 0x30:
        c.status &= ~v;
        break;
    case 0x34:
        c.enable = v;
        break;
    case 0x38:
        c.signal = v;
        break;
    default:
        abort();
    }
}

bool fake_sdhci_interrupts(void)
{
    settle();
    return c.status & c.signal;
}
