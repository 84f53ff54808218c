/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A model of a GENET v5, its PHY, and memory that is not coherent with it.
 *
 * Memory is what the CPU sees in its caches, of which every line may be there; the device sees a
 * memory of its own. fake_genet_clean() writes a line to it that the CPU changed, and otherwise has
 * the CPU see what the device wrote. So a maintenance too few shows as a frame that is not the one
 * that was sent.
 */
#ifndef TESTS_UNIT_FAKE_GENET_H
#define TESTS_UNIT_FAKE_GENET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_GENET_BASE 0xFD580000u
#define FAKE_GENET_BYTES 0x10000u

#define FAKE_GENET_RX 0x2000u
#define FAKE_GENET_TX 0x4000u
#define FAKE_GENET_GOOD 0x6000u /* begin and end of a frame */

struct fake_genet {
    uint32_t regs[FAKE_GENET_BYTES / 4];
    uint32_t interrupts; /* INTRL2_0 */
    uint32_t masked;
    unsigned mdio_busy; /* reads until the transaction is done */
    bool mdio_stuck, mdio_fails;
    bool dma_runs_on;
    /* PHY at address 1. */
    uint16_t phy[32];
    bool was_down; /* latched in BMSR */
    unsigned phy_accesses;
    /* The last frame that was sent. */
    uint8_t sent[4096];
    size_t sent_bytes;
    unsigned allocations_left, frames_live;
    /* Called before the driver's write that turns receive interrupts on. */
    void (*before_unmask)(void);
};

extern struct fake_genet fake_genet;

void fake_genet_init(void);
uint32_t fake_genet_read32(uintptr_t at);
void fake_genet_write32(uintptr_t at, uint32_t v);
void fake_genet_clean(const void *p, size_t n);
uint64_t fake_genet_now(void);

uint32_t *fake_genet_reg(uint32_t at);
/* Of the receive or the transmit ring: what the device and what the driver counts. */
uint16_t fake_genet_theirs(uint32_t dma);
uint16_t fake_genet_ours(uint32_t dma);
void fake_genet_set_theirs(uint32_t dma, uint16_t index);

/* The cable: 10, 100 or 1000 Mbit/s, or 0: none. Raises the interrupt of the link. */
void fake_genet_cable(unsigned mbit, bool full_duplex);

/* A frame arrives; false: the ring is full. The second form says of it what it likes. */
bool fake_genet_receive(const void *frame, size_t bytes);
bool fake_genet_receive_as(const void *frame, size_t bytes, uint32_t length, uint32_t flags);
/* Sends all that is queued; returns how many, the last is in `sent`. */
unsigned fake_genet_transmit(void);
/* Whether the line to the interrupt controller is raised; whether reception may raise it. */
bool fake_genet_irq(void);
bool fake_genet_irq_on(void);

#endif
