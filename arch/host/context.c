/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of VMs in the process that plays a machine.
 *
 * Each CPU has one set of system registers and one of FP registers, as a real one. Those of the
 * loaded VM are there and not in its context, which holds a pattern meanwhile: who looks into the
 * context, or copies it, without context_unload or context_retire sees that it is wrong.
 */
#include "arch/context.h"
#include "arch/cpu.h"
#include "arch/host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PSTATE_EL1H 0x5u
#define PSTATE_EL1T 0x4u
#define PSTATE_MODE 0xFu
#define PSTATE_DAIF 0x3C0u
#define VECTOR_SYNC 0x000u
#define VECTOR_IRQ 0x080u
#define CNTV_CTL_IMASK 2u
#define ESR_IL (1u << 25)

struct host_cpu {
    struct context *loaded;
    struct context live; /* the loaded one's system registers */
    struct context *fp_owner;
    struct context_extra fp;
};

static struct host_cpu cpus[CPUS_MAX];
static const struct trap_ops *ops;

static struct host_cpu *this_cpu(void)
{
    return &cpus[cpu_index()];
}

void host_context_reset(void)
{
    memset(cpus, 0, sizeof(cpus));
}

/* System registers from one place to another: all but x, pc and pstate, and what EL2 sets. */
static void move_system(struct context *to, struct context *from)
{
    size_t first = offsetof(struct context, sp_el0);
    size_t end = offsetof(struct context, vttbr_el2);
    memcpy((char *)to + first, (char *)from + first, end - first);
    memset((char *)from + first, HOST_RAM_PATTERN, end - first);
    to->cntkctl_el1 = from->cntkctl_el1;
    to->cntv_cval_el0 = from->cntv_cval_el0;
    to->cntv_ctl_el0 = from->cntv_ctl_el0;
    from->cntkctl_el1 = from->cntv_cval_el0 = from->cntv_ctl_el0 = UINT64_MAX / 3;
}

/* --- traps -------------------------------------------------------------------------------- */

struct context *host_context_loaded(void)
{
    return this_cpu()->loaded;
}

struct context *host_context_live(void)
{
    return &this_cpu()->live;
}

struct context *host_context_fp_owner(void)
{
    return this_cpu()->fp_owner;
}

struct context_extra *host_context_fp(void)
{
    return &this_cpu()->fp;
}

struct context *host_enter(struct context *c)
{
    struct host_cpu *cpu = this_cpu();
    if (c != cpu->loaded) {
        if (cpu->loaded) {
            move_system(cpu->loaded, &cpu->live);
        }
        cpu->loaded = c;
        move_system(&cpu->live, c);
        cpu->live.cntvoff_el2 = c->cntvoff_el2;
    }
    return c;
}

void trap_set_ops(const struct trap_ops *o)
{
    ops = o;
}

struct context *host_hypercall(void)
{
    struct context *c = this_cpu()->loaded;
    struct context *next = ops->hypercall(c);
    return host_enter(next ? next : c);
}

struct context *host_interrupt(void)
{
    return host_enter(ops->interrupt(this_cpu()->loaded));
}

struct context *host_fault(const struct trap *t)
{
    return host_enter(ops->fault(this_cpu()->loaded, t));
}

/* --- the contract ------------------------------------------------------------------------- */

void context_enter(struct context *c)
{
    (void)c;
    fprintf(stderr, "host: a test enters with host_enter\n");
    abort();
}

void context_init(struct context *c, uint64_t pc, uint64_t sp, uint64_t arg, bool own_mmu,
                  struct context_extra *extra)
{
    memset(c, 0, sizeof(*c));
    c->pc = pc;
    c->sp_el1 = sp;
    c->x[0] = arg;
    c->pstate = PSTATE_EL1H | PSTATE_DAIF;
    c->own_mmu = own_mmu;
    c->extra = extra;
    if (own_mmu && !extra) {
        fprintf(stderr, "host: own_mmu needs extra\n");
        abort();
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

static void raise_exception(struct context *c, uint64_t vector)
{
    struct host_cpu *cpu = this_cpu();
    struct context *system = cpu->loaded == c ? &cpu->live : c;
    uint64_t mode = c->pstate & PSTATE_MODE;
    uint64_t from = mode == PSTATE_EL1H ? 0x200 : mode == PSTATE_EL1T ? 0x000 : 0x400;
    system->elr_el1 = c->pc;
    system->spsr_el1 = c->pstate;
    c->pc = system->vbar_el1 + from + vector;
    c->pstate = PSTATE_EL1H | PSTATE_DAIF;
}

void context_raise_irq(struct context *c)
{
    raise_exception(c, VECTOR_IRQ);
    HOST_COUNT(irqs_raised, 1);
}

void context_raise_undefined(struct context *c)
{
    raise_exception(c, VECTOR_SYNC);
    this_cpu()->live.esr_el1 = ESR_IL;
}

void context_set_clock(struct context *c, uint64_t offset)
{
    c->cntvoff_el2 = offset;
    if (this_cpu()->loaded == c) {
        this_cpu()->live.cntvoff_el2 = offset;
    }
}

void context_unload(void)
{
    struct host_cpu *cpu = this_cpu();
    if (cpu->loaded) {
        move_system(cpu->loaded, &cpu->live);
        cpu->loaded = NULL;
    }
}

static void fp_write_back(struct host_cpu *cpu)
{
    struct context_extra *e = cpu->fp_owner->extra;
    memcpy(e->v, cpu->fp.v, sizeof(e->v));
    e->fpcr = cpu->fp.fpcr;
    e->fpsr = cpu->fp.fpsr;
    cpu->fp_owner = NULL;
}

void context_take_fp(struct context *c)
{
    struct host_cpu *cpu = this_cpu();
    if (cpu->fp_owner && cpu->fp_owner != c) {
        fp_write_back(cpu);
    }
    cpu->fp = *c->extra;
    cpu->fp_owner = c;
}

void context_retire(struct context *c, bool save)
{
    struct host_cpu *cpu = this_cpu();
    if (cpu->fp_owner == c) {
        if (save) {
            fp_write_back(cpu);
        }
        cpu->fp_owner = NULL;
    }
    if (cpu->loaded == c) {
        context_unload();
    }
}

void context_mask_vtimer(void)
{
    this_cpu()->live.cntv_ctl_el0 |= CNTV_CTL_IMASK;
    HOST_COUNT(vtimer_masks, 1);
}
