/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power management of the BCM2835 and its successors, for a board without PSCI: a watchdog that
 * resets the machine. Firmware then looks at PM_RSTS for the partition to boot from; 63 is none,
 * and leaves the machine off (Raspberry Pi documentation, "Partition numbers and halt").
 */
#include <libfdt.h>

#include "arch/arm64/firmware.h"
#include "arch/arm64/irqchip.h"
#include "arch/arm64/sysreg.h"
#include "arch/cpu.h"

#define PM_RSTC 0x1c
#define RSTC_CONFIG 0x30u
#define RSTC_FULL_RESET 0x20u
#define PM_RSTS 0x20
#define RSTS_PARTITION 0x555u /* its six bits are the even ones of 10:0 */
#define PM_WDOG 0x24
#define WDOG_TICKS 10u /* of 16 us */
#define PM_BYTES 0x28
#define PASSWORD 0x5a000000u
#define PASSWORD_MASK 0xff000000u

static uint64_t pm;

BOOT void bcm2835_pm_find(const void *fdt)
{
    uint64_t base, bytes;
    int node = fdt_node_offset_by_compatible(fdt, -1, "brcm,bcm2835-pm-wdt");
    if (node >= 0 && irqchip_map(fdt, node, 0, PM_BYTES, &base, &bytes) == OK) {
        pm = base;
    }
}

static uint32_t read32(uint64_t reg)
{
    return *(volatile uint32_t *)(pm + reg) & ~PASSWORD_MASK;
}

static void write32(uint64_t reg, uint32_t v)
{
    *(volatile uint32_t *)(pm + reg) = PASSWORD | v;
}

void bcm2835_pm_reset(bool halt)
{
    if (!pm) {
        return;
    }
    dsb(sy); /* what was written before is in memory, or with its device */
    uint32_t status = read32(PM_RSTS) & ~RSTS_PARTITION;
    write32(PM_RSTS, status | (halt ? RSTS_PARTITION : 0));
    write32(PM_WDOG, WDOG_TICKS);
    write32(PM_RSTC, (read32(PM_RSTC) & ~RSTC_CONFIG) | RSTC_FULL_RESET);
    cpu_halt(); /* until it bites */
}
