/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames between the bench's VMs, on bare rings: one datagram each, whose data is a message.
 */
#ifndef TESTS_GUESTS_BENCH_WIRE_H
#define TESTS_GUESTS_BENCH_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#define WIRE_RING 128
#define WIRE_FRAME_MIN 64  /* what a message needs, rounded as Ethernet does */
#define WIRE_FRAME_UDP 100 /* of packet_vm_to_vm */
#define WIRE_PORT 9

enum wire_command {
    WIRE_ECHO,       /* send it back */
    WIRE_YIELD,      /* give the CPU away `number` times */
    WIRE_SPIN,       /* compute for `number` turns of a loop, answer */
    WIRE_HOLD,       /* answer, idle for `number` ns or until an event, throw frames away, answer */
    WIRE_HOLD_QUIET, /* the same, but wanting no events from the ring */
    WIRE_DONE,       /* an answer */
    WIRE_BORN,       /* from a clone: `number` is the tick of its first instruction */
    WIRE_HTTP,       /* to the client: begin */
};

struct wire_message {
    uint32_t command;
    uint32_t from; /* VM number */
    uint64_t number;
};

/* Zeroed rings, known to EL2, and every receive buffer posted. */
void wire_init(void);

/* VM number of instance 1 of this VM's `index`th peer group. */
uint32_t wire_peer(unsigned index);

/* Sends a message in a frame of `frame_bytes`. */
void wire_send(uint32_t to, uint32_t command, uint64_t number, uint32_t frame_bytes);

/* Sends the frame that was sent last once more. */
void wire_again(uint32_t frame_bytes);

/* Waits for the next message; it is valid until wire_release(). */
struct wire_message *wire_receive(void);
void wire_release(void);

/* Sends the received message's frame back as it is, and releases it. */
void wire_return(void);

/* Takes and releases whatever has been received. */
void wire_drain(void);

/* Prepares a frame to VM `to` that is sent once for every step by which avail.idx of the transmit
 * queue is raised before a doorbell. wire_init() ends it. */
void wire_repeat(uint32_t to, uint32_t frame_bytes);

/* avail.idx of both queues. */
volatile uint16_t *wire_tx_idx(void);
volatile uint16_t *wire_rx_idx(void);

/* Whether received frames post events. */
void wire_want_events(bool on);

#endif
