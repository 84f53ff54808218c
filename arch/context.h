/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contract: the registers of a VM, and what happens when it traps.
 *
 * A trap saves the VM's registers into its context and calls one of `struct trap_ops`; the context
 * that this returns is entered next. The functions run on the CPU's one stack, with interrupts
 * masked, to completion.
 */
#ifndef ARCH_CONTEXT_H
#define ARCH_CONTEXT_H

#include "core/base/types.h"

/* Saved lazily, and only for a VM that uses them: FP/SIMD registers, and those of a guest's own
 * stage 1 translation. 1 KiB of memory, given by the owner of the context. */
struct context_extra {
    uint8_t v[32][16];
    uint64_t fpcr, fpsr;
    uint64_t sctlr_el1, ttbr0_el1, ttbr1_el1, tcr_el1, mair_el1, amair_el1, contextidr_el1;
};

/* arch/arm64/vectors.S knows the offsets of x, pc and pstate. */
struct context {
    uint64_t x[31];
    uint64_t pc;
    uint64_t pstate;
    /* EL1 and EL0 system registers of a VM that does not run. */
    uint64_t sp_el0, sp_el1;
    uint64_t elr_el1, spsr_el1;
    uint64_t esr_el1, far_el1;
    uint64_t vbar_el1, tpidr_el1;
    uint64_t tpidr_el0, tpidrro_el0;
    uint64_t par_el1, cpacr_el1;
    /* Set by the owner before each entry, with context_set_space and context_set_clock. */
    uint64_t vttbr_el2, cntvoff_el2;
    uint64_t cntkctl_el1, cntv_cval_el0;
    uint64_t cntv_ctl_el0;
    uint64_t own_mmu;
    struct context_extra *extra; /* NULL until needed */
};

enum trap_kind {
    TRAP_DATA_ABORT,        /* at `ipa`; `write` says how */
    TRAP_INSTRUCTION_ABORT, /* at `ipa` */
    TRAP_WFI,
    TRAP_WFE,
    TRAP_SMC,
    TRAP_FP,     /* FP/SIMD is not this VM's now */
    TRAP_SYSREG, /* a system register access that EL2 does not allow */
    TRAP_SERROR,
    TRAP_OTHER,
};

struct trap {
    enum trap_kind kind;
    ipa_t ipa;
    bool write;
    bool permanent; /* an abort that no mapping cures: address size, external, alignment */
    uint64_t esr;   /* syndrome, for messages */
    uint64_t far;
};

struct trap_ops {
    /* May return NULL: nothing but x0-x3 of `c` changed, and `c` goes on. */
    struct context *(*hypercall)(struct context *c);
    struct context *(*interrupt)(struct context *c);
    struct context *(*fault)(struct context *c, const struct trap *t);
};

/* Says who handles traps; before the first context is entered. */
void trap_set_ops(const struct trap_ops *ops);

/* Gives up the boot thread of control and enters `c`. */
void context_enter(struct context *c) NORETURN;

/* The state at which a guest starts: EL1h, all exceptions masked, at `pc` with `sp` and x0 = arg.
 * `own_mmu` needs `extra`, zeroed. */
void context_init(struct context *c, uint64_t pc, uint64_t sp, uint64_t arg, bool own_mmu,
                  struct context_extra *extra);

/* Copies a stopped VM's registers; `extra` is the clone's own, or NULL when `from` has none. */
void context_clone(struct context *to, const struct context *from, struct context_extra *extra);

/* Which root translates for `c`, under which identifier. */
static inline void context_set_space(struct context *c, uint64_t root_pa, uint16_t vmid)
{
    c->vttbr_el2 = root_pa | (uint64_t)vmid << 48;
}

/* Skips the trapped instruction (4 bytes). */
static inline void context_skip(struct context *c)
{
    c->pc += 4;
}

/* Whether the guest has PSTATE.I clear: it takes fabricated exceptions. */
static inline bool context_takes_events(const struct context *c)
{
    return !(c->pstate & (1u << 7));
}

/* Makes `c` take an IRQ exception to EL1 when it is entered, as hardware would (Arm ARM D1.3.1). */
void context_raise_irq(struct context *c);

/* Sets the virtual counter of `c` for its next run: virtual = physical - `offset`. */
void context_set_clock(struct context *c, uint64_t offset);

/* Saves what the CPU holds of the loaded VM: nobody runs, and its virtual timer must not fire. */
void context_unload(void);

/* Makes `c` take an undefined-instruction exception to EL1. It is the running one. */
void context_raise_undefined(struct context *c);

/* Gives FP/SIMD to the running `c`, whose `extra` is set; saves it for whoever had it. */
void context_take_fp(struct context *c);

/* Forgets `c`: it is about to be freed, or cloned from. With `save`, its live system registers and
 * FP state are first written back to it. */
void context_retire(struct context *c, bool save);

/* The running VM's virtual timer fired: masks it, as documented in the virtual architecture. */
void context_mask_vtimer(void);

#endif
