/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EL2's view of memory and its caches. RAM is mapped at its own address, so a pointer is one.
 */
#include "arch/memory.h"
#include "arch/arm64/sysreg.h"

void *arch_ptr(pa_t pa)
{
    return (void *)pa.v;
}

pa_t arch_pa(const void *ptr)
{
    return PA((uint64_t)ptr);
}

/* Bytes of the smallest line: CTR_EL0.DminLine (bits 19:16) or IminLine (3:0), log2 of words. */
static uint64_t dcache_line(void)
{
    return 4ull << (read_sysreg(ctr_el0) >> 16 & 0xf);
}

static uint64_t icache_line(void)
{
    return 4ull << (read_sysreg(ctr_el0) & 0xf);
}

#define each_line(op, p, n, line)                                                                  \
    for (uint64_t a_ = ALIGN_DOWN((uint64_t)(p), line); a_ < (uint64_t)(p) + (n); a_ += (line)) {  \
        __asm__ volatile(op ", %0" ::"r"(a_) : "memory");                                          \
    }

void dcache_clean_poc(const void *p, size_t n)
{
    uint64_t line = dcache_line();
    each_line("dc civac", p, n, line);
    dsb(sy);
}

/* Arm ARM B2.4.4, the sequence for instructions written by a PE and fetched by any. Its DC CVAU is
 * a DC CIVAC, which does no less and which Cortex-A53 executes rightly (errata 819472, 824069,
 * 827319 and 855873). */
void icache_sync(const void *p, size_t n)
{
    uint64_t dline = dcache_line();
    each_line("dc civac", p, n, dline);
    dsb(ish);
    if ((read_sysreg(ctr_el0) >> 14 & 3) == 3) { /* CTR_EL0.L1Ip: physically indexed */
        uint64_t iline = icache_line();
        each_line("ic ivau", p, n, iline);
    } else {
        __asm__ volatile("ic ialluis" ::: "memory"); /* the guest's alias may lie elsewhere */
    }
    dsb(ish);
    isb();
}
