/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between CPUs: what one writes another reads, in order, without a lock.
 *
 *   CPU a --ring--> CPU b      one ring for each ordered pair; written by a alone, read by b alone
 *
 * Nobody waits for room: a ring that is full says so. Frames leave room for VMs, and VMs for short
 * messages, of which there are few at a time; so those always fit.
 */
#ifndef CORE_MAIL_H
#define CORE_MAIL_H

#include "core/base/error.h"
#include "core/base/types.h"

enum mail_kind {
    MAIL_SKIP,   /* inside: the rest of the ring is not used */
    MAIL_FRAME,  /* data: a frame for VM `number` */
    MAIL_UPLINK, /* data: a frame for the outside; to the keeper */
    MAIL_VM,     /* VM `number` is the receiver's from now on; detail: enum move_why */
    MAIL_GIVE,   /* the keeper wants VM `number`; answered by MAIL_VM or MAIL_GONE */
    MAIL_GONE,   /* the VM that the keeper wanted was not here */
    MAIL_ASK,    /* the keeper wants whoever should leave first; detail: of the busy, too */
    MAIL_NOBODY, /* there is nobody who could */
    MAIL_ALL,    /* the keeper wants all VMs: the machine stops */
    MAIL_POKE,   /* the gatekeeper has something to look at */
    MAIL_SPILL,  /* somebody lacks frames: those that rest here are given back */
};

struct mail {
    uint16_t bytes; /* of data */
    uint8_t kind;   /* enum mail_kind */
    uint8_t detail;
    uint32_t number;
    uint8_t data[];
};

/* Rings for CPUs 0 to `cpus` - 1. ERR_NO_MEMORY: there is none for all. Boot CPU, before others are
 * started. With one CPU there is none. */
enum err mail_init(unsigned cpus) MUST_USE;

/* Sends to another CPU, and interrupts it. ERR_BUSY: the ring has no room for this kind. */
enum err mail_send(unsigned to, enum mail_kind kind, uint8_t detail, uint32_t number,
                   const void *data, size_t bytes) MUST_USE;

/* Handles what had been sent to this CPU when it was called. `m` is valid during the call. */
void mail_take(void (*handle)(unsigned from, const struct mail *m));

/* What a ring holds, 0 before mail_init. */
uint32_t mail_ring_bytes(void);

struct mail_counters {
    uint64_t sent, refused, interrupts; /* by this CPU; refused: no room */
};
struct mail_counters mail_get_counters(unsigned cpu);

#endif
