/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What arch keeps for each CPU. It lies on top of the CPU's stack; TPIDR_EL2 points to it, and so
 * does SP_EL2 when the stack is empty.
 *
 *      guard page, unmapped | stack, grows down            | struct cpu |
 *      stacks + n * CPU_STRIDE                              TPIDR_EL2
 */
#ifndef ARCH_ARM64_CPU_H
#define ARCH_ARM64_CPU_H

#include "arch/arm64/offsets.h"
#include "arch/arm64/sysreg.h"
#include "arch/context.h"

/* arch/arm64/vectors.S knows the first three offsets. */
struct cpu {
    struct context *loaded; /* whose system registers are in the CPU */
    struct context *(*hypercall)(struct context *c);
    struct context *(*interrupt)(struct context *c);
    struct context *fp_owner; /* whose FP/SIMD registers are in the CPU */
    uint64_t vmid_generation; /* of the identifiers handed out now; from 1 */
    uint32_t vmid_next;
    uint32_t index;
    void *local;    /* of the floors above: cpu_local() */
    uint64_t mpidr; /* its affinity */
    uint64_t interrupts, spurious;
    bool fp_open; /* CPTR_EL2.TFP is clear */
} __attribute__((aligned(64)));

extern char stacks[];

static inline struct cpu *cpu_at(unsigned index)
{
    return (struct cpu *)(stacks + (index + 1) * CPU_STRIDE) - 1;
}

static inline struct cpu *cpu_this(void)
{
    struct cpu *cpu; /* constant after cpu_init, so not volatile */
    __asm__("mrs %0, tpidr_el2" : "=r"(cpu));
    return cpu;
}

/* Sets EL2's trap configuration and the CPU's own state up on the CPU that calls it. */
void cpu_init(unsigned index);

/* Makes `to` the loaded context: saves the system registers of the one that was, loads its. Returns
 * it. Called by arch/arm64/vectors.S alone. */
struct context *world_switch(struct context *to);

/* Decodes a trap that is no hypercall and passes it up. Called by arch/arm64/vectors.S alone. */
struct context *trap_fault(struct context *c, uint64_t serror);
void trap_el2_fault(uint64_t esr, uint64_t elr, uint64_t far, uint64_t sp) NORETURN;

/* VTTBR_EL2 while no VM is loaded: VMID 0 and an empty root, so that a table walk that the CPU
 * makes ahead of time finds nothing, whatever happens to the memory of the last VM's root. */
uint64_t stage2_nobody(void);

/* EL1's translation while a VM without translation of its own is loaded, or none: constants, which
 * it can read. VTTBR_EL2 is nobody's. */
void stage1_reset(void);

void fp_save(struct context_extra *e);
void fp_load(const struct context_extra *e);

#endif
