/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A model of an SD card, on the registers of a model of SDHCI or of SDHOST, with a clock that moves
 * when it is looked at and the memory that drivers ask for.
 */
#ifndef TESTS_UNIT_FAKE_SD_H
#define TESTS_UNIT_FAKE_SD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_SD_SECTORS 8192u /* 4 MiB: a card is the smaller the better here */
#define FAKE_SD_RCA 0xB368u
#define FAKE_SD_LOG 4096u
#define FAKE_SDHCI_BASE 0x3F300000u
#define FAKE_SDHOST_BASE 0x3F202000u
#define FAKE_SD_TICK_NS 16u

enum fake_sd_state {
    CARD_IDLE,
    CARD_READY,
    CARD_IDENT,
    CARD_STANDBY,
    CARD_TRAN,
    CARD_DATA,
    CARD_RECEIVE,
    CARD_PROGRAM
};

struct fake_sd {
    uint8_t disk[FAKE_SD_SECTORS * 512];
    bool present;
    bool standard;        /* of up to 2 GiB */
    bool old;             /* does not know CMD8 */
    bool locked;          /* its CSD says that it takes no writes */
    bool slow;            /* knows no high speed */
    bool echo_wrong;      /* another pattern in the answer to CMD8 */
    bool nonsense;        /* every answer is all ones */
    unsigned ready_after; /* ACMD41 it takes */
    unsigned csd_version;
    uint32_t c_size;      /* of its CSD */
    unsigned mute_after;  /* commands; then it never answers again */
    uint32_t status;      /* bits that the next answers of CMD18, CMD25 have too */
    uint32_t stop_status; /* and those of CMD12 */
    unsigned status_times;
    bool stuck; /* programs for ever after a write */
    /* What it is. */
    enum fake_sd_state state;
    bool app, wide, fast;
    uint32_t rca;
    uint64_t sector; /* of the transfer */
    unsigned switch_bytes;
    unsigned commands;
    uint8_t log[FAKE_SD_LOG]; /* the commands it got; 0x80: after APP_CMD */
};

/* The host, whichever it is. */
struct fake_host {
    /* Misbehaviour. Of the next transfers `fail_times` fail at block `fail_block`, with the bits
     * `fail_bits` of the controller's status. */
    unsigned fail_times, fail_block;
    uint32_t fail_bits;
    bool hangs;         /* resets never end */
    bool stopped;       /* never says that anything is finished, or ready */
    bool holds_busy;    /* the busy signal of a command stays */
    unsigned available; /* blocks that arrive, or are taken, before data stops for now */
    uint32_t capabilities;
    /* What happened. */
    unsigned most_hz_identify, hz;
    unsigned too_early; /* writes that came too early after another */
    bool wide, fast;
    uint64_t now;
};

extern struct fake_sd fake_sd;
extern struct fake_host fake_host;

void fake_sd_init(void);
uint64_t fake_sd_now(void); /* without moving it */

/* For hosts. The words of the answer, most significant first: 0: no answer. */
unsigned fake_sd_command(unsigned index, uint32_t argument, uint32_t answer[4]);
void fake_sd_get(uint8_t *p, size_t bytes);
void fake_sd_put(const uint8_t *p, size_t bytes);
/* Whether the block `n` of a transfer fails. */
bool fake_host_fails(unsigned n);

void fake_sdhci_init(void);
uint32_t fake_sdhci_read32(uintptr_t at);
void fake_sdhci_write32(uintptr_t at, uint32_t v);
bool fake_sdhci_interrupts(void); /* its line is raised */

void fake_sdhost_init(void);
uint32_t fake_sdhost_read32(uintptr_t at);
void fake_sdhost_write32(uintptr_t at, uint32_t v);
bool fake_sdhost_interrupts(void);

#endif
