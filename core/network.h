/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the switch, the VMs and the uplink.
 */
#ifndef CORE_NETWORK_H
#define CORE_NETWORK_H

#include "core/run.h"
#include "dev/drivers/uplink.h"

/* Copies a frame into a live VM's receive ring. False: a part of the ring is in the store (the page
 * is vm->space.away_page); nothing has happened. */
bool network_hand_over(struct vm *vm, const uint8_t *frame, size_t bytes);

struct network_counters {
    uint64_t not_ready; /* for a VM that has ended, is written, or is on its way to another CPU;
                           others: residence_counters.dropped */
    uint64_t uplink_dropped;
};

void network_init(const struct switch_config *config);

/* The wire to the outside; its interrupt calls network_interrupt. */
void network_set_uplink(struct uplink *u);
const struct uplink *network_uplink(void);

/* The uplink has something: takes a bounded batch, and the rest at the next trap. */
void network_interrupt(void);

/* A frame that the switch forwards, from any CPU to wherever it has to go: to a VM, to the outside.
 * What does not fit anywhere is dropped and counted. */
void network_deliver(uint32_t n, const uint8_t *frame, size_t bytes);
void network_send(const uint8_t *frame, size_t bytes);

/* On the keeper: takes more of what network_interrupt left, polls the uplink when it is time, and
 * tells it of frames queued for it. Returns whether it was polled. */
bool network_poll_again(const struct run *r);

/* The guest rang for its transmit ring: forwards all that is in it. A VM whose ring is broken is
 * killed for it. ERR_NO_MEMORY: a page of the ring has no frame; the bell may be rung again. */
enum err network_transmit(struct vm *vm) MUST_USE;

struct network_counters network_get_counters(void);

#endif
