/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stage 1 by the Arm ARM, D8: level 2 is the root (TCR_EL1.T0SZ = 34), and tables of level 3.
 *
 *   root[0]   --> low[]    memory at its own address
 *   root[256] --> high[0]  the window
 *   root[257] --> a page that stage 2 does not have before a walk comes to it
 */
#include "tests/guests/mmu/stage1.h"

#include "abi/system_page.h"

#define ENTRIES 512
#define TABLE 3ull
#define PAGE (3ull | 1ull << 10 | 3ull << 8) /* AF, inner shareable, MAIR 0, EL1 only */
#define INDEX_L2(a) ((a) >> 21 & (ENTRIES - 1))
#define INDEX_L3(a) ((a) >> 12 & (ENTRIES - 1))

#define MAIR 0xFFull /* 0: normal, write-back */
#define TCR (34ull | 1ull << 8 | 1ull << 10 | 3ull << 12 | 1ull << 23)
#define SCTLR_M (1ull << 0)
#define SCTLR_C (1ull << 2)
#define SCTLR_I (1ull << 12)

typedef uint64_t table_t[ENTRIES] __attribute__((aligned(4096)));

static table_t root, low, high, untouched;
volatile uint64_t aborts, abort_esr, abort_far;

/* What was written with the MMU off is in memory; no cache may have something older. */
static void forget_cached(const void *from, uint64_t bytes)
{
    uint64_t ctr;

    __asm__("mrs %0, ctr_el0" : "=r"(ctr));
    uint64_t line = 4ull << (ctr >> 16 & 15);
    for (uint64_t at = (uintptr_t)from & ~(line - 1); at < (uintptr_t)from + bytes; at += line) {
        __asm__ volatile("dc ivac, %0" ::"r"(at) : "memory");
    }
    __asm__ volatile("dsb sy" ::: "memory");
}

void stage1_build(uint64_t memory_bytes, const volatile void *page)
{
    root[0] = (uintptr_t)low | TABLE;
    root[INDEX_L2(WINDOW)] = (uintptr_t)high | TABLE;
    root[INDEX_L2(UNTOUCHED)] = (uintptr_t)untouched | TABLE;
    for (uint64_t at = TOKLAT_SYSTEM_PAGE; at < memory_bytes; at += TOKLAT_PAGE_BYTES) {
        low[INDEX_L3(at)] = at | PAGE;
    }
    high[INDEX_L3(WINDOW)] = (uintptr_t)page | PAGE;
}

bool stage1_is_on(void)
{
    uint64_t sctlr;

    __asm__ volatile("mrs %0, sctlr_el1" : "=r"(sctlr));
    return sctlr & SCTLR_M;
}

void stage1_on(void)
{
    extern char rt_rodata_end[], rt_image_end[];
    uint64_t sctlr;

    forget_cached(rt_rodata_end, (uint64_t)(rt_image_end - rt_rodata_end));
    forget_cached(&sctlr, TOKLAT_PAGE_BYTES / 4); /* the stack's part in use */
    __asm__ volatile("msr mair_el1, %1\n\t"
                     "msr tcr_el1, %2\n\t"
                     "msr ttbr0_el1, %3\n\t"
                     "isb\n\t"
                     "tlbi vmalle1\n\t"
                     "dsb nsh\n\t"
                     "isb\n\t"
                     "mrs %0, sctlr_el1\n\t"
                     "orr %0, %0, %4\n\t"
                     "msr sctlr_el1, %0\n\t"
                     "isb"
                     : "=&r"(sctlr)
                     : "r"(MAIR), "r"(TCR), "r"(root), "r"(SCTLR_M | SCTLR_C | SCTLR_I)
                     : "memory");
}

void stage1_move_window(const volatile void *page)
{
    volatile uint64_t *entry = &high[INDEX_L3(WINDOW)];

    *entry = 0;
    __asm__ volatile("dsb nshst\n\t"
                     "tlbi vaae1, %0\n\t"
                     "dsb nsh\n\t"
                     "isb" ::"r"(WINDOW >> 12)
                     : "memory");
    *entry = (uintptr_t)page | PAGE;
    __asm__ volatile("dsb nshst\n\t"
                     "isb" ::
                         : "memory");
}
