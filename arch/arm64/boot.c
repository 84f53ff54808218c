/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the boot loader to machine_main(): what the device tree says of memory, then the MMU.
 *
 * Runs with MMU and caches off until mmu_start(): no atomics, no unaligned accesses.
 */
#include <libfdt.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/mmu.h"
#include "arch/arm64/smp.h"
#include "arch/cpu.h"
#include "arch/machine.h"
#include "core/base/devicetree.h"
#include "core/base/log.h"
#include "core/base/string.h"

extern char image_start[], boot_end[], text_end[], rodata_end[], image_end[];

static struct machine machine;

void boot_main(const void *fdt, uint64_t level) NORETURN;

/* arch/arm64/head.S: goes on in `next` on the CPU's own stack, which has a guard page. */
void boot_leave(const struct machine *m, void (*next)(const struct machine *m)) NORETURN;

static void use(uint64_t base, uint64_t bytes)
{
    uint64_t start = ALIGN_DOWN(base, PAGE_SIZE);
    uint64_t end = ALIGN_UP(base + bytes, PAGE_SIZE);
    if (bytes == 0 || end <= start) {
        return;
    }
    if (machine.used_count == MACHINE_USED_MAX) {
        log_warn("device tree: more than %u reserved ranges; %llx is not respected",
                 MACHINE_USED_MAX, (unsigned long long)base);
        return;
    }
    machine.used[machine.used_count++] = (struct machine_range){start, end - start};
}

/* Calls `add` for every range of a node's "reg". */
static void each_reg(const void *fdt, int node, void (*add)(uint64_t, uint64_t))
{
    uint64_t base, bytes;
    for (unsigned i = 0; dt_reg(fdt, node, i, &base, &bytes) == OK; i++) {
        add(base, bytes);
    }
}

static void add_ram(uint64_t base, uint64_t bytes)
{
    uint64_t start = ALIGN_UP(base, PAGE_SIZE);
    uint64_t end = ALIGN_DOWN(base + bytes, PAGE_SIZE);
    if (end <= start || machine.ram_count == MACHINE_RAM_MAX) {
        return;
    }
    machine.ram[machine.ram_count++] = (struct machine_range){start, end - start};
}

static void find_ram(const void *fdt)
{
    int node = -1;
    while ((node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory", 7)) >= 0) {
        each_reg(fdt, node, add_ram);
    }
}

static void find_reserved(const void *fdt)
{
    for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
        uint64_t base, bytes;
        if (fdt_get_mem_rsv(fdt, i, &base, &bytes) == 0) {
            use(base, bytes);
        }
    }
    int parent = fdt_path_offset(fdt, "/reserved-memory");
    int node;
    if (parent >= 0) {
        fdt_for_each_subnode(node, fdt, parent)
        {
            each_reg(fdt, node, use);
        }
    }
}

static const char *string_property(const void *fdt, int node, const char *name)
{
    int bytes;
    const char *s = node >= 0 ? fdt_getprop(fdt, node, name, &bytes) : NULL;
    return s && bytes > 0 && s[bytes - 1] == '\0' ? s : "";
}

/* The archive's pages are given back once it is read, so they must be RAM, and nobody else's. */
static bool may_hold_initrd(uint64_t start, uint64_t end)
{
    bool in_ram = false;
    for (unsigned i = 0; i < machine.ram_count; i++) {
        const struct machine_range *r = &machine.ram[i];
        in_ram |= start >= r->base && end <= r->base + r->bytes;
    }
    for (unsigned i = 0; i < machine.used_count; i++) {
        const struct machine_range *r = &machine.used[i];
        in_ram &= end <= r->base || start >= r->base + r->bytes;
    }
    if (!in_ram) {
        log_warn("device tree: linux,initrd-start and -end, %llx to %llx, are not free RAM",
                 (unsigned long long)start, (unsigned long long)end);
    }
    return in_ram;
}

static void find_chosen(const void *fdt)
{
    int chosen = fdt_path_offset(fdt, "/chosen");
    machine.bootargs = string_property(fdt, chosen, "bootargs");
    machine.model = string_property(fdt, 0, "model");
    if (chosen < 0) {
        return;
    }
    uint64_t start = dt_number(fdt, chosen, "linux,initrd-start");
    uint64_t end = dt_number(fdt, chosen, "linux,initrd-end");
    if (end > start && may_hold_initrd(start, end)) {
        machine.initrd = (struct machine_range){start, end - start};
        use(start, end - start);
    }
}

static void sort_ranges(struct machine_range *r, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        struct machine_range x = r[i];
        unsigned j = i;
        for (; j > 0 && r[j - 1].base > x.base; j--) {
            r[j] = r[j - 1];
        }
        r[j] = x;
    }
}

/* Sorts, and joins ranges that overlap or touch. Returns how many are left. */
static unsigned normalise(struct machine_range *r, unsigned n)
{
    sort_ranges(r, n);
    unsigned out = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t end = r[i].base + r[i].bytes;
        if (out && r[i].base <= r[out - 1].base + r[out - 1].bytes) {
            r[out - 1].bytes = MAX(end, r[out - 1].base + r[out - 1].bytes) - r[out - 1].base;
        } else {
            r[out++] = r[i];
        }
    }
    return out;
}

static void describe(const void *fdt)
{
    machine.fdt = fdt;
    machine.el2_text_bytes = (uint64_t)(text_end - boot_end);
    machine.el2_rodata_bytes = (uint64_t)(rodata_end - text_end);
    machine.el2_data_bytes = (uint64_t)(image_end - rodata_end);
    machine.el2_boot_bytes = (uint64_t)(boot_end - image_start);
    find_ram(fdt);
    use((uint64_t)image_start, (uint64_t)(image_end - image_start));
    use((uint64_t)fdt, fdt_totalsize(fdt));
    find_reserved(fdt);
    find_chosen(fdt);
    machine.cpu_count = smp_find(fdt, use);
    machine.cpu_affinity = cpu_affinity;
    machine.ram_count = normalise(machine.ram, machine.ram_count);
    machine.used_count = normalise(machine.used, machine.used_count);
}

void boot_main(const void *fdt, uint64_t level)
{
    if (fdt_check_header(fdt) != 0) {
        cpu_halt(); /* nothing is known of the machine, not even where its console is */
    }
    describe(fdt);
    if (level != 2) {
        machine_wrong_level(&machine, (unsigned)level);
    }
    write_sysreg(hcr_el2, HCR_RW); /* E2H off, whatever the firmware left */
    isb();
    cpu_init(0);
    if (!mmu_start(&machine)) {
        panic(__FILE__, __LINE__, "boot tables suffice for this machine's RAM");
    }
    boot_leave(&machine, machine_main);
}
