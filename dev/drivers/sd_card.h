/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SD memory cards (SD Physical Layer Simplified Specification 6.00), above the host controller that
 * the card is on. High and extended capacity; the bus at 3.3 V, 4 bits wide, 50 MHz at most.
 */
#ifndef DEV_DRIVERS_SD_CARD_H
#define DEV_DRIVERS_SD_CARD_H

#include "core/base/error.h"
#include "mm/block.h"

/* What answer a command has (section 4.9). R6 and R7 are SD_R1 here. */
enum sd_response { SD_NONE, SD_R1, SD_R1B, SD_R2, SD_R3 };

/* Data of a command: `blocks` of `block_bytes`, from or to memory that is `run` words from `at` on,
 * then the pieces from `next`. `left` words are still to be moved. */
struct sd_transfer {
    uint32_t *at;
    uint32_t run;
    const struct block_piece *next;
    uint32_t left;
    uint32_t blocks, block_bytes;
    bool write;
    bool open_ended; /* CMD18 or CMD25: until CMD12 */
};

/* Moves on by `words`, at most `run`. */
void sd_transfer_advance(struct sd_transfer *t, uint32_t words);

struct sd_host;

/* A host controller. One command at a time; every wait for it is bounded, and ends with ERR_IO. */
struct sd_host_ops {
    /* Everything as after power on: no card selected, one data line, no interrupts. */
    enum err (*reset)(struct sd_host *h);
    /* The bus: at most `hz`; `wide`: 4 data lines; from 25 MHz on with high-speed timing. */
    enum err (*set_bus)(struct sd_host *h, uint32_t hz, bool wide);
    /* Sends a command and waits for its answer, some microseconds: ERR_NOT_FOUND: there is none in
     * the time that a card has; ERR_IO. The data of h->transfer, if `data`, or the busy signal of
     * SD_R1B, is `progress`'s to wait for. */
    enum err (*command)(struct sd_host *h, unsigned index, uint32_t argument, enum sd_response type,
                        bool data);
    /* Goes on with what the command began. OK: it is finished, or nothing was to do; ERR_BUSY: not
     * yet, an interrupt will say when to call again; ERR_IO: CRC, timeout. Never waits for longer
     * than a block is on the wire. */
    enum err (*progress)(struct sd_host *h);
    /* Forgets the command and its data. */
    enum err (*abort)(struct sd_host *h);
    /* The interrupt is not raised until `progress`. */
    void (*ack)(struct sd_host *h);
};

struct sd_host {
    const struct sd_host_ops *ops;
    uintptr_t base;
    const char *name;
    uint32_t source_hz;  /* of the clock that the bus's is divided from, at most */
    uint32_t blocks_max; /* in one transfer */
    struct sd_transfer transfer;
    /* The last command's answer, most significant word first; of 48 bits: the first word. After
     * SD_R1B: once `progress` says OK. */
    uint32_t answer[4];
    bool pending; /* data, or the end of the busy signal, is still to come */
    /* The controller's own. */
    uint64_t next_write; /* in ticks */
    uint64_t write_gap;
    uint32_t config;
};

/* Finds out what card is on the host, and makes a block device of it. ERR_NOT_FOUND: none, nothing
 * was said. ERR_UNSUPPORTED: one that a line on the console describes; ERR_IO, ERR_NO_MEMORY.
 * Waits, up to some seconds. Boot CPU only.
 *
 * A request is on the wire at a time; `kick` and `poll` spend the time of a command on it, some
 * microseconds, and of copying what arrived. One that fails is tried again a few times. A card that
 * does not answer any more is given up: when it is put back it has another state, or is another. */
enum err sd_card_start(struct sd_host *h, struct block_device **out) MUST_USE;

/* Waits, for hosts, until one of `mask` in the register is set, or all are clear. False: not in
 * time. */
bool sd_wait(uintptr_t reg, uint32_t mask, bool set, uint64_t ns) MUST_USE;
void sd_delay(uint64_t ns);

#endif
