/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traps decoded, and exceptions that EL2 makes for a guest.
 */
#include "arch/arm64/cpu.h"
#include "arch/context.h"
#include "core/base/log.h"

static struct context *(*fault_handler)(struct context *c, const struct trap *t);

void trap_set_ops(const struct trap_ops *ops)
{
    struct cpu *cpu = cpu_this();
    cpu->hypercall = ops->hypercall;
    cpu->interrupt = ops->interrupt;
    fault_handler = ops->fault;
}

/* Faults that a mapping can cure: translation, access flag and permission, at any level. */
static bool abort_is_permanent(uint64_t esr)
{
    uint64_t type = ESR_FSC_TYPE(esr);
    return type < FSC_TRANSLATION || type > FSC_PERMISSION;
}

/* What stage 1 of the running VM makes of an address; false: nothing. PAR_EL1 is the VM's. */
static bool translate(uint64_t va, uint64_t *ipa)
{
    uint64_t saved = read_sysreg(par_el1);
    __asm__ volatile("at s1e1r, %0" ::"r"(va) : "memory");
    isb();
    uint64_t par = read_sysreg(par_el1);
    write_sysreg(par_el1, saved);
    *ipa = par & PAR_ADDRESS;
    return !(par & PAR_F);
}

/* Of a fault of stage 2. HPFAR_EL2 has the page, but not on a permission fault, unless it is one of
 * a table walk of stage 1 (Arm ARM D19.2, HPFAR_EL2: UNKNOWN then). FAR_EL2 has the address, which
 * is the page's where stage 1 is off; of a table walk's fault it is the one that was walked for. */
static bool find_ipa(const struct context *c, struct trap *t)
{
    bool walk = t->esr & ESR_S1PTW, found = true;
    uint64_t page = (read_sysreg(hpfar_el2) >> 4 & 0xFFFFFFFFFull) << PAGE_SHIFT;
    if (!walk && ESR_FSC_TYPE(t->esr) == FSC_PERMISSION) {
        page = ALIGN_DOWN(t->far, PAGE_SIZE);
        found = !c->own_mmu || translate(t->far, &page);
    }
    t->ipa = IPA(walk ? page : page | (t->far & PAGE_MASK));
    return found;
}

/* Tables of stage 1 are read, also for a fetch, and written only to set flags, which faults for
 * permission. So does cache maintenance that destroys (DC IVAC: Arm ARM D7.5.9); other maintenance
 * has WnR set, and only needs to read. False: stage 1 was changed since. */
static bool decode_abort(const struct context *c, struct trap *t)
{
    bool permission = ESR_FSC_TYPE(t->esr) == FSC_PERMISSION;
    t->permanent = abort_is_permanent(t->esr);
    if (t->esr & ESR_S1PTW) {
        t->kind = TRAP_DATA_ABORT;
        t->write = permission;
    } else if (t->kind == TRAP_DATA_ABORT) {
        t->write = (t->esr & ESR_WNR) && (!(t->esr & ESR_CM) || permission);
    }
    return find_ipa(c, t);
}

static enum trap_kind trap_kind(uint64_t esr)
{
    switch (ESR_EC(esr)) {
    case EC_WFX:
        return esr & 1 ? TRAP_WFE : TRAP_WFI;
    case EC_FP:
        return TRAP_FP;
    case EC_SMC64:
        return TRAP_SMC;
    case EC_SYSREG:
        return TRAP_SYSREG;
    case EC_INSTRUCTION_ABORT:
        return TRAP_INSTRUCTION_ABORT;
    case EC_DATA_ABORT:
        return TRAP_DATA_ABORT;
    default:
        return TRAP_OTHER;
    }
}

struct context *trap_fault(struct context *c, uint64_t serror)
{
    struct trap t = {.esr = read_sysreg(esr_el2), .far = read_sysreg(far_el2)};
    t.kind = serror ? TRAP_SERROR : trap_kind(t.esr);
    bool is_abort = t.kind == TRAP_DATA_ABORT || t.kind == TRAP_INSTRUCTION_ABORT;
    if (is_abort && !decode_abort(c, &t)) {
        return c; /* it tries again, and takes its own fault */
    }
    return fault_handler(c, &t);
}

void trap_el2_fault(uint64_t esr, uint64_t elr, uint64_t far, uint64_t sp)
{
    extern char image_start[];
    log_error("fault in EL2: ESR_EL2 %llx ELR_EL2 image+%llx FAR_EL2 %llx SP_EL2 %llx",
              (unsigned long long)esr, (unsigned long long)(elr - (uint64_t)image_start),
              (unsigned long long)far, (unsigned long long)sp);
    panic(__FILE__, __LINE__, "EL2 runs without a fault");
}

/* Arm ARM D1.3.1 (AArch64.TakeException): the vector's offset by where the exception comes from. */
static uint64_t vector_offset(uint64_t pstate)
{
    switch (PSTATE_MODE(pstate)) {
    case PSTATE_EL1H:
        return 0x200;
    case PSTATE_EL1T:
        return 0x000;
    default:
        return 0x400;
    }
}

#define VECTOR_SYNC 0x000
#define VECTOR_IRQ 0x080

static uint64_t exception_state(struct context *c, uint64_t vbar, uint64_t vector)
{
    uint64_t interrupted = c->pstate;
    c->pc = vbar + vector_offset(interrupted) + vector;
    c->pstate = PSTATE_EL1H | PSTATE_DAIF;
    return interrupted;
}

void context_raise_irq(struct context *c)
{
    uint64_t pc = c->pc;
    if (cpu_this()->loaded == c) {
        write_sysreg(elr_el1, pc);
        write_sysreg(spsr_el1, exception_state(c, read_sysreg(vbar_el1), VECTOR_IRQ));
    } else {
        c->elr_el1 = pc;
        c->spsr_el1 = exception_state(c, c->vbar_el1, VECTOR_IRQ);
    }
}

void context_raise_undefined(struct context *c)
{
    write_sysreg(elr_el1, c->pc);
    write_sysreg(esr_el1, ESR_IL);
    write_sysreg(spsr_el1, exception_state(c, read_sysreg(vbar_el1), VECTOR_SYNC));
}
