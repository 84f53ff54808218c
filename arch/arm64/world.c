/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world switch: EL1's registers from one VM to another, FP/SIMD when it is first used.
 *
 * A VM without translation of its own cannot write the translation registers (HCR_EL2.TVM), so
 * they hold EL2's constants and are not switched for it.
 */
#include "arch/arm64/cpu.h"
#include "arch/context.h"
#include "core/base/log.h"
#include "core/base/string.h"

/* Between two VMs' translations comes nobody's: a walk that began with registers of both would
 * leave entries in the TLB for the VM whose identifier VTTBR_EL2 has. The architecture lets EL2
 * make none, but Cortex-A53, A57, A72 and A76 may speculate an AT instruction (errata 1530924,
 * 1319537, 1319367 and 1165522). Of a VM without translation of its own only VTTBR_EL2 changes, at
 * once. */
static void translate_for_nobody(void)
{
    write_sysreg(vttbr_el2, stage2_nobody());
    isb(); /* before stage 1 changes */
}

/* VTTBR_EL2 is loaded afterwards. */
static void load_mmu(const struct context_extra *e)
{
    translate_for_nobody();
    write_sysreg(ttbr0_el1, e->ttbr0_el1);
    write_sysreg(ttbr1_el1, e->ttbr1_el1);
    write_sysreg(tcr_el1, e->tcr_el1);
    write_sysreg(mair_el1, e->mair_el1);
    write_sysreg(amair_el1, e->amair_el1);
    write_sysreg(contextidr_el1, e->contextidr_el1);
    write_sysreg(sctlr_el1, e->sctlr_el1);
    write_sysreg(hcr_el2, HCR_GUEST_MMU);
    isb(); /* stage 1, before VTTBR_EL2 */
}

void stage1_reset(void)
{
    write_sysreg(ttbr0_el1, 0);
    write_sysreg(ttbr1_el1, 0);
    write_sysreg(tcr_el1, 0);
    write_sysreg(mair_el1, 0);
    write_sysreg(amair_el1, 0);
    write_sysreg(contextidr_el1, 0);
    write_sysreg(sctlr_el1, SCTLR_EL1_INIT);
    write_sysreg(hcr_el2, HCR_GUEST_FLAT);
    isb(); /* stage 1, before VTTBR_EL2 */
}

static void save_mmu(struct context_extra *e)
{
    e->ttbr0_el1 = read_sysreg(ttbr0_el1);
    e->ttbr1_el1 = read_sysreg(ttbr1_el1);
    e->tcr_el1 = read_sysreg(tcr_el1);
    e->mair_el1 = read_sysreg(mair_el1);
    e->amair_el1 = read_sysreg(amair_el1);
    e->contextidr_el1 = read_sysreg(contextidr_el1);
    e->sctlr_el1 = read_sysreg(sctlr_el1);
    translate_for_nobody();
    stage1_reset();
}

/* Two registers at a time: they lie side by side in the context, and one instruction moves both. */
#define SAVE2(c, a, b)                                                                             \
    do {                                                                                           \
        uint64_t a_ = read_sysreg(a);                                                              \
        uint64_t b_ = read_sysreg(b);                                                              \
        (c)->a = a_;                                                                               \
        (c)->b = b_;                                                                               \
    } while (0)

#define LOAD2(c, a, b)                                                                             \
    do {                                                                                           \
        uint64_t a_, b_;                                                                           \
        _Static_assert(offsetof(struct context, a) + 8 == offsetof(struct context, b), "a pair");  \
        __asm__("ldp %0, %1, [%2, %3]"                                                             \
                : "=r"(a_), "=r"(b_)                                                               \
                : "r"(c), "i"(offsetof(struct context, a)), "m"(*(c)));                            \
        write_sysreg(a, a_);                                                                       \
        write_sysreg(b, b_);                                                                       \
    } while (0)

static inline void save_system(struct context *c)
{
    SAVE2(c, sp_el0, sp_el1);
    SAVE2(c, elr_el1, spsr_el1);
    SAVE2(c, esr_el1, far_el1);
    SAVE2(c, vbar_el1, tpidr_el1);
    SAVE2(c, tpidr_el0, tpidrro_el0);
    SAVE2(c, par_el1, cpacr_el1);
    SAVE2(c, cntkctl_el1, cntv_cval_el0);
    c->cntv_ctl_el0 = read_sysreg(cntv_ctl_el0);
    if (unlikely(c->cntv_ctl_el0 & TIMER_ENABLE)) {
        write_sysreg(cntv_ctl_el0, 0);
    }
    if (unlikely(c->own_mmu)) {
        save_mmu(c->extra);
    }
}

static inline void load_system(const struct context *c)
{
    if (unlikely(c->own_mmu)) {
        load_mmu(c->extra);
    }
    LOAD2(c, sp_el0, sp_el1);
    LOAD2(c, elr_el1, spsr_el1);
    LOAD2(c, esr_el1, far_el1);
    LOAD2(c, vbar_el1, tpidr_el1);
    LOAD2(c, tpidr_el0, tpidrro_el0);
    LOAD2(c, par_el1, cpacr_el1);
    LOAD2(c, vttbr_el2, cntvoff_el2);
    LOAD2(c, cntkctl_el1, cntv_cval_el0);
    if (unlikely(c->cntv_ctl_el0 & TIMER_ENABLE)) {
        isb(); /* the offset before the timer that counts with it */
        write_sysreg(cntv_ctl_el0, c->cntv_ctl_el0);
    }
}

/* Traps FP/SIMD unless its registers hold those of `c`. The exception return to the guest is the
 * context synchronisation that CPTR_EL2 needs. */
static void fp_guard(struct cpu *cpu, const struct context *c)
{
    bool open = c && cpu->fp_owner == c;
    if (open != cpu->fp_open) {
        cpu->fp_open = open;
        write_sysreg(cptr_el2, open ? CPTR_BASE : CPTR_BASE | CPTR_TFP);
    }
}

struct context *world_switch(struct context *to)
{
    struct cpu *cpu = cpu_this();
    if (cpu->loaded) {
        save_system(cpu->loaded);
    }
    cpu->loaded = to;
    load_system(to);
    if (unlikely(cpu->fp_owner)) { /* with no owner it is closed already */
        fp_guard(cpu, to);
    }
    return to;
}

void context_set_clock(struct context *c, uint64_t offset)
{
    c->cntvoff_el2 = offset;
    if (cpu_this()->loaded == c) {
        write_sysreg(cntvoff_el2, offset);
    }
}

void context_unload(void)
{
    struct cpu *cpu = cpu_this();
    if (cpu->loaded) {
        save_system(cpu->loaded);
        cpu->loaded = NULL;
        translate_for_nobody();
        fp_guard(cpu, NULL);
    }
}

static void fp_open(struct cpu *cpu)
{
    cpu->fp_open = true;
    write_sysreg(cptr_el2, CPTR_BASE);
    isb(); /* before EL2 itself touches the registers */
}

static void fp_write_back(struct cpu *cpu)
{
    fp_save(cpu->fp_owner->extra);
    cpu->fp_owner = NULL;
}

void context_take_fp(struct context *c)
{
    struct cpu *cpu = cpu_this();
    fp_open(cpu);
    if (cpu->fp_owner && cpu->fp_owner != c) {
        fp_write_back(cpu);
    }
    fp_load(c->extra); /* zeroes at first */
    cpu->fp_owner = c;
}

void context_retire(struct context *c, bool save)
{
    struct cpu *cpu = cpu_this();
    if (cpu->fp_owner == c) {
        if (save) {
            fp_open(cpu);
            fp_write_back(cpu);
        }
        cpu->fp_owner = NULL;
    }
    if (cpu->loaded == c) {
        context_unload();
    } else {
        fp_guard(cpu, cpu->loaded);
    }
}

void context_init(struct context *c, uint64_t pc, uint64_t sp, uint64_t arg, bool own_mmu,
                  struct context_extra *extra)
{
    memset(c, 0, sizeof(*c));
    c->pc = pc;
    c->sp_el1 = sp;
    c->x[0] = arg;
    c->pstate = PSTATE_EL1H | PSTATE_DAIF;
    c->cpacr_el1 = 3u << 20; /* the guest's own FP trap is open; EL2's decides */
    c->own_mmu = own_mmu;
    c->extra = extra;
    if (own_mmu) {
        extra->sctlr_el1 = SCTLR_EL1_INIT;
    }
}

void context_clone(struct context *to, const struct context *from, struct context_extra *extra)
{
    *to = *from;
    to->extra = extra;
    if (extra) {
        *extra = *from->extra;
    }
}

void context_mask_vtimer(void)
{
    write_sysreg(cntv_ctl_el0, read_sysreg(cntv_ctl_el0) | TIMER_IMASK);
    isb(); /* the line is down before the interrupt controller is told that it was handled */
}
