/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An uplink: a wire to the outside. One driver for each kind; the switch knows only this.
 */
#ifndef DEV_DRIVERS_UPLINK_H
#define DEV_DRIVERS_UPLINK_H

#include "core/base/error.h"
#include "core/base/types.h"

struct uplink;

/* A received frame; valid during the call; may be changed. */
typedef void (*uplink_receive_fn)(uint8_t *frame, size_t bytes);

struct uplink_ops {
    /* Copies and queues a frame. ERR_BUSY: the ring is full, the frame is dropped. The device is
     * told at the next flush. */
    enum err (*send)(struct uplink *u, const uint8_t *frame, size_t bytes);
    /* Tells the device of all that was queued: one notification for a batch. */
    void (*flush)(struct uplink *u);
    /* Takes up to `budget` received frames with the device's interrupts suppressed; turns them on
     * again when the ring is empty. Returns how many; `budget` means that there may be more. */
    unsigned (*poll)(struct uplink *u, unsigned budget, uplink_receive_fn receive);
    /* Acknowledges the device's interrupt; a poll follows. */
    void (*ack)(struct uplink *u);
};

struct uplink {
    const struct uplink_ops *ops;
    const char *name;
    uint8_t mac[6];
    uint8_t peer[6];  /* who is outside, on a wire to one peer, without ARP; zero: an Ethernet */
    uint32_t irq;     /* interrupt number, as the interrupt controller counts */
    uint64_t poll_by; /* ticks: a poll is due then, interrupt or not; 0: never */
    uint64_t rx_frames, tx_frames, tx_dropped, polls;
    uint64_t refused; /* what the device said that made no sense: numbers and lengths */
};

#endif
