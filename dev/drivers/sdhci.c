/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SD Host Controller, section numbers of its simplified specification 3.00. Data goes through the
 * buffer data port: the controller touches no memory.
 *
 * BCM2835's: registers take accesses of 32 bits only, and two writes must lie two clocks of the
 * card apart (all but those of data); its capabilities read 0. Every controller is treated so.
 *
 * Invariant: status bits are cleared by who acts on them; an interrupt that nobody acted on yet is
 * masked by ack, and unmasked by progress.
 */
#include "dev/drivers/sdhci.h"

#include "arch/time.h"
#include "dev/drivers/mmio.h"

#define BLOCK 0x04
#define ARGUMENT 0x08
#define COMMAND 0x0C /* and transfer mode */
#define MODE_COUNTS (1u << 1)
#define MODE_READ (1u << 4)
#define MODE_MANY (1u << 5)
#define COMMAND_R2 (1u << 16 | 1u << 19)
#define COMMAND_R3 (2u << 16)
#define COMMAND_R1 (2u << 16 | 3u << 19) /* CRC and index are checked */
#define COMMAND_R1B (3u << 16 | 3u << 19)
#define COMMAND_DATA (1u << 21)
#define COMMAND_ABORT (3u << 22)
#define COMMAND_INDEX(i) ((uint32_t)(i) << 24)
#define RESPONSE 0x10
#define DATA_PORT 0x20
#define STATE 0x24
#define STATE_COMMAND (1u << 0)
#define STATE_DATA (1u << 1)
#define CONTROL 0x28
#define CONTROL_WIDE (1u << 1)
#define CONTROL_FAST (1u << 2)
#define CONTROL_POWER (0xFu << 8) /* 3.3 V */
#define CLOCK 0x2C
#define CLOCK_RUNS (1u << 0)
#define CLOCK_STABLE (1u << 1)
#define CLOCK_TO_CARD (1u << 2)
#define CLOCK_DIVISOR(n) (((n)&0xFF) << 8 | ((n) >> 8 & 3) << 6)
#define CLOCK_DIVISOR_MAX 1023u
#define CLOCK_TIMEOUT (14u << 16) /* of data: the longest, 2^27 clocks */
#define RESET_ALL (1u << 24)
#define RESET_COMMAND (1u << 25)
#define RESET_DATA (1u << 26)
#define INT_STATUS 0x30
#define INT_ENABLE 0x34
#define INT_SIGNAL 0x38
#define INT_COMMAND (1u << 0)
#define INT_COMPLETE (1u << 1)
#define INT_WRITE_READY (1u << 4)
#define INT_READ_READY (1u << 5)
#define INT_ERRORS 0x7FF0000u
#define INT_COMMAND_TIMEOUT (1u << 16)
#define INT_EVENTS (INT_COMPLETE | INT_WRITE_READY | INT_READ_READY | INT_ERRORS)
#define CAPABILITIES 0x40
#define CAPABILITIES_MHZ(c) ((c) >> 8 & 0xFF)
#define CAPABILITIES_FAST (1u << 21)

#define SLOWEST_HZ 400000u
#define BCM2835_HZ 250000000u /* at most; the firmware's to choose */
#define RESET_NS (100 * NS_PER_MS)
#define CLOCK_NS (150 * NS_PER_MS)
#define COMMAND_NS (10 * NS_PER_MS)
#define BLOCKS_AT_ONCE 128 /* 64 KiB, then others may run */
#define BLOCKS_MAX 0xFFFFu

static struct sd_host host;

static uint32_t get(const struct sd_host *h, unsigned reg)
{
    return mmio_read32(h->base + reg);
}

static void put(struct sd_host *h, unsigned reg, uint32_t v)
{
    while (counter_now() < h->next_write) {
    }
    mmio_write32(h->base + reg, v);
    h->next_write = counter_now() + h->write_gap;
}

static enum err sdhci_set_bus(struct sd_host *h, uint32_t hz, bool wide)
{
    uint32_t n = h->source_hz <= hz ? 0 : (h->source_hz - 1) / (2 * hz) + 1;
    uint32_t clock = CLOCK_DIVISOR(MIN(n, CLOCK_DIVISOR_MAX)) | CLOCK_TIMEOUT | CLOCK_RUNS;
    bool fast = hz > 25000000 && get(h, CAPABILITIES) & CAPABILITIES_FAST;
    put(h, CLOCK, CLOCK_TIMEOUT);
    put(h, CONTROL, CONTROL_POWER | (wide ? CONTROL_WIDE : 0) | (fast ? CONTROL_FAST : 0));
    put(h, CLOCK, clock);
    if (!sd_wait(h->base + CLOCK, CLOCK_STABLE, true, CLOCK_NS)) {
        return ERR_IO;
    }
    put(h, CLOCK, clock | CLOCK_TO_CARD);
    h->write_gap = ticks_from_ns(2 * NS_PER_S / hz);
    return OK;
}

static enum err sdhci_reset(struct sd_host *h)
{
    put(h, CLOCK, RESET_ALL);
    bool done = sd_wait(h->base + CLOCK, RESET_ALL, false, RESET_NS);
    put(h, INT_SIGNAL, 0);
    put(h, INT_ENABLE, INT_COMMAND | INT_EVENTS);
    return done ? OK : ERR_IO;
}

/* Each line by itself (section 3.10). */
static enum err sdhci_abort(struct sd_host *h)
{
    static const uint32_t lines[] = {RESET_COMMAND, RESET_DATA};
    bool done = true;
    put(h, INT_SIGNAL, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
        put(h, CLOCK, get(h, CLOCK) | lines[i]);
        done &= sd_wait(h->base + CLOCK, lines[i], false, RESET_NS);
    }
    put(h, INT_STATUS, ~0u);
    h->pending = false;
    return done ? OK : ERR_IO;
}

static void read_answer(struct sd_host *h, enum sd_response type)
{
    uint32_t r[4];
    for (unsigned i = 0; i < 4; i++) {
        r[3 - i] = get(h, RESPONSE + 4 * i);
    }
    h->answer[0] = r[3];
    for (unsigned i = 0; type == SD_R2 && i < 4; i++) { /* it is there without its last 8 bits */
        h->answer[i] = r[i] << 8 | (i < 3 ? r[i + 1] >> 24 : 0);
    }
}

/* Transfer mode and command, as one register. */
static uint32_t command_word(const struct sd_host *h, unsigned index, enum sd_response type,
                             bool data)
{
    static const uint32_t types[] = {
        [SD_R1] = COMMAND_R1, [SD_R1B] = COMMAND_R1B, [SD_R2] = COMMAND_R2, [SD_R3] = COMMAND_R3};
    const struct sd_transfer *t = &h->transfer;
    uint32_t v = COMMAND_INDEX(index) | types[type] | (index == 12 ? COMMAND_ABORT : 0);
    if (data) {
        v |= COMMAND_DATA | (t->write ? 0 : MODE_READ) |
             (t->open_ended ? MODE_MANY | MODE_COUNTS : 0);
    }
    return v;
}

static enum err sdhci_command(struct sd_host *h, unsigned index, uint32_t argument,
                              enum sd_response type, bool data)
{
    uint32_t lines = STATE_COMMAND | (data ? STATE_DATA : 0);
    h->pending = data || type == SD_R1B;
    if (!data) {
        h->transfer.left = 0;
    }
    if (!sd_wait(h->base + STATE, lines, false, COMMAND_NS)) {
        return ERR_IO;
    }
    put(h, INT_STATUS, ~0u);
    if (data) {
        put(h, BLOCK, h->transfer.blocks << 16 | h->transfer.block_bytes);
    }
    put(h, ARGUMENT, argument);
    put(h, COMMAND, command_word(h, index, type, data));
    bool answered = sd_wait(h->base + INT_STATUS, INT_COMMAND | INT_ERRORS, true, COMMAND_NS);
    uint32_t status = get(h, INT_STATUS);
    if (!answered || status & INT_ERRORS) {
        bool silent = answered && status & INT_COMMAND_TIMEOUT;
        return sdhci_abort(h) == OK && silent ? ERR_NOT_FOUND : ERR_IO;
    }
    put(h, INT_STATUS, INT_COMMAND);
    read_answer(h, type);
    put(h, INT_SIGNAL, h->pending ? INT_EVENTS : 0);
    return OK;
}

/* Moves a block (section 3.7.2.1). Pieces are of whole blocks: it lies in one. */
static void move_block(struct sd_host *h, struct sd_transfer *t)
{
    uint32_t words = MIN(t->block_bytes / 4, t->run);
    uint32_t *p = t->at;
    if (t->write) {
        for (uint32_t i = 0; i < words; i++) {
            mmio_write32(h->base + DATA_PORT, p[i]);
        }
    } else {
        for (uint32_t i = 0; i < words; i++) {
            p[i] = mmio_read32(h->base + DATA_PORT);
        }
    }
    sd_transfer_advance(t, words);
}

static enum err sdhci_progress(struct sd_host *h)
{
    struct sd_transfer *t = &h->transfer;
    uint32_t ready = t->write ? INT_WRITE_READY : INT_READ_READY;
    uint32_t status = get(h, INT_STATUS);
    if (!h->pending) {
        return OK;
    }
    for (unsigned i = 0; i < BLOCKS_AT_ONCE && t->left > 0 && status & ready; i++) {
        put(h, INT_STATUS, ready);
        move_block(h, t);
        status = get(h, INT_STATUS);
    }
    if (status & INT_ERRORS) {
        put(h, INT_STATUS, status);
        return ERR_IO;
    }
    bool done = t->left == 0 && status & INT_COMPLETE;
    h->pending = !done;
    put(h, INT_SIGNAL, done ? 0 : INT_EVENTS);
    return done ? OK : ERR_BUSY;
}

static void sdhci_ack(struct sd_host *h)
{
    put(h, INT_SIGNAL, 0);
}

static const struct sd_host_ops ops = {
    .reset = sdhci_reset,
    .set_bus = sdhci_set_bus,
    .command = sdhci_command,
    .progress = sdhci_progress,
    .abort = sdhci_abort,
    .ack = sdhci_ack,
};

enum err sdhci_probe(const struct device *d, struct block_device **out)
{
    if (host.name) {
        return ERR_NO_MEMORY;
    }
    uint64_t gap = ticks_from_ns(2 * NS_PER_S / SLOWEST_HZ);
    uint32_t mhz = CAPABILITIES_MHZ(mmio_read32(d->base + CAPABILITIES));
    host = (struct sd_host){.ops = &ops,
                            .base = d->base,
                            .name = "sd-card (sdhci)",
                            .source_hz = mhz ? mhz * 1000000 : BCM2835_HZ,
                            .blocks_max = BLOCKS_MAX,
                            .next_write = counter_now() + gap,
                            .write_gap = gap};
    enum err e = sd_card_start(&host, out);
    if (e != OK) {
        host.name = NULL;
    }
    return e;
}
