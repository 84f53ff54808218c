/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traps that are no hypercalls: aborts, sleep, forbidden things, interrupts.
 */
#include "core/fault.h"
#include "abi/hypercall.h"
#include "arch/irq.h"
#include "arch/lock.h"
#include "arch/time.h"
#include "core/base/string.h"
#include "core/residence.h"
#include "core/run.h"

/* Faults after which the gatekeeper looks at how many frames are free. */
#define FRAMES_LOOKED_AT 64

struct last_fault last_fault;
static struct lock last_fault_lock; /* several CPUs may have one at a time */

static void kill_for(struct vm *vm, const struct trap *t, const char *what)
{
    const struct group *g = vm_group(vm);
    context_unload();
    lock_take(&last_fault_lock);
    last_fault.valid = true;
    string_copy(last_fault.name, sizeof(last_fault.name), g->config->name);
    last_fault.instance = vm_instance(vm->stub);
    last_fault.trap = *t;
    last_fault.context = vm->context;
    lock_release(&last_fault_lock);
    vm_kill(vm, "%s (pc %llx, address %llx, ESR_EL2 %llx)", what,
            (unsigned long long)vm->context.pc, (unsigned long long)t->ipa.v,
            (unsigned long long)t->esr);
}

static const char *describe(const struct trap *t, enum err e)
{
    if (t->permanent) {
        return "external or alignment abort";
    }
    if (e == ERR_NO_MEMORY) {
        return "out of memory";
    }
    bool denied = e == ERR_DENIED;
    if (t->kind == TRAP_INSTRUCTION_ABORT) {
        return denied                 ? "executed data"
               : t->ipa.v < PAGE_SIZE ? "jumped to NULL"
                                      : "executed outside its memory";
    }
    if (t->write) {
        return denied ? "wrote to read-only memory" : "wrote outside its memory";
    }
    return "read outside its memory";
}

static struct context *on_abort(struct vm *vm, const struct trap *t)
{
    enum access access = t->kind == TRAP_INSTRUCTION_ABORT ? ACCESS_EXECUTE
                         : t->write                        ? ACCESS_WRITE
                                                           : ACCESS_READ;
    enum err e = t->permanent ? ERR_INVALID : space_fault(&vm->space, t->ipa, access);
    if (likely(e == OK)) {
        vm_show_account(vm);
        if (unlikely(vm->space.private_pages + vm->space.private_tables - 1 >
                     vm->limit_pages - 1)) {
            kill_for(vm, t, "over its group's limit of memory");
            return run_resume();
        }
        if (unlikely(run_this()->faults % FRAMES_LOOKED_AT == 0)) {
            residence_look();
        }
        return &vm->context;
    }
    if ((e == ERR_AWAY && residence_wait_for_page(vm)) ||
        (e == ERR_NO_MEMORY && residence_wait_for_room(vm))) {
        return run_resume(); /* and the access is tried again */
    }
    kill_for(vm, t, describe(t, e));
    return run_resume();
}

/* WFI sleeps until there is an event, and leaves it to be taken. */
static struct context *on_wfi(struct vm *vm)
{
    context_skip(&vm->context);
    if (event_ready(vm)) {
        return run_resume();
    }
    return run_block(vm, WAIT_WFI, TICKS_NEVER);
}

static struct context *on_fp(struct vm *vm, const struct trap *t)
{
    if (vm_give_extra(vm) != OK) {
        if (!residence_wait_for_room(vm)) {
            kill_for(vm, t, "out of memory for FP registers");
        }
        return run_resume();
    }
    context_take_fp(&vm->context);
    vm_show_account(vm);
    return &vm->context;
}

static struct context *on_forbidden(struct vm *vm, const struct trap *t)
{
    static const char *const what[] = {
        [TRAP_SYSREG] = "accessed a forbidden system register",
        [TRAP_SERROR] = "caused a system error",
        [TRAP_OTHER] = "executed a forbidden instruction",
    };
    kill_for(vm, t, what[t->kind]);
    return run_resume();
}

struct context *fault(struct context *c, const struct trap *t)
{
    struct vm *vm = container_of(c, struct vm, context);
    run_this()->faults++;
    switch (t->kind) {
    case TRAP_DATA_ABORT:
    case TRAP_INSTRUCTION_ABORT:
        return on_abort(vm, t);
    case TRAP_WFI:
        return on_wfi(vm);
    case TRAP_WFE:
        context_skip(c);
        return run_yield(vm, WAIT_NONE);
    case TRAP_SMC: /* the trapped instruction is not skipped by hardware (Arm ARM D1.3.5) */
        c->x[0] = (uint64_t)TOKLAT_E_NOT_SUPPORTED;
        context_skip(c);
        return c;
    case TRAP_FP:
        return on_fp(vm, t);
    default:
        return on_forbidden(vm, t);
    }
}

struct context *interrupt(struct context *c)
{
    (void)c;
    irq_dispatch();
    return run_resume();
}

static void on_el2_timer(uint32_t irq)
{
    (void)irq;
    run_timer_fired();
}

static void on_virtual_timer(uint32_t irq)
{
    (void)irq;
    context_mask_vtimer();
    struct vm *vm = run_current(run_this());
    if (vm) {
        event_post(vm->stub, TOKLAT_EVENT_TIMER);
    }
}

enum err fault_init(void)
{
    enum err e = irq_register(irq_el2_timer(), on_el2_timer);
    return e == OK ? irq_register(irq_virtual_timer(), on_virtual_timer) : e;
}
