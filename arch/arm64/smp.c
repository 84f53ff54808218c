/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other CPUs: what the device tree says of them, and their start.
 *
 *      DOWN --machine_start_cpu--> STARTING --+-- the CPU --> UP
 *                                             +-- the CPU --> FAILED   it halts
 *                                             +-- too late -> LATE     it halts when it comes
 *
 * Invariant: a CPU enters the floors above only if it moved its own state from STARTING to UP, and
 * until then it writes nothing that is not its own.
 */
#include <libfdt.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/firmware.h"
#include "arch/arm64/irqchip.h"
#include "arch/arm64/mmu.h"
#include "arch/arm64/smp.h"
#include "arch/cpu.h"
#include "arch/irq.h"
#include "arch/memory.h"
#include "arch/time.h"
#include "core/base/cells.h"
#include "core/base/devicetree.h"
#include "core/base/log.h"
#include "core/base/string.h"

#define START_NS NS_PER_S

enum { DOWN, STARTING, UP, LATE, FAILED };

extern char image_start[], image_end[], secondary_entry[];

uint64_t cpu_affinity[CPUS_MAX] = {[0 ... CPUS_MAX - 1] = UINT64_MAX};
static int nodes[CPUS_MAX];
static uint32_t states[CPUS_MAX];
static bool halting;

void secondary_main(unsigned index) NORETURN;

/* Devicetree Specification, 3.8.1: "disabled" is a CPU that waits to be started, "fail" or
 * "fail-..." one that does not work. */
BOOT static bool is_cpu(const void *fdt, int node)
{
    int bytes;
    const char *status = fdt_getprop(fdt, node, "status", &bytes);
    return fdt_stringlist_search(fdt, node, "device_type", "cpu") == 0 &&
           !(status && bytes > 4 && !memcmp(status, "fail", 4));
}

/* Devicetree binding arm/cpus: "reg" is the affinity, laid out as in MPIDR_EL1, in 1 or 2 cells. */
BOOT static bool affinity_of(const void *fdt, int parent, int node, uint64_t *out)
{
    int bytes;
    int cells = fdt_address_cells(fdt, parent);
    const void *reg = fdt_getprop(fdt, node, "reg", &bytes);
    if (!reg || cells < 1 || cells > 2 || bytes < 4 * cells) {
        return false;
    }
    *out = cells_read(reg, cells);
    return (*out & ~MPIDR_AFFINITY) == 0;
}

BOOT static uint64_t release_address(const void *fdt, int node)
{
    return dt_number(fdt, node, "cpu-release-addr");
}

BOOT unsigned smp_find(const void *fdt)
{
    unsigned count = 1, excess = 0, bad = 0;
    uint64_t affinity;
    int parent = fdt_path_offset(fdt, "/cpus");
    states[0] = UP;
    cpu_affinity[0] = read_sysreg(mpidr_el1) & MPIDR_AFFINITY;
    for (int node = parent < 0 ? -1 : fdt_first_subnode(fdt, parent); node >= 0;
         node = fdt_next_subnode(fdt, node)) {
        if (!is_cpu(fdt, node)) {
            continue;
        }
        if (!affinity_of(fdt, parent, node, &affinity)) {
            bad++;
        } else if (affinity != cpu_affinity[0] && count == CPUS_MAX) {
            excess++;
        } else if (affinity != cpu_affinity[0]) {
            cpu_affinity[count] = affinity;
            nodes[count++] = node;
        }
    }
    if (excess || bad) {
        log_warn("device tree: CPUs that are not used: %u above the limit of %u, %u whose reg is "
                 "no affinity",
                 excess, CPUS_MAX, bad);
    }
    return count;
}

/* "spin-table": the CPU polls a word with its caches off, and goes where that says. */
BOOT static enum err release(const struct machine *m, int node)
{
    uint64_t at = release_address(m->fdt, node);
    bool in_image = at >= (uint64_t)image_start && at < (uint64_t)image_end;
    if (at == 0 || !IS_ALIGNED(at, 8) || in_image) {
        return ERR_INVALID;
    }
    enum err e = machine_map_device(at, 8);
    e = e == ERR_RANGE && mmu_has_ram(at) ? OK : e; /* RAM is mapped already, and stays as it is */
    if (e == OK) {
        *(volatile uint64_t *)at = (uint64_t)secondary_entry;
        dcache_clean_poc((const void *)at, 8); /* waits for it: partner is the CPU that polls */
        __asm__ volatile("sev");
    }
    return e;
}

BOOT static enum err begin(const struct machine *m, unsigned cpu, int *why)
{
    if (fdt_stringlist_search(m->fdt, nodes[cpu], "enable-method", "psci") >= 0) {
        return firmware_start_cpu(cpu_affinity[cpu], (uint64_t)secondary_entry, why);
    }
    if (fdt_stringlist_search(m->fdt, nodes[cpu], "enable-method", "spin-table") >= 0) {
        return release(m, nodes[cpu]);
    }
    return ERR_UNSUPPORTED;
}

/* Moves a state on, unless the other side was first; returns what it is then. */
static uint32_t leave_starting(unsigned cpu, uint32_t to)
{
    uint32_t seen = STARTING;
    /* Partner: the same on the other side, so that what either wrote before is seen there. */
    bool moved = __atomic_compare_exchange_n(&states[cpu], &seen, to, false, __ATOMIC_ACQ_REL,
                                             __ATOMIC_ACQUIRE);
    return moved ? to : seen;
}

BOOT enum err machine_start_cpu(const struct machine *m, unsigned cpu, int *why)
{
    CHECK(cpu > 0 && cpu < m->cpu_count && states[cpu] == DOWN);
    *why = 0;
    __atomic_store_n(&states[cpu], STARTING, __ATOMIC_RELEASE); /* partner: secondary_main */
    dsb(sy); /* before firmware, or a store that is no data of ours, lets the CPU go */
    uint64_t deadline = counter_now() + ticks_from_ns(START_NS);
    enum err e = begin(m, cpu, why);
    while (e == OK && __atomic_load_n(&states[cpu], __ATOMIC_RELAXED) == STARTING &&
           counter_now() < deadline) {
    }
    uint32_t state = leave_starting(cpu, LATE);
    if (e != OK || state == UP) {
        return e;
    }
    return state == LATE ? ERR_BUSY : ERR_NOT_FOUND;
}

/* From arch/arm64/head.S: CPU `index` on its stack, MMU on. */
void secondary_main(unsigned index)
{
    cpu_init(index);
    /* CPUs that share a word of a spin table come all at once. Partner: machine_start_cpu. */
    while (__atomic_load_n(&states[index], __ATOMIC_ACQUIRE) == DOWN) {
        __asm__ volatile("wfe");
    }
    bool ok = irqchip_start_cpu() == OK;
    if (leave_starting(index, ok ? UP : FAILED) != UP) {
        cpu_halt();
    }
    machine_secondary();
}

void smp_halt_if_told(void)
{
    if (unlikely(__atomic_load_n(&halting, __ATOMIC_RELAXED))) {
        cpu_halt();
    }
}

void machine_halt(void)
{
    __atomic_store_n(&halting, true, __ATOMIC_RELAXED); /* seen by then: irq_send() */
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        if (cpu != cpu_index() && __atomic_load_n(&states[cpu], __ATOMIC_RELAXED) == UP) {
            irq_send(cpu);
        }
    }
    cpu_halt();
}
