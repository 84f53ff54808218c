/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the boot loader to machine_main(): the device tree, then the MMU.
 *
 * Runs with MMU and caches off until mmu_start(): no atomics, no unaligned accesses.
 */
#include <libfdt.h>

#include "arch/arm64/boot_tree.h"
#include "arch/arm64/cpu.h"
#include "arch/arm64/mmu.h"
#include "arch/arm64/smp.h"
#include "arch/cpu.h"
#include "arch/machine.h"
#include "arch/memory.h"
#include "core/base/log.h"

extern char image_start[], boot_end[], text_end[], rodata_end[], image_end[];

static struct machine machine;

void boot_main(const void *fdt, uint64_t level) NORETURN;

/* arch/arm64/head.S: goes on in `next` on the CPU's own stack, which has a guard page. */
void boot_leave(const struct machine *m, void (*next)(const struct machine *m)) NORETURN;

static void describe(const void *fdt)
{
    machine.el2_text_bytes = (uint64_t)(text_end - boot_end);
    machine.el2_rodata_bytes = (uint64_t)(rodata_end - text_end);
    machine.el2_data_bytes = (uint64_t)(image_end - rodata_end);
    machine.el2_boot_bytes = (uint64_t)(boot_end - image_start);
    uint64_t bytes = (uint64_t)(image_end - image_start);
    boot_tree_read(&machine, fdt, (uint64_t)fdt,
                   (struct machine_range){(uint64_t)image_start, bytes});
    machine.cpu_count = smp_find(fdt);
    machine.cpu_affinity = cpu_affinity;
}

void boot_main(const void *fdt, uint64_t level)
{
    /* The tree is read past the caches, and no protocol has the loader clean it. */
    dcache_clean_poc(fdt, sizeof(struct fdt_header));
    if (!boot_tree_is_sound(fdt) || (uint64_t)fdt >> BOOT_ADDRESS_BITS) {
        cpu_halt(); /* nothing is known of the machine, not even where its console is */
    }
    dcache_clean_poc(fdt, fdt_totalsize(fdt));
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
