/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EL2's own translation (VMSAv8-64, one range from 0, 39 bits, 4 KiB granule; Arm ARM D8).
 *
 *      boot text RX | boot rodata R | text RX | rodata R | data, bss RW | guard, stack ... |
 *      rest of RAM RW
 *
 * RAM outside the image is mapped with the largest blocks that fit. The image's own RAM has no
 * second mapping, so nothing is writable under another address. Devices are added when found.
 * After boot the two parts that only it needs become RW.
 */
#include "arch/arm64/mmu.h"
#include "arch/arm64/boot_tree.h"
#include "arch/arm64/cpu.h"
#include "arch/memory.h"
#include "core/base/string.h"

#define ENTRIES 512
#define LEVELS 3 /* 1: 1 GiB, 2: 2 MiB, 3: 4 KiB an entry */
#define VA_BITS BOOT_ADDRESS_BITS

/* The root, two and two at the ends of each range of RAM, two and two for the image, and for
 * devices: one for each GiB and each 2 MiB that has any. */
#define TABLES_FOR_RAM (1 + 4 * (MACHINE_RAM_MAX + 1))
#define TABLE_POOL (TABLES_FOR_RAM + 11)

#define DESC_VALID 1ull
#define DESC_TABLE 2ull /* or a page, at the last level */
#define DESC_ADDRESS 0x0000fffffffff000ull
#define DESC_RES1 (1ull << 6)
#define DESC_RO (1ull << 7)
#define DESC_SH_INNER (3ull << 8)
#define DESC_AF (1ull << 10)
#define DESC_XN (1ull << 54)
#define ATTR_DEVICE (0ull << 2)
#define ATTR_NORMAL (1ull << 2)
#define MAIR ((0x04ull << 0) | (0xffull << 8)) /* Device-nGnRE; Normal, write-back */

#define NORMAL (DESC_RES1 | DESC_SH_INNER | DESC_AF | ATTR_NORMAL)
#define MAP_RX (NORMAL | DESC_RO)
#define MAP_R (NORMAL | DESC_RO | DESC_XN)
#define MAP_RW (NORMAL | DESC_XN)
#define MAP_DEVICE (DESC_RES1 | DESC_AF | DESC_XN | ATTR_DEVICE)

/* TCR_EL2: 39 bits, inner shareable write-back walks, 4 KiB; bits 31 and 23 are RES1. */
#define TCR (1ull << 31 | 1ull << 23 | 3ull << 12 | 1ull << 10 | 1ull << 8 | (64 - VA_BITS))
/* VTCR_EL2: 25 bits of IPA from level 2 (16 entries), walks as above; bit 31 is RES1. */
#define VTCR (1ull << 31 | 3ull << 12 | 1ull << 10 | 1ull << 8 | (64 - 25))
/* SCTLR_EL2: RES1 bits, MMU, caches, stack alignment, and write implies execute-never. */
#define SCTLR (0x30c50830ull | 1ull << 19 | 1ull << 12 | 1ull << 3 | 1ull << 2 | 1ull << 0)

extern char image_start[], boot_text_end[], boot_end[], text_end[], rodata_end[];
extern char stacks_start[], image_end[];

struct mmu_registers mmu_registers;

static uint64_t tables[TABLE_POOL][ENTRIES] __attribute__((aligned(4096)));
static unsigned tables_used = 1; /* tables[0] is the root */
static const struct machine *mapped;

static unsigned level_shift(unsigned level)
{
    return 39 - 9 * level;
}

/* The table that `entry` points to, made if there is none. NULL: the pool is used up. */
static uint64_t *next_table(uint64_t *entry)
{
    if (!(*entry & DESC_VALID)) {
        if (tables_used == TABLE_POOL) {
            return NULL;
        }
        uint64_t *table = tables[tables_used++];
        dsb(ishst); /* the table is empty before it is linked: partner is the table walk */
        *entry = (uint64_t)table | DESC_VALID | DESC_TABLE;
    }
    return (uint64_t *)(*entry & DESC_ADDRESS);
}

/* The largest level whose block at `va` lies within [va, end). */
static unsigned block_level(uint64_t va, uint64_t end)
{
    for (unsigned level = 1; level < LEVELS; level++) {
        uint64_t size = 1ull << level_shift(level);
        if (IS_ALIGNED(va, size) && end - va >= size) {
            return level;
        }
    }
    return LEVELS;
}

static bool map_one(uint64_t va, unsigned level, uint64_t attributes)
{
    uint64_t *table = tables[0];
    for (unsigned l = 1; l < level; l++) {
        uint64_t *above = &table[va >> level_shift(l) & (ENTRIES - 1)];
        if ((*above & (DESC_VALID | DESC_TABLE)) == DESC_VALID) {
            return true; /* in a block: it is mapped, and stays as it is */
        }
        table = next_table(above);
        if (!table) {
            return false;
        }
    }
    uint64_t *entry = &table[va >> level_shift(level) & (ENTRIES - 1)];
    if (!(*entry & DESC_VALID)) { /* a device page may be asked for twice */
        *entry = va | attributes | DESC_VALID | (level == LEVELS ? DESC_TABLE : 0);
    }
    return true;
}

static bool map(uint64_t start, uint64_t end, uint64_t attributes)
{
    start = ALIGN_DOWN(start, PAGE_SIZE);
    end = ALIGN_UP(end, PAGE_SIZE);
    while (start < end) {
        unsigned level = block_level(start, end);
        if (!map_one(start, level, attributes)) {
            return false;
        }
        start += 1ull << level_shift(level);
    }
    return true;
}

static bool map_image(void)
{
    bool ok = map((uint64_t)image_start, (uint64_t)boot_text_end, MAP_RX) &&
              map((uint64_t)boot_text_end, (uint64_t)boot_end, MAP_R) &&
              map((uint64_t)boot_end, (uint64_t)text_end, MAP_RX) &&
              map((uint64_t)text_end, (uint64_t)rodata_end, MAP_R) &&
              map((uint64_t)rodata_end, (uint64_t)stacks_start, MAP_RW);
    for (unsigned i = 0; ok && i < CPUS_MAX; i++) {
        uint64_t guard = (uint64_t)stacks + i * CPU_STRIDE;
        ok = map(guard + PAGE_SIZE, guard + CPU_STRIDE, MAP_RW);
    }
    return ok;
}

/* RAM outside the image. */
static bool map_ram(const struct machine_range *r)
{
    uint64_t start = r->base;
    uint64_t end = r->base + r->bytes;
    uint64_t hole = (uint64_t)image_start;
    uint64_t hole_end = (uint64_t)image_end;
    if (hole >= end || hole_end <= start) {
        return map(start, end, MAP_RW);
    }
    return map(start, MAX(start, hole), MAP_RW) && map(MIN(end, hole_end), end, MAP_RW);
}

/* TCR_EL2.PS and VTCR_EL2.PS. EL2 maps VA_BITS at their own addresses and gives guests no others,
 * so 40 bits (2) do, which the CPUs of one machine have in common where they differ in the rest:
 * Cortex-A53 has 40, Cortex-A72 44. */
static uint64_t physical_range(void)
{
    uint64_t range = read_sysreg(id_aa64mmfr0_el1) & 0xf;
    return MIN(range, 2ull);
}

/* What was written with the MMU off is in memory; lines of it that a boot loader's cache still
 * holds are stale and must go before they are seen (Arm ARM D7.5.9.1). */
static void discard_stale_lines(void)
{
    uint64_t line = 4ull << (read_sysreg(ctr_el0) >> 16 & 0xf);
    dsb(sy);
    for (uint64_t a = (uint64_t)image_start; a < (uint64_t)image_end; a += line) {
        __asm__ volatile("dc ivac, %0" ::"r"(a) : "memory");
    }
    dsb(sy);
}

bool mmu_start(const struct machine *m)
{
    mapped = m;
    if (!map_image()) {
        return false;
    }
    for (unsigned i = 0; i < m->ram_count; i++) {
        if (!map_ram(&m->ram[i])) {
            return false;
        }
    }
    uint64_t range = physical_range() << 16;
    mmu_registers =
        (struct mmu_registers){MAIR, TCR | range, VTCR | range, (uint64_t)tables[0], SCTLR};
    discard_stale_lines();
    mmu_enable(&mmu_registers);
    return true;
}

static bool touches_ram(uint64_t start, uint64_t end)
{
    bool is = false;
    for (unsigned i = 0; mapped && i < mapped->ram_count; i++) {
        const struct machine_range *r = &mapped->ram[i];
        is |= start < r->base + r->bytes && r->base < end;
    }
    return is;
}

bool mmu_has_ram(uint64_t at)
{
    return touches_ram(at, at + 1);
}

/* Nothing has two memory types: a device that a tree puts into RAM is refused. */
enum err machine_map_device(uint64_t base, uint64_t bytes)
{
    uint64_t start = ALIGN_DOWN(base, PAGE_SIZE);
    if (bytes == 0 || base + bytes < base || base + bytes > 1ull << VA_BITS ||
        touches_ram(start, ALIGN_UP(base + bytes, PAGE_SIZE))) {
        return ERR_RANGE;
    }
    bool ok = map(base, base + bytes, MAP_DEVICE);
    dsb(ishst); /* entries were invalid before: nothing to break, only to be seen */
    isb();
    return ok ? OK : ERR_NO_MEMORY;
}

/* The level 3 entry of a page of the image; the boot's part of it is too small for blocks. */
RESIDENT static uint64_t *image_entry(uint64_t va)
{
    uint64_t *table = tables[0];
    for (unsigned l = 1; l < LEVELS; l++) {
        table = (uint64_t *)(table[va >> (39 - 9 * l) & (ENTRIES - 1)] & DESC_ADDRESS);
    }
    return &table[va >> PAGE_SHIFT & (ENTRIES - 1)];
}

/* Break before make, on all CPUs (Arm ARM D8.14.1): a CPU that fetched ahead may hold the old
 * translation. Nobody uses the pages meanwhile. */
RESIDENT struct machine_range machine_release_boot(void)
{
    uint64_t start = (uint64_t)image_start, end = (uint64_t)boot_end;
    for (uint64_t va = start; va < end; va += PAGE_SIZE) {
        *image_entry(va) = 0;
    }
    dsb(ishst); /* partner: the table walks of all CPUs */
    for (uint64_t va = start; va < end; va += PAGE_SIZE) {
        __asm__ volatile("tlbi vae2is, %0" ::"r"(va >> PAGE_SHIFT) : "memory");
    }
    dsb(ish);
    isb();
    for (uint64_t va = start; va < end; va += PAGE_SIZE) {
        *image_entry(va) = va | MAP_RW | DESC_VALID | DESC_TABLE;
    }
    dsb(ishst); /* before anybody is given one of the pages: partner as above */
    isb();
    return (struct machine_range){start, end - start};
}
