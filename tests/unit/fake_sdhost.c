// SPDX-License-Identifier: BSD-2-Clause
/*
 * A model of SDHOST.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_sd.h"

#define NEW (1u << 15)
#define FAIL (1u << 14)
#define TIMED_OUT (1u << 6)
#define BUSY_INTERRUPT (1u << 10)
#define BLOCK_INTERRUPT (1u << 9)
#define DATA_FLAG 1u

static struct {
    uint32_t command, argument, response[4], status, edm, config, bytes, blocks, divisor, power;
    uint8_t block[512];
    unsigned at, done;
    uint32_t fifo[16];
    unsigned words;
    bool reading, writing, busy, have_block;
} c;

void fake_sdhost_init(void)
{
    memset(&c, 0, sizeof(c));
    c.edm = 0xC60F;
}

static void demand(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void fail(void)
{
    c.reading = c.writing = false;
    c.status |= fake_host.fail_bits;
}

/* One word from the card into the FIFO; false: there is none now. */
static bool take_word(void)
{
    if (!c.have_block) {
        if (fake_host.available == 0 || fake_host.stopped) {
            return false;
        }
        fake_host.available--;
        if (fake_host_fails(c.done)) {
            fail();
            return false;
        }
        fake_sd_get(c.block, c.bytes);
        c.have_block = true;
        c.at = 0;
    }
    memcpy(&c.fifo[c.words++], c.block + c.at, 4);
    c.at += 4;
    if (c.at == c.bytes) {
        c.have_block = false;
        c.reading = ++c.done < c.blocks;
    }
    return true;
}

/* One word from the FIFO to the card. */
static bool give_word(void)
{
    if (c.at == 0 && (fake_host.available == 0 || fake_host.stopped)) {
        return false;
    }
    memcpy(c.block + c.at, c.fifo, 4);
    memmove(c.fifo, c.fifo + 1, sizeof(c.fifo) - 4);
    c.words--;
    c.at += 4;
    if (c.at < c.bytes) {
        return true;
    }
    c.at = 0;
    fake_host.available--;
    if (fake_host_fails(c.done)) {
        fail();
        return false;
    }
    fake_sd_put(c.block, c.bytes);
    c.status |= c.config & 1u << 8 ? BLOCK_INTERRUPT : 0;
    c.writing = ++c.done < c.blocks;
    return true;
}

static void settle(void)
{
    while (c.reading && c.words < 13 && take_word()) { /* no round number */
    }
    while (c.writing && c.words > 0 && give_word()) {
    }
    if (c.busy && !fake_host.holds_busy && !fake_host.stopped) {
        c.busy = false;
        c.command &= ~NEW;
        c.status |= c.config & 1u << 10 ? BUSY_INTERRUPT : 0;
    }
    bool room = c.writing && c.words<16, data = c.words> 0 && !c.writing;
    c.status = (c.status & ~DATA_FLAG) | (room || data ? DATA_FLAG : 0);
}

static void command(uint32_t v)
{
    uint32_t answer[4];
    unsigned hz = 400000000u / (c.divisor + 2);
    demand(v & NEW && c.power == 1 && !c.busy);
    demand(hz <= 50000000 && (fake_sd.state >= CARD_STANDBY || hz <= 400000));
    fake_host.hz = hz;
    fake_host.wide = c.config & 1u << 2;
    c.command = v & ~NEW;
    unsigned words = fake_sd_command(v & 63, c.argument, answer);
    if (!(v & 1u << 10) && words != (v & 1u << 9 ? 4u : 1u)) {
        c.command |= FAIL;
        c.status |= TIMED_OUT;
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        c.response[i] = words == 4 ? answer[3 - i] : answer[i];
    }
    if (v & 1u << 11) {
        c.busy = true;
        c.command |= NEW;
    }
    if (v & (1u << 6 | 1u << 7)) {
        demand(c.words == 0 && c.blocks > 0 && c.blocks < 512 && c.bytes > 0);
        c.reading = v & 1u << 6;
        c.writing = !c.reading;
        c.at = c.done = 0;
        c.have_block = false;
    }
}

/* The state machine: reading 2, writing 3; at the end of a transfer that has no end, 4 and 10. */
static uint32_t state_of(void)
{
    if (c.edm & 1u << 19) {
        return 1;
    }
    bool wrote = c.command & 1u << 7;
    return c.reading ? 2 : c.writing ? 3 : c.command & 1u << 6 ? 4 : wrote ? 10 : 1;
}

static uint32_t pop(void)
{
    uint32_t v = c.fifo[0];
    demand(c.words > 0);
    memmove(c.fifo, c.fifo + 1, sizeof(c.fifo) - 4);
    c.words--;
    return v;
}

uint32_t fake_sdhost_read32(uintptr_t at)
{
    settle();
    switch (at - FAKE_SDHOST_BASE) {
    case 0x00:
        return c.command | (fake_host.hangs ? NEW : 0);
    case 0x10:
    case 0x14:
    case 0x18:
    case 0x1C:
        return c.response[(at - FAKE_SDHOST_BASE - 0x10) / 4];
    case 0x20:
        return c.status;
    case 0x34:
        return (c.edm & ~0x1FFu) | c.words << 4 | state_of();
    case 0x40:
        return pop();
    default:
        abort();
    }
}

static void write_rest(uintptr_t reg, uint32_t v)
{
    switch (reg) {
    case 0x0C:
        c.divisor = v;
        break;
    case 0x20:
        c.status &= ~v;
        break;
    case 0x30:
        c.power = v;
        break;
    case 0x34:
        c.reading &= !(v & 1u << 19);
        c.writing &= !(v & 1u << 19);
        c.edm = v;
        break;
    case 0x40:
        demand(c.words < 16); /* after an error it stays there */
        c.fifo[c.words++] = v;
        break;
    default:
        abort();
    }
}

void fake_sdhost_write32(uintptr_t at, uint32_t v)
{
    settle();
    switch (at - FAKE_SDHOST_BASE) {
    case 0x00:
        if (v) {
            c.edm &= ~(1u << 19);
            command(v);
        }
        break;
    case 0x04:
        c.argument = v;
        break;
    case 0x08:
        break;
    case 0x38:
        c.config = v;
        break;
    case 0x3C:
        c.bytes = v;
        break;
    case 0x50:
        c.blocks = v;
        break;
    default:
        write_rest(at - FAKE_SDHOST_BASE, v);
        break;
    }
}

bool fake_sdhost_interrupts(void)
{
    settle();
    return c.status & (BUSY_INTERRUPT | BLOCK_INTERRUPT) ||
           (c.status & DATA_FLAG && c.config & 1u << 4);
}
