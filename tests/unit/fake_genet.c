// SPDX-License-Identifier: BSD-2-Clause
/*
 * A model of a GENET v5, its PHY, and memory that is not coherent with it.
 */
#include "tests/unit/fake_genet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/host/host.h"
#include "arch/memory.h"
#include "arch/time.h"
#include "mm/frame.h"

#define LINE 64u
#define MEMORY_BYTES MIB(2)
#define RX FAKE_GENET_RX
#define TX FAKE_GENET_TX
#define RING 0x1000u
#define THEIRS (RING + 0x08u)
#define OURS (RING + 0x0Cu)
#define DMA_CTRL 0x1044u
#define DMA_STATUS 0x1048u
#define IRQ_RECEIVED (1u << 13)
#define IRQ_UP (1u << 4)
#define IRQ_DOWN (1u << 5)
#define READS_WITHOUT_END 1000000u

struct fake_genet fake_genet;

static uint8_t device_memory[MEMORY_BYTES];
static uint8_t clean_memory[MEMORY_BYTES]; /* what the CPU saw when a line was last clean */
static size_t allocated;
static unsigned clock_reads;

static void die(const char *what, uint64_t value)
{
    fprintf(stderr, "fake_genet: %s 0x%llx\n", what, (unsigned long long)value);
    abort();
}

void fake_genet_init(void)
{
    host_memory_init(MEMORY_BYTES);
    host_time_set(0);
    memset(device_memory, 0xCC, sizeof(device_memory));
    memset(clean_memory, 0x33, sizeof(clean_memory)); /* all lines are dirty */
    allocated = 0;
    clock_reads = 0;
    fake_genet = (struct fake_genet){.allocations_left = 100};
    *fake_genet_reg(0) = 0x06000000;
    *fake_genet_reg(0x80C) = 0xDCA63201; /* the firmware left an address */
    *fake_genet_reg(0x810) = 0x0203;
    *fake_genet_reg(0x300) = 1; /* and status blocks */
    *fake_genet_reg(0x600) = 1;
    *fake_genet_reg(0x808) = 3;
    *fake_genet_reg(RX + DMA_CTRL) = *fake_genet_reg(TX + DMA_CTRL) = 0x20001;
    fake_genet.phy[2] = 0x600D;
    fake_genet.phy[3] = 0x84A2;
}

uint32_t *fake_genet_reg(uint32_t at)
{
    if (at >= 0x6000 || at % 4 != 0) {
        die("no register at", at);
    }
    return &fake_genet.regs[at / 4];
}

uint64_t fake_genet_now(void)
{
    if (++clock_reads > READS_WITHOUT_END) {
        die("waits without end, reads", clock_reads);
    }
    host_time_advance(ticks_from_ns(NS_PER_US));
    return counter_now();
}

static uint16_t phy_read(unsigned reg)
{
    uint16_t v = fake_genet.phy[reg];
    if (reg == 1 && fake_genet.was_down) {
        v &= (uint16_t)~4u;
        fake_genet.was_down = false;
    }
    return v;
}

static void mdio(uint32_t v)
{
    unsigned phy = v >> 21 & 31, reg = v >> 16 & 31, what = v >> 26 & 3;
    fake_genet.phy_accesses++;
    fake_genet.mdio_busy = 5;
    if (what == 1 && phy == 1) {
        fake_genet.phy[reg] = (uint16_t)v;
    } else if (what == 2) {
        v = (v & 0xFFFF0000) | (phy == 1 ? phy_read(reg) : 0xFFFF);
        v |= fake_genet.mdio_fails ? 1u << 28 : 0;
    }
    *fake_genet_reg(0xE14) = v & ~(1u << 29);
}

uint32_t fake_genet_read32(uintptr_t at)
{
    uint32_t offset = (uint32_t)(at - FAKE_GENET_BASE);
    uint32_t v = *fake_genet_reg(offset);
    switch (offset) {
    case 0x200:
        return fake_genet.interrupts;
    case 0xE14:
        if (fake_genet.mdio_busy > 0 || fake_genet.mdio_stuck) {
            fake_genet.mdio_busy -= fake_genet.mdio_busy > 0;
            v |= 1u << 29;
        }
        return v;
    case RX + DMA_STATUS:
    case TX + DMA_STATUS:
        return !(*fake_genet_reg(offset - 4) & 1) && !fake_genet.dma_runs_on;
    default:
        return v;
    }
}

void fake_genet_write32(uintptr_t at, uint32_t v)
{
    uint32_t offset = (uint32_t)(at - FAKE_GENET_BASE);
    switch (offset) {
    case 0x208:
        fake_genet.interrupts &= ~v;
        break;
    case 0x210:
        fake_genet.masked |= v;
        break;
    case 0x214:
        if (v & IRQ_RECEIVED && fake_genet.before_unmask) {
            fake_genet.before_unmask();
        }
        fake_genet.masked &= ~v;
        break;
    case 0xE14:
        mdio(v);
        break;
    case RX + THEIRS: /* the device's own */
    case TX + THEIRS:
        die("the driver wrote", offset);
        break;
    default:
        *fake_genet_reg(offset) = v;
        break;
    }
}

uint16_t fake_genet_theirs(uint32_t dma)
{
    return (uint16_t)*fake_genet_reg(dma + THEIRS);
}

uint16_t fake_genet_ours(uint32_t dma)
{
    return (uint16_t)*fake_genet_reg(dma + OURS);
}

void fake_genet_set_theirs(uint32_t dma, uint16_t index)
{
    *fake_genet_reg(dma + THEIRS) = 0x00050000u | index; /* the high half counts other things */
}

void fake_genet_cable(unsigned mbit, bool full_duplex)
{
    uint16_t *phy = fake_genet.phy;
    phy[1] = mbit ? 0x796D : 0x7949; /* negotiated, link */
    phy[10] = mbit == 1000 ? 0x7800 : 0;
    phy[5] = mbit == 100 ? (full_duplex ? 0x41E1 : 0x40A1) : 0x4061;
    if (mbit == 10 && !full_duplex) {
        phy[5] = 0x0021;
    }
    fake_genet.was_down |= mbit == 0;
    fake_genet.interrupts |= mbit ? IRQ_UP : IRQ_DOWN;
}

/* --- memory ------------------------------------------------------------------------------- */

static uint8_t *dma_at(uint32_t dma, uint16_t index)
{
    uint32_t desc = dma + index % 256u * 12u;
    uint64_t pa = *fake_genet_reg(desc + 4) | (uint64_t)*fake_genet_reg(desc + 8) << 32;
    uint64_t offset = pa - HOST_RAM_BASE;
    if (offset >= allocated || pa % 2048 != 0) {
        die("DMA to", pa);
    }
    return device_memory + offset;
}

void fake_genet_clean(const void *p, size_t n)
{
    uint64_t from = ALIGN_DOWN(arch_pa(p).v - HOST_RAM_BASE, LINE);
    uint64_t end = arch_pa(p).v - HOST_RAM_BASE + n;
    dcache_clean_poc(p, n); /* counts */
    for (uint64_t i = from; i < end; i += LINE) {
        uint8_t *cpu = arch_ptr(PA(HOST_RAM_BASE + i));
        if (memcmp(cpu, clean_memory + i, LINE) != 0) {
            memcpy(device_memory + i, cpu, LINE);
        } else {
            memcpy(cpu, device_memory + i, LINE);
        }
        memcpy(clean_memory + i, cpu, LINE);
    }
}

enum err frame_alloc_block(enum frame_kind kind, uint32_t owner, unsigned order, pa_t *out)
{
    (void)owner;
    if (kind != FRAME_EL2 || allocated + (PAGE_SIZE << order) > MEMORY_BYTES) {
        die("allocation of order", order);
    }
    if (fake_genet.allocations_left == 0) {
        return ERR_NO_MEMORY;
    }
    fake_genet.allocations_left--;
    *out = PA(HOST_RAM_BASE + allocated);
    allocated += PAGE_SIZE << order;
    fake_genet.frames_live += 1u << order;
    return OK;
}

/* --- frames ------------------------------------------------------------------------------- */

static bool runs(uint32_t dma, uint32_t enable)
{
    return *fake_genet_reg(dma + DMA_CTRL) == 0x20001 && *fake_genet_reg(0x808) & enable;
}

bool fake_genet_receive_as(const void *frame, size_t bytes, uint32_t length, uint32_t flags)
{
    uint16_t index = fake_genet_theirs(RX);
    if (!runs(RX, 2) || (uint16_t)(index - fake_genet_ours(RX)) == 256) {
        return false;
    }
    memcpy(dma_at(RX, index) + 2, frame, bytes);
    *fake_genet_reg(RX + index % 256u * 12u) = length << 16 | flags;
    fake_genet_set_theirs(RX, (uint16_t)(index + 1));
    fake_genet.interrupts |= IRQ_RECEIVED;
    return true;
}

bool fake_genet_receive(const void *frame, size_t bytes)
{
    return fake_genet_receive_as(frame, bytes, (uint32_t)bytes + 2, FAKE_GENET_GOOD);
}

unsigned fake_genet_transmit(void)
{
    unsigned count = 0;
    while (runs(TX, 1) && fake_genet_theirs(TX) != fake_genet_ours(TX)) {
        uint16_t index = fake_genet_theirs(TX);
        uint32_t status = *fake_genet_reg(TX + index % 256u * 12u);
        if ((status & 0xFFFF) != 0x7FC0) { /* begin, end, QTAG, append CRC */
            die("sent with status", status);
        }
        fake_genet.sent_bytes = status >> 16;
        memcpy(fake_genet.sent, dma_at(TX, index), fake_genet.sent_bytes);
        fake_genet_set_theirs(TX, (uint16_t)(index + 1));
        count++;
    }
    return count;
}

bool fake_genet_irq(void)
{
    return fake_genet.interrupts & ~fake_genet.masked;
}

bool fake_genet_irq_on(void)
{
    return !(fake_genet.masked & IRQ_RECEIVED);
}
