/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SDHOST. Data goes through a FIFO of 16 words; the controller touches no memory (its DMA is
 * another device's). What is known of it is what drivers for it do, among them those that Broadcom
 * published.
 *
 * The interrupt bits of SDHSTS are cleared by ack, which masks them as well: that of data follows
 * the FIFO's state.
 */
#include "dev/drivers/sdhost.h"

#include "arch/time.h"
#include "dev/drivers/mmio.h"

#define SDCMD 0x00
#define SDCMD_READ (1u << 6)
#define SDCMD_WRITE (1u << 7)
#define SDCMD_LONG (1u << 9)
#define SDCMD_SILENT (1u << 10)
#define SDCMD_BUSYWAIT (1u << 11)
#define SDCMD_FAIL (1u << 14)
#define SDCMD_NEW (1u << 15)
#define SDARG 0x04
#define SDTOUT 0x08
#define SDCDIV 0x0C
#define SDCDIV_MAX 0x7FFu
#define SDRSP0 0x10
#define SDHSTS 0x20
#define SDHSTS_FIFO (1u << 3)
#define SDHSTS_CRC7 (1u << 4)
#define SDHSTS_CRC16 (1u << 5)
#define SDHSTS_CMD_TIME_OUT (1u << 6)
#define SDHSTS_REW_TIME_OUT (1u << 7)
#define SDHSTS_DATA_ERRORS (SDHSTS_FIFO | SDHSTS_CRC16 | SDHSTS_REW_TIME_OUT)
#define SDHSTS_ALL 0x7F9u
#define SDVDD 0x30
#define SDEDM 0x34
#define SDEDM_STATE(e) ((e)&15u)
#define SDEDM_WORDS(e) ((e) >> 4 & 31u)
#define SDEDM_THRESHOLDS (31u << 9 | 31u << 14)
#define SDEDM_FOUR_WORDS (4u << 9 | 4u << 14) /* both: the FIFO is not reliable beyond */
#define SDEDM_FORCE_DATA_MODE (1u << 19)
#define STATE_IDENT 0
#define STATE_DATA 1
#define STATE_READWAIT 4     /* for the next block */
#define STATE_WRITESTART1 10 /* for the next block */
#define SDHCFG 0x38
#define SDHCFG_WIDE_INT (1u << 1)
#define SDHCFG_WIDE_EXT (1u << 2)
#define SDHCFG_SLOW_CARD (1u << 3) /* the divisor counts in every mode */
#define SDHCFG_DATA (1u << 4)
#define SDHCFG_BLOCK (1u << 8)
#define SDHCFG_BUSY (1u << 10)
#define SDHBCT 0x3C
#define SDDATA 0x40
#define SDHBLC 0x50

#define FIFO_WORDS 16u
#define BLOCKS_MAX 256u    /* SDHBLC has 9 bits */
#define CORE_HZ 400000000u /* at most; the firmware's to choose */
#define POWER_NS (20 * NS_PER_MS)
#define COMMAND_NS (100 * NS_PER_MS)
#define WORD_NS (100 * NS_PER_US) /* for which a word is waited for before the CPU does others */
#define WORDS_AT_ONCE 16384u      /* 64 KiB, then others may run */

static struct sd_host host;

static uint32_t get(const struct sd_host *h, unsigned reg)
{
    return mmio_read32(h->base + reg);
}

static void put(const struct sd_host *h, unsigned reg, uint32_t v)
{
    mmio_write32(h->base + reg, v);
}

static enum err sdhost_set_bus(struct sd_host *h, uint32_t hz, bool wide)
{
    uint32_t divisor = MAX((h->source_hz + hz - 1) / hz, 2u) - 2;
    put(h, SDCDIV, MIN(divisor, SDCDIV_MAX));
    put(h, SDTOUT, hz / 2); /* half a second */
    h->config = SDHCFG_WIDE_INT | SDHCFG_SLOW_CARD | (wide ? SDHCFG_WIDE_EXT : 0);
    put(h, SDHCFG, h->config);
    return OK;
}

static enum err sdhost_reset(struct sd_host *h)
{
    static const uint8_t cleared[] = {SDVDD, SDCMD, SDARG, SDHCFG, SDHBCT, SDHBLC};
    for (unsigned i = 0; i < ARRAY_SIZE(cleared); i++) {
        put(h, cleared[i], 0);
    }
    put(h, SDCDIV, SDCDIV_MAX);
    put(h, SDHSTS, SDHSTS_ALL);
    put(h, SDEDM, (get(h, SDEDM) & ~SDEDM_THRESHOLDS) | SDEDM_FOUR_WORDS);
    sd_delay(POWER_NS);
    put(h, SDVDD, 1);
    sd_delay(POWER_NS);
    return OK;
}

/* Whether the data's state machine is at rest, or was brought to it from waiting for a block. */
static bool at_rest(struct sd_host *h)
{
    uint32_t edm = get(h, SDEDM), state = SDEDM_STATE(edm);
    if (state == STATE_READWAIT || state == STATE_WRITESTART1) {
        put(h, SDEDM, edm | SDEDM_FORCE_DATA_MODE);
        return true;
    }
    return state == STATE_IDENT || state == STATE_DATA;
}

static bool comes_to_rest(struct sd_host *h, uint64_t ns)
{
    uint64_t end = counter_now() + ticks_from_ns(ns);
    bool rest = at_rest(h);
    while (!rest && counter_now() < end) {
        rest = at_rest(h);
    }
    return rest;
}

static enum err sdhost_abort(struct sd_host *h)
{
    put(h, SDHCFG, h->config);
    for (unsigned i = 0; i < FIFO_WORDS && SDEDM_WORDS(get(h, SDEDM)) > 0; i++) {
        (void)get(h, SDDATA);
    }
    put(h, SDEDM, get(h, SDEDM) | SDEDM_FORCE_DATA_MODE);
    bool rest = comes_to_rest(h, COMMAND_NS);
    rest &= sd_wait(h->base + SDCMD, SDCMD_NEW, false, COMMAND_NS);
    put(h, SDHSTS, SDHSTS_ALL);
    h->pending = false;
    return rest ? OK : ERR_IO;
}

/* The command is over: its answer. */
static enum err take_answer(struct sd_host *h, bool is_long, bool unchecked)
{
    uint32_t failed = get(h, SDCMD) & SDCMD_FAIL, status = get(h, SDHSTS);
    if (failed && !(unchecked && status & SDHSTS_CRC7)) {
        put(h, SDHSTS, SDHSTS_ALL);
        (void)at_rest(h);
        h->pending = false;
        return status & SDHSTS_CMD_TIME_OUT ? ERR_NOT_FOUND : ERR_IO;
    }
    for (unsigned i = 0; i < 4; i++) {
        h->answer[i] = get(h, SDRSP0 + 4 * (is_long ? 3 - i : i));
    }
    return OK;
}

static enum err sdhost_command(struct sd_host *h, unsigned index, uint32_t argument,
                               enum sd_response type, bool data)
{
    static const uint32_t types[] = {
        [SD_NONE] = SDCMD_SILENT, [SD_R1B] = SDCMD_BUSYWAIT, [SD_R2] = SDCMD_LONG, [SD_R3] = 0};
    struct sd_transfer *t = &h->transfer;
    uint32_t v = index | types[type] | SDCMD_NEW;
    h->pending = data || type == SD_R1B;
    if (data) {
        v |= t->write ? SDCMD_WRITE : SDCMD_READ;
    } else {
        t->left = 0;
    }
    if (!sd_wait(h->base + SDCMD, SDCMD_NEW, false, COMMAND_NS)) {
        return ERR_IO;
    }
    put(h, SDHSTS, SDHSTS_ALL);
    put(h, SDHCFG,
        h->config | (data ? SDHCFG_DATA | SDHCFG_BLOCK : 0) | (type == SD_R1B ? SDHCFG_BUSY : 0));
    if (data) {
        put(h, SDHBCT, t->block_bytes);
        put(h, SDHBLC, t->blocks);
    }
    put(h, SDARG, argument);
    put(h, SDCMD, v);
    if (type == SD_R1B) {
        return OK;
    }
    bool over = sd_wait(h->base + SDCMD, SDCMD_NEW, false, COMMAND_NS);
    return over ? take_answer(h, type == SD_R2, type == SD_R3) : ERR_IO;
}

static void move_words(struct sd_host *h, struct sd_transfer *t, uint32_t words)
{
    for (uint32_t i = 0; i < words; i++) {
        if (t->write) {
            mmio_write32(h->base + SDDATA, t->at[i]);
        } else {
            t->at[i] = mmio_read32(h->base + SDDATA);
        }
    }
    sd_transfer_advance(t, words);
}

/* Moves what the FIFO has, or takes, until it is busy for longer. */
static enum err move(struct sd_host *h, struct sd_transfer *t)
{
    uint64_t patience = ticks_from_ns(WORD_NS), end = counter_now() + patience;
    for (uint32_t most = WORDS_AT_ONCE; t->left > 0 && most > 0 && counter_now() < end;) {
        uint32_t held = MIN(SDEDM_WORDS(get(h, SDEDM)), FIFO_WORDS);
        uint32_t words = MIN(t->write ? FIFO_WORDS - held : held, MIN(t->run, most));
        if (words > 0) {
            move_words(h, t, words);
            most -= words;
            end = counter_now() + patience;
        } else if (get(h, SDHSTS) & SDHSTS_DATA_ERRORS) {
            break;
        }
    }
    return get(h, SDHSTS) & SDHSTS_DATA_ERRORS ? ERR_IO : t->left > 0 ? ERR_BUSY : OK;
}

static enum err sdhost_progress(struct sd_host *h)
{
    struct sd_transfer *t = &h->transfer;
    uint32_t command = get(h, SDCMD);
    if (!h->pending) {
        return OK;
    }
    if (command & SDCMD_BUSYWAIT) {
        put(h, SDHCFG, h->config | SDHCFG_BUSY);
        h->pending = command & SDCMD_NEW;
        return h->pending ? ERR_BUSY : take_answer(h, false, false);
    }
    put(h, SDHCFG, h->config | SDHCFG_BLOCK | (t->left > 0 ? SDHCFG_DATA : 0));
    enum err e = move(h, t);
    if (e != OK) {
        return e;
    }
    /* A write's last block is programmed first, and its interrupt follows. */
    put(h, SDHCFG, h->config | SDHCFG_BLOCK);
    if (!comes_to_rest(h, WORD_NS)) {
        return t->write ? ERR_BUSY : ERR_IO;
    }
    h->pending = false;
    return get(h, SDHSTS) & SDHSTS_DATA_ERRORS ? ERR_IO : OK;
}

static void sdhost_ack(struct sd_host *h)
{
    put(h, SDHCFG, h->config);
    put(h, SDHSTS, SDHSTS_ALL & ~(SDHSTS_DATA_ERRORS | SDHSTS_CRC7 | SDHSTS_CMD_TIME_OUT));
}

static const struct sd_host_ops ops = {
    .reset = sdhost_reset,
    .set_bus = sdhost_set_bus,
    .command = sdhost_command,
    .progress = sdhost_progress,
    .abort = sdhost_abort,
    .ack = sdhost_ack,
};

enum err sdhost_probe(const struct device *d, struct block_device **out)
{
    if (host.name) {
        return ERR_NO_MEMORY;
    }
    host = (struct sd_host){.ops = &ops,
                            .base = d->base,
                            .name = "sd-card (sdhost)",
                            .source_hz = CORE_HZ,
                            .blocks_max = BLOCKS_MAX};
    enum err e = sd_card_start(&host, out);
    if (e != OK) {
        host.name = NULL;
    }
    return e;
}
