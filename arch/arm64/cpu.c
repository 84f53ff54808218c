/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This CPU: what EL2 traps, and the state that EL2 keeps for it.
 */
#include "arch/arm64/cpu.h"
#include "arch/cpu.h"
#include "core/base/log.h"
#include "core/base/string.h"

extern char vectors[];

_Static_assert(offsetof(struct context, x) == CONTEXT_X0, "vectors.S");
_Static_assert(offsetof(struct context, x[30]) == CONTEXT_X30, "vectors.S");
_Static_assert(offsetof(struct context, pc) == CONTEXT_PC, "vectors.S");
_Static_assert(offsetof(struct context, pstate) == CONTEXT_PSTATE, "vectors.S");
_Static_assert(offsetof(struct cpu, loaded) == CPU_LOADED, "vectors.S");
_Static_assert(offsetof(struct cpu, hypercall) == CPU_HYPERCALL, "vectors.S");
_Static_assert(offsetof(struct cpu, interrupt) == CPU_INTERRUPT, "vectors.S");
_Static_assert(offsetof(struct context_extra, fpcr) == 512, "vectors.S");
_Static_assert(sizeof(struct cpu) == CPU_BYTES, "head.S");
_Static_assert(CPUS_MAX == 8, "head.S, vectors.S");

/* Arm ARM D19.2: registers that decide what a guest may do without EL2. */
static void trap_configure(void)
{
    write_sysreg(vttbr_el2, stage2_nobody());
    stage1_reset();
    write_sysreg(cptr_el2, CPTR_BASE | CPTR_TFP);
    uint64_t counters = (read_sysreg(pmcr_el0) >> 11) & 0x1f;
    write_sysreg(mdcr_el2,
                 counters | MDCR_TPMCR | MDCR_TPM | MDCR_TDE | MDCR_TDA | MDCR_TDOSA | MDCR_TDRA);
    write_sysreg(cnthctl_el2, 0); /* the physical counter and timer trap */
    write_sysreg(hstr_el2, 0);
    write_sysreg(vpidr_el2, read_sysreg(midr_el1));
    write_sysreg(vmpidr_el2, 1ull << 31); /* every VM is a uniprocessor: CPU 0 of 1 */
    write_sysreg(vbar_el2, (uint64_t)vectors);
    isb();
    /* What the TLB has for EL1 is of registers that firmware left: the VMID in VTTBR_EL2 was any.
     */
    __asm__ volatile("tlbi alle1" ::: "memory");
    dsb(nsh);
    isb();
}

void cpu_init(unsigned index)
{
    struct cpu *c = cpu_at(index);
    memset(c, 0, sizeof(*c));
    c->index = index;
    c->mpidr = read_sysreg(mpidr_el1) & MPIDR_AFFINITY;
    c->vmid_generation = 1;
    c->vmid_next = 1;
    write_sysreg(tpidr_el2, (uint64_t)c);
    trap_configure();
}

void cpu_set_local(void *local)
{
    cpu_this()->local = local;
}

void *cpu_local(void)
{
    return cpu_this()->local;
}

unsigned cpu_index(void)
{
    return cpu_this()->index;
}

void cpu_wait(void)
{
    dsb(sy); /* what must be seen before sleeping is complete (Arm ARM D1.6.2) */
    __asm__ volatile("wfi");
}

void cpu_halt(void)
{
    for (;;) {
        __asm__ volatile("wfi");
    }
}
