/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SD memory cards. Requests wait in a ring; the oldest is on the wire, a chunk of what the host can
 * count at a time:
 *
 *   IDLE --CMD18/25--> DATA --CMD12--> STOP --> IDLE, next chunk or request
 *                        \               \
 *                         +-- error ------+--> RECOVER: host reset, CMD12, CMD13 --> IDLE, again
 *
 * A write's STOP lasts until the card has programmed what it got, so a flush finds nothing to do: a
 * card without a cache that was turned on (6.00: section 4.17) has none. It asks the card for its
 * state all the same.
 *
 * Invariants: a request is done once, from poll; after an error it is tried again only when the
 * card said that it is ready for it; no card or host makes anything wait without a bound. Hosts
 * have no DMA here, so memory can be given back at any time.
 */
#include "dev/drivers/sd_card.h"

#include "arch/memory.h"
#include "arch/time.h"
#include "core/base/log.h"
#include "dev/drivers/block_request.h"
#include "dev/drivers/mmio.h"

#define CARDS_MAX 2
#define QUEUE_MAX 32u
#define PIECES_MAX 64u
#define TRIES 4u
#define STATUS_TRIES 3u

#define IDENTIFY_HZ 400000u
#define DEFAULT_HZ 25000000u
#define HIGH_SPEED_HZ 50000000u

#define POWER_UP_NS NS_PER_S      /* section 4.2.3 */
#define START_NS (NS_PER_S / 500) /* 74 clocks, section 6.4.1.1, and what voltage needs */
#define DATA_NS (5 * NS_PER_S)    /* more than hosts wait for a block */
#define BOOT_NS NS_PER_S

/* Commands (section 4.7.4). */
#define GO_IDLE_STATE 0
#define ALL_SEND_CID 2
#define SEND_RELATIVE_ADDR 3
#define SWITCH_FUNC 6
#define SET_BUS_WIDTH 6 /* after APP_CMD */
#define SELECT_CARD 7
#define SEND_IF_COND 8
#define SEND_CSD 9
#define STOP_TRANSMISSION 12
#define SEND_STATUS 13
#define READ_MULTIPLE_BLOCK 18
#define WRITE_MULTIPLE_BLOCK 25
#define SD_SEND_OP_COND 41 /* after APP_CMD */
#define APP_CMD 55

#define IF_COND 0x1AAu        /* 2.7 to 3.6 V, and a pattern that comes back */
#define OCR_VOLTAGE 0x300000u /* 3.2 to 3.4 V */
#define OCR_CCS (1u << 30)
#define OCR_READY (1u << 31)
#define BUS_WIDTH_4 2u
#define SWITCH_HIGH_SPEED 0x80FFFFF1u
#define SWITCH_BYTES 64u

/* Card status (section 4.10.1). */
#define STATUS_OUT_OF_RANGE (1u << 31)
#define STATUS_ERRORS 0xFD380000u /* those that the command itself met */
#define STATUS_STATE(s) ((s) >> 9 & 15u)
#define STATE_TRAN 4u
#define STATUS_READY_FOR_DATA (1u << 8)

enum phase { IDLE, DATA, STOP, RECOVER };

struct sd_card {
    struct block_device device;
    struct sd_host *host;
    uint32_t rca; /* as an argument */
    struct block_request *queue[QUEUE_MAX];
    unsigned first; /* the oldest; device.in_flight of them */
    enum phase phase;
    unsigned tries;    /* of the oldest, that failed */
    uint64_t moved;    /* sectors of it that are done, */
    uint32_t chunk;    /* and that are on the wire */
    uint64_t deadline; /* of what the host does */
    bool given_up;
};

static struct sd_card cards[CARDS_MAX];
static unsigned card_count;

static struct sd_card *of(struct block_device *b)
{
    return container_of(b, struct sd_card, device);
}

/* --- the host ----------------------------------------------------------------------------- */

void sd_transfer_advance(struct sd_transfer *t, uint32_t words)
{
    t->at += words;
    t->run -= words;
    t->left -= words;
    if (t->run == 0 && t->left > 0) {
        t->at = arch_ptr(t->next->pa);
        t->run = t->next->bytes / 4;
        t->next++;
    }
}

void sd_delay(uint64_t ns)
{
    uint64_t end = counter_now() + ticks_from_ns(ns);
    while (counter_now() < end) {
    }
}

bool sd_wait(uintptr_t reg, uint32_t mask, bool set, uint64_t ns)
{
    uint64_t end = counter_now() + ticks_from_ns(ns);
    bool now = (mmio_read32(reg) & mask) != 0;
    while (now != set && counter_now() < end) {
        now = (mmio_read32(reg) & mask) != 0;
    }
    return now == set;
}

static enum err send(struct sd_card *c, unsigned index, uint32_t argument, enum sd_response type)
{
    c->deadline = counter_now() + ticks_from_ns(DATA_NS);
    return c->host->ops->command(c->host, index, argument, type, false);
}

static enum err send_app(struct sd_card *c, unsigned index, uint32_t argument,
                         enum sd_response type)
{
    enum err e = send(c, APP_CMD, c->rca, SD_R1);
    return e == OK ? send(c, index, argument, type) : e;
}

/* Waits for the end of what the host does. */
static enum err settle(struct sd_card *c)
{
    uint64_t end = counter_now() + ticks_from_ns(BOOT_NS);
    enum err e;
    do {
        e = c->host->ops->progress(c->host);
    } while (e == ERR_BUSY && counter_now() < end);
    return e == ERR_BUSY ? ERR_IO : e;
}

/* --- requests ----------------------------------------------------------------------------- */

/* Asks the card for its status. OK: it is ready for a command with data, and says nothing of
 * `errors`; ERR_NOT_FOUND: no answer. */
static enum err ask(struct sd_card *c, uint32_t errors)
{
    enum err e = ERR_IO;
    for (unsigned i = 0; e != OK && i < STATUS_TRIES; i++) {
        e = send(c, SEND_STATUS, c->rca, SD_R1);
    }
    uint32_t s = c->host->answer[0];
    bool ready = STATUS_STATE(s) == STATE_TRAN && s & STATUS_READY_FOR_DATA && !(s & errors);
    return e != OK ? ERR_NOT_FOUND : ready ? OK : ERR_IO;
}

static uint64_t sectors_of(const struct block_request *r)
{
    uint64_t sectors = 0;
    for (unsigned i = 0; i < r->piece_count; i++) {
        sectors += r->pieces[i].bytes / BLOCK_SECTOR_BYTES;
    }
    return sectors;
}

/* The next `chunk` sectors of the oldest request. */
static struct sd_transfer transfer_of(const struct sd_card *c, const struct block_request *r)
{
    const struct block_piece *p = r->pieces;
    uint64_t skip = c->moved * BLOCK_SECTOR_BYTES;
    for (; skip >= p->bytes; p++) {
        skip -= p->bytes;
    }
    return (struct sd_transfer){
        .at = arch_ptr(PA(p->pa.v + skip)),
        .run = (uint32_t)(p->bytes - skip) / 4,
        .next = p + 1,
        .left = c->chunk * (BLOCK_SECTOR_BYTES / 4),
        .blocks = c->chunk,
        .block_bytes = BLOCK_SECTOR_BYTES,
        .write = r->op == BLOCK_WRITE,
        .open_ended = true,
    };
}

/* Begins with the oldest request, or its next chunk. OK: it was a flush, which is done. */
static enum err begin(struct sd_card *c)
{
    struct block_request *r = c->queue[c->first];
    struct sd_host *h = c->host;
    if (r->op == BLOCK_FLUSH) {
        return ask(c, STATUS_ERRORS);
    }
    c->chunk = (uint32_t)MIN(sectors_of(r) - c->moved, h->blocks_max);
    h->transfer = transfer_of(c, r);
    unsigned index = r->op == BLOCK_WRITE ? WRITE_MULTIPLE_BLOCK : READ_MULTIPLE_BLOCK;
    c->deadline = counter_now() + ticks_from_ns(DATA_NS);
    uint32_t sector = (uint32_t)(c->device.first + r->sector + c->moved);
    enum err e = h->ops->command(h, index, sector, SD_R1, true);
    if (e != OK || h->answer[0] & STATUS_ERRORS) {
        return ERR_IO;
    }
    c->phase = DATA;
    return ERR_BUSY;
}

/* One step of the oldest request. OK: its phase is over; ERR_BUSY: it goes on at an interrupt. */
static enum err step(struct sd_card *c)
{
    struct sd_host *h = c->host;
    bool write = c->queue[c->first]->op == BLOCK_WRITE;
    if (c->phase == IDLE) {
        return begin(c);
    }
    enum err e = h->ops->progress(h);
    if (e == OK && c->phase == DATA) {
        c->phase = STOP;
        e = send(c, STOP_TRANSMISSION, 0, write ? SD_R1B : SD_R1);
        e = e == OK ? h->ops->progress(h) : e;
    }
    if (e == OK && c->phase == STOP) {
        /* A read up to the card's end may run into it (section 4.3.3). */
        uint32_t errors = STATUS_ERRORS & ~(write ? 0 : STATUS_OUT_OF_RANGE);
        e = h->answer[0] & errors ? ERR_IO : OK;
    }
    return e == ERR_BUSY && counter_now() > c->deadline ? ERR_IO : e;
}

static unsigned finish(struct sd_card *c, enum err e)
{
    struct block_request *r = c->queue[c->first];
    c->first = (c->first + 1) % QUEUE_MAX;
    c->phase = IDLE;
    c->tries = 0;
    c->moved = 0;
    block_request_end(&c->device, r, e);
    return 1;
}

static unsigned give_up(struct sd_card *c, const char *why)
{
    unsigned count = 0;
    c->given_up = true;
    log_error("%s: %s, given up", c->device.name, why);
    for (; c->device.in_flight > 0; count++) {
        finish(c, ERR_IO);
    }
    return count;
}

/* Host and card are at rest after an error: the chunk is tried again, or was often enough. */
static unsigned try_again(struct sd_card *c)
{
    enum err e = ask(c, 0);
    if (e == ERR_NOT_FOUND) {
        return give_up(c, "the card does not answer");
    }
    c->phase = IDLE;
    return e == OK && c->tries < TRIES ? 0 : finish(c, ERR_IO);
}

/* After an error. A card that was not in a transfer does not answer CMD12. */
static unsigned recover(struct sd_card *c)
{
    bool stopping = c->phase == RECOVER;
    c->tries++;
    if (c->host->ops->abort(c->host) != OK) {
        return give_up(c, "the host controller hangs");
    }
    if (!stopping && send(c, STOP_TRANSMISSION, 0, SD_R1B) == OK) {
        c->phase = RECOVER;
        return 0;
    }
    return try_again(c);
}

/* A phase is over. */
static unsigned advance(struct sd_card *c)
{
    const struct block_request *r = c->queue[c->first];
    if (c->phase == RECOVER) {
        return try_again(c);
    }
    if (c->phase == STOP) {
        c->phase = IDLE;
        c->moved += c->chunk;
        return c->moved == sectors_of(r) ? finish(c, OK) : 0;
    }
    return finish(c, OK);
}

static enum err submit(struct block_device *b, struct block_request *r)
{
    struct sd_card *c = of(b);
    uint64_t sectors;
    enum err e = c->given_up ? ERR_IO : block_request_check(b, r, &sectors);
    if (e != OK || b->in_flight == QUEUE_MAX) {
        return e != OK ? e : ERR_BUSY;
    }
    c->queue[(c->first + b->in_flight) % QUEUE_MAX] = r;
    block_request_begin(b, r, sectors);
    return OK;
}

/* What cannot be begun, poll begins, and ends. */
static void kick(struct block_device *b)
{
    struct sd_card *c = of(b);
    if (b->in_flight > 0 && c->phase == IDLE && c->queue[c->first]->op != BLOCK_FLUSH) {
        (void)begin(c);
    }
}

static unsigned poll(struct block_device *b)
{
    struct sd_card *c = of(b);
    unsigned taken = 0, most = b->in_flight; /* what `done` submits waits for its kick */
    while (taken < most) {
        enum err e = step(c);
        if (e == ERR_BUSY) {
            break;
        }
        taken += e == OK ? advance(c) : recover(c);
    }
    return taken;
}

static void ack(struct block_device *b)
{
    struct sd_host *h = of(b)->host;
    h->ops->ack(h);
}

/* --- identification (section 4.2) ----------------------------------------------------------- */

static enum err refuse(const struct sd_card *c, const char *what, uint32_t value)
{
    log_error("%s: %s: 0x%x", c->device.name, what, value);
    return ERR_UNSUPPORTED;
}

static enum err power_up(struct sd_card *c)
{
    const uint32_t *answer = c->host->answer;
    uint64_t end = counter_now() + ticks_from_ns(POWER_UP_NS);
    enum err e = send(c, GO_IDLE_STATE, 0, SD_NONE);
    bool new = e == OK &&send(c, SEND_IF_COND, IF_COND, SD_R1) == OK;
    if (new && (answer[0] & 0xFFF) != IF_COND) {
        return refuse(c, "the card does not work at 3.3 V", answer[0]);
    }
    do {
        e = send_app(c, SD_SEND_OP_COND, OCR_VOLTAGE | (new ? OCR_CCS : 0), SD_R3);
    } while (e == OK && !(answer[0] & OCR_READY) && counter_now() < end);
    if (e == OK && !(answer[0] & OCR_READY)) {
        return refuse(c, "the card does not become ready, OCR", answer[0]);
    }
    if (e == OK && !(answer[0] & OCR_CCS)) {
        return refuse(c, "a card of standard capacity (up to 2 GiB), OCR", answer[0]);
    }
    return e;
}

/* CSD version 2.0 (section 5.3.3). */
static enum err read_csd(struct sd_card *c)
{
    const uint32_t *csd = c->host->answer;
    enum err e = send(c, SEND_CSD, c->rca, SD_R2);
    if (e != OK) {
        return e;
    }
    if (csd[0] >> 30 != 1) {
        return refuse(c, "unknown version of the CSD", csd[0] >> 30);
    }
    c->device.sectors = (((uint64_t)csd[1] & 0x3F) << 16 | csd[2] >> 16) * 1024 + 1024;
    c->device.read_only = csd[3] >> 12 & 3;
    return OK;
}

/* High speed (section 4.3.10), where the card has it. */
static bool switch_speed(struct sd_card *c)
{
    uint32_t status[SWITCH_BYTES / 4] = {0};
    struct sd_host *h = c->host;
    h->transfer = (struct sd_transfer){.at = status,
                                       .run = ARRAY_SIZE(status),
                                       .left = ARRAY_SIZE(status),
                                       .blocks = 1,
                                       .block_bytes = SWITCH_BYTES};
    enum err e = h->ops->command(h, SWITCH_FUNC, SWITCH_HIGH_SPEED, SD_R1, true);
    if (e == OK) {
        e = settle(c);
    }
    if (e != OK && h->ops->abort(h) != OK) {
        return false;
    }
    return e == OK && (status[4] & 15) == 1; /* bits 379 to 376 of 511 */
}

/* Takes the card from identification to transfer state, on the bus that it and the host can have.
 */
static bool select_card(struct sd_card *c)
{
    struct sd_host *h = c->host;
    return send(c, SELECT_CARD, c->rca, SD_R1B) == OK && settle(c) == OK &&
           send_app(c, SET_BUS_WIDTH, BUS_WIDTH_4, SD_R1) == OK &&
           h->ops->set_bus(h, DEFAULT_HZ, true) == OK &&
           (!switch_speed(c) || h->ops->set_bus(h, HIGH_SPEED_HZ, true) == OK) &&
           ask(c, STATUS_ERRORS) == OK;
}

static enum err identify(struct sd_card *c)
{
    struct sd_host *h = c->host;
    if (h->ops->reset(h) != OK || h->ops->set_bus(h, IDENTIFY_HZ, false) != OK) {
        return ERR_IO;
    }
    sd_delay(START_NS);
    enum err e = power_up(c);
    if (e != OK) {
        return e;
    }
    bool named =
        send(c, ALL_SEND_CID, 0, SD_R2) == OK && send(c, SEND_RELATIVE_ADDR, 0, SD_R1) == OK;
    c->rca = h->answer[0] & 0xFFFF0000;
    e = named ? read_csd(c) : ERR_IO;
    if (e == OK && !select_card(c)) {
        e = ERR_IO;
    }
    return e == ERR_NOT_FOUND ? ERR_IO : e;
}

enum err sd_card_start(struct sd_host *h, struct block_device **out)
{
    if (card_count == CARDS_MAX) {
        return ERR_NO_MEMORY;
    }
    struct sd_card *c = &cards[card_count];
    *c = (struct sd_card){
        .device = {.submit = submit,
                   .kick = kick,
                   .poll = poll,
                   .ack = ack,
                   .name = h->name,
                   .pieces_max = PIECES_MAX},
        .host = h,
    };
    enum err e = identify(c);
    if (e == OK) {
        card_count++;
        *out = &c->device;
    }
    return e;
}
