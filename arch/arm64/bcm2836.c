/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controllers of the Raspberry Pi 3: the local one of the four CPUs (BCM2836
 * ARM-local peripherals, "QA7", rev 3.4) and behind its input 8 that of the GPU's peripherals
 * (BCM2835 ARM Peripherals, 7.5), which is the boot CPU's.
 *
 *      0..9    inputs of the local controller: timers, mailboxes, GPU, PMU; each CPU has its own
 *     32..39   "basic" interrupts of the GPU's controller: bank 0 of its device-tree binding
 *     64..95   bank 1     96..127   bank 2
 *
 * Every source is a level: it is quiet when its device is, and nothing is to be ended.
 */
#include <libfdt.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/irqchip.h"
#include "arch/cpu.h"
#include "core/base/devicetree.h"

#define GPU_ROUTING 0x0c
#define PMU_ROUTING_CLEAR 0x14
#define TIMER_CONTROL(core) (0x40 + 4 * (core))
#define MAILBOX_CONTROL(core) (0x50 + 4 * (core))
#define SOURCE(core) (0x60 + 4 * (core))
#define MAILBOX0_SET(core) (0x80 + 16 * (core))
#define MAILBOX0_CLEAR(core) (0xc0 + 16 * (core))

#define CORES 4
#define LOCAL_TIMERS 4 /* inputs 0 to 3: secure, non-secure, hypervisor, virtual */
#define LOCAL_MAILBOX0 4
#define LOCAL_GPU 8
#define LOCAL_COUNT 10
#define TAKEN_HERE (((1u << LOCAL_TIMERS) - 1) | 1u << LOCAL_MAILBOX0)

#define BANKS 3
#define BANK_SIZE 32
#define BANK0_COUNT 8
static const uint8_t pending_at[BANKS] = {0x00, 0x04, 0x08};
static const uint8_t enable_at[BANKS] = {0x18, 0x10, 0x14};
static const uint8_t disable_at[BANKS] = {0x24, 0x1c, 0x20};

static uint64_t local, gpu;
static int local_node, gpu_node; /* gpu_node < 0: there is none */
static uint32_t enabled[BANKS];

static uint32_t read32(uint64_t a)
{
    return *(volatile uint32_t *)a;
}

static void write32(uint64_t a, uint32_t v)
{
    *(volatile uint32_t *)a = v;
}

static uint32_t core_of(unsigned cpu)
{
    return cpu_at(cpu)->mpidr & (CORES - 1);
}

/* Nothing comes to this CPU before it is enabled. */
static enum err start_cpu(void)
{
    uint32_t core = core_of(cpu_index());
    write32(local + TIMER_CONTROL(core), 0);
    write32(local + MAILBOX_CONTROL(core), 0);
    write32(local + MAILBOX0_CLEAR(core), ~0u);
    write32(local + PMU_ROUTING_CLEAR, 0x11u << core); /* as IRQ and as FIQ */
    return OK;
}

BOOT static enum err start_gpu(const void *fdt)
{
    uint64_t bytes;
    gpu_node = fdt_node_offset_by_compatible(fdt, -1, "brcm,bcm2836-armctrl-ic");
    if (gpu_node < 0) {
        gpu_node = fdt_node_offset_by_compatible(fdt, -1, "brcm,bcm2835-armctrl-ic");
    }
    if (gpu_node < 0) {
        return OK; /* its devices will say that their controller is unknown */
    }
    enum err e = irqchip_map(fdt, gpu_node, 0, 0x28, &gpu, &bytes);
    for (unsigned b = 0; e == OK && b < BANKS; b++) {
        write32(gpu + disable_at[b], ~0u);
    }
    return e;
}

BOOT static enum err start(const void *fdt, int node)
{
    uint64_t bytes;
    local_node = node;
    enum err e = irqchip_map(fdt, node, 0, 0x100, &local, &bytes);
    if (e == OK) {
        e = start_gpu(fdt);
    }
    if (e == OK) {
        uint32_t core = core_of(cpu_index());
        write32(local + GPU_ROUTING, core); /* IRQ; bits 3:2, the core for FIQ, are unused */
        e = start_cpu();
    }
    return e;
}

/* Devicetree bindings brcm,bcm2836-l1-intc: (input, flags), and brcm,bcm2835-armctrl-ic: (bank,
 * number). */
BOOT static enum err decode(const void *fdt, int node, unsigned index, uint32_t *irq)
{
    struct dt_interrupt i;
    enum err e = dt_interrupt(fdt, node, index, &i);
    if (e != OK) {
        return e;
    }
    if (i.controller == local_node && i.count >= 1 && i.cell[0] < LOCAL_COUNT) {
        *irq = i.cell[0];
        return OK;
    }
    bool known = gpu_node >= 0 && i.controller == gpu_node && i.count == 2 && i.cell[0] < BANKS &&
                 i.cell[1] < (i.cell[0] == 0 ? BANK0_COUNT : BANK_SIZE);
    if (!known) {
        return ERR_INVALID;
    }
    *irq = BANK_SIZE * (1 + i.cell[0]) + i.cell[1];
    return OK;
}

static void enable(uint32_t irq)
{
    uint32_t core = core_of(cpu_index());
    if (irq < LOCAL_TIMERS) {
        uint64_t control = local + TIMER_CONTROL(core);
        write32(control, read32(control) | 1u << irq);
    } else if (irq == LOCAL_MAILBOX0) {
        write32(local + MAILBOX_CONTROL(core), 1);
    } else if (irq >= BANK_SIZE && irq < BANK_SIZE * (1 + BANKS) && gpu_node >= 0) {
        unsigned bank = irq / BANK_SIZE - 1;
        enabled[bank] |= 1u << irq % BANK_SIZE;
        write32(gpu + enable_at[bank], 1u << irq % BANK_SIZE);
    }
}

static uint32_t acknowledge_gpu(void)
{
    for (unsigned bank = 0; bank < BANKS; bank++) {
        uint32_t pending = enabled[bank] ? read32(gpu + pending_at[bank]) & enabled[bank] : 0;
        if (pending) {
            return BANK_SIZE * (1 + bank) + (uint32_t)__builtin_ctz(pending);
        }
    }
    return IRQ_NONE;
}

static uint32_t acknowledge(void)
{
    uint32_t core = core_of(cpu_index());
    uint32_t source = read32(local + SOURCE(core));
    uint32_t irq = IRQ_NONE;
    if (source & TAKEN_HERE) {
        irq = (uint32_t)__builtin_ctz(source & TAKEN_HERE);
    } else if (source & 1u << LOCAL_GPU) {
        irq = acknowledge_gpu();
    }
    if (irq == LOCAL_MAILBOX0) {
        write32(local + MAILBOX0_CLEAR(core), ~0u); /* a kick from now on is another interrupt */
    }
    dsb(sy); /* then what the sender wrote is looked at: partner is send() */
    return irq;
}

static void end(uint32_t irq)
{
    (void)irq;
    dsb(sy); /* what quietened the device has reached it before the source is read again */
}

static void send(unsigned cpu)
{
    dsb(sy); /* what the other CPU is to see, before it is called: partner is its acknowledge() */
    write32(local + MAILBOX0_SET(core_of(cpu)), 1);
}

const struct irqchip_ops bcm2836_ops = {"BCM2836",   start, start_cpu, decode,        enable,
                                        acknowledge, end,   send,      LOCAL_MAILBOX0};
