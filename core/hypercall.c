/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls (abi/hypercall.h; docs/virtual-architecture.md). Arguments are the guest's: each is
 * checked, then the call is carried out.
 */
#include "abi/hypercall.h"
#include "arch/time.h"
#include "core/control.h"
#include "core/group.h"
#include "core/hypercall.h"
#include "core/network.h"
#include "core/residence.h"
#include "core/run.h"

typedef struct context *(*call_fn)(struct vm *vm);

static struct context *result(struct vm *vm, int64_t value)
{
    vm->context.x[0] = (uint64_t)value;
    return NULL;
}

/* What a guest is told of an error. */
static int64_t status(enum err e)
{
    switch (e) {
    case OK:
        return 0;
    case ERR_RANGE:
        return TOKLAT_E_RANGE;
    case ERR_DENIED:
        return TOKLAT_E_DENIED;
    case ERR_NO_MEMORY:
        return TOKLAT_E_NO_MEMORY;
    case ERR_NOT_FOUND:
        return TOKLAT_E_NOT_FOUND;
    case ERR_BUSY:
        return TOKLAT_E_BUSY;
    case ERR_UNSUPPORTED:
        return TOKLAT_E_NOT_SUPPORTED;
    default:
        return TOKLAT_E_INVALID;
    }
}

/* A page that the call needs is in the store: the call is made again when it is here. */
static struct context *again(struct vm *vm)
{
    vm->context.pc -= 4;
    if (!vm->ended && !residence_wait_for_page(vm)) {
        vm_kill(vm, "out of memory");
    }
    return run_resume();
}

static struct context *call_version(struct vm *vm)
{
    return result(vm, TOKLAT_ABI_VERSION);
}

static struct context *call_idle(struct vm *vm)
{
    uint64_t timeout_ns = vm->context.x[1];
    if (timeout_ns == 0) {
        return run_yield(vm, WAIT_IDLE);
    }
    uint64_t events = event_take(vm);
    if (events) {
        return result(vm, (int64_t)events);
    }
    bool forever = timeout_ns == TOKLAT_IDLE_FOREVER;
    if (unlikely(run_no_timeout()) && !forever) {
        return run_yield(vm, WAIT_IDLE);
    }
    return run_block(vm, WAIT_IDLE, forever ? TICKS_NEVER : ticks_from_ns(timeout_ns));
}

static struct context *call_exit(struct vm *vm)
{
    vm_exit(vm, vm->context.x[1]);
    return run_resume();
}

static struct context *call_checkpoint(struct vm *vm)
{
    struct group *g = vm_group(vm);
    if (!(g->image.flags & TOKLAT_IMAGE_CHECKPOINT)) {
        return result(vm, TOKLAT_E_NOT_SUPPORTED);
    }
    if (g->template != vm) {
        return result(vm, TOKLAT_E_BUSY); /* a clone: it came from here */
    }
    mux_remove(&run_this()->mux, &vm->sched, counter_now());
    group_freeze(g);
    return run_next();
}

static struct context *call_queue_setup(struct vm *vm)
{
    const uint64_t *x = vm->context.x;
    struct vring *rings[TOKLAT_QUEUES] = {&vm->nic.rx, &vm->nic.tx};
    if (x[1] >= TOKLAT_QUEUES) {
        return result(vm, TOKLAT_E_RANGE);
    }
    return result(
        vm, status(vring_setup(rings[x[1]], &vm->space, x[2], IPA(x[3]), IPA(x[4]), IPA(x[5]))));
}

/* The receive queue needs no bell: a frame that finds it empty is dropped, and the next one looks
 * again. Its bit is accepted so that a guest may ring for both at once. */
static struct context *call_doorbell(struct vm *vm)
{
    uint64_t mask = vm->context.x[1];
    if (mask >> TOKLAT_QUEUES) {
        return result(vm, TOKLAT_E_INVALID);
    }
    enum err e = mask & 1u << TOKLAT_QUEUE_NET_TX ? network_transmit(vm) : OK;
    if (unlikely(e == ERR_AWAY)) {
        return again(vm);
    }
    vm->context.x[0] = (uint64_t)status(e);
    return run_resume();
}

static struct context *call_console_write(struct vm *vm)
{
    char text[128];
    const uint64_t *x = vm->context.x;
    uint64_t left = MIN(x[2], (uint64_t)TOKLAT_CONSOLE_MAX);
    uint64_t done = 0;
    struct console_owner owner = vm_console_owner(vm);
    while (left) {
        uint64_t in_page = PAGE_SIZE - ((x[1] + done) & PAGE_MASK); /* the next may not be there */
        size_t n = MIN(MIN(left, in_page), sizeof(text));
        enum err e = guest_read(&vm->space, IPA(x[1] + done), text, n);
        if (e == ERR_AWAY && done == 0) {
            return again(vm);
        }
        if (e != OK) {
            return result(vm, done ? (int64_t)done : status(e));
        }
        console_write(&vm->console, &owner, text, n);
        done += n;
        left -= n;
    }
    return result(vm, (int64_t)done);
}

static struct context *call_page_release(struct vm *vm)
{
    ipa_t ipa = IPA(vm->context.x[1]);
    uint64_t freed = 0;
    if (!IS_ALIGNED(ipa.v, PAGE_SIZE)) {
        return result(vm, TOKLAT_E_INVALID);
    }
    if (ipa.v < TOKLAT_IMAGE_BASE) { /* the system page is EL2's as well */
        return result(vm, TOKLAT_E_DENIED);
    }
    enum err e = space_release(&vm->space, ipa, vm->context.x[2], &freed);
    vm_show_account(vm);
    residence_look();
    return result(vm, e == OK ? (int64_t)freed : status(e));
}

int64_t hypercall_result(enum err e, uint64_t value)
{
    return e == OK ? (int64_t)value : status(e);
}

static struct context *call_vm_control(struct vm *vm)
{
    uint64_t value = 0;
    if (!vm_group(vm)->config->supervisor) {
        return result(vm, TOKLAT_E_DENIED);
    }
    enum err e = control(vm, &value);
    if (e == ERR_AWAY) {
        return again(vm);
    }
    vm->context.x[0] = (uint64_t)hypercall_result(e, value);
    return run_resume(); /* another may be runnable now */
}

static const call_fn calls[TOKLAT_CALLS] = {
    call_version,  call_idle,          call_exit,         call_checkpoint, call_queue_setup,
    call_doorbell, call_console_write, call_page_release, call_vm_control,
};

static bool implemented(uint32_t function)
{
    return function - TOKLAT_CALL(0) < TOKLAT_CALLS || function == SMCCC_VERSION ||
           function == SMCCC_ARCH_FEATURES || function == PSCI_VERSION ||
           function == PSCI_SYSTEM_OFF || function == PSCI_SYSTEM_RESET ||
           function == PSCI_FEATURES;
}

static struct context *call_uid(struct vm *vm)
{
    vm->context.x[1] = TOKLAT_UID_1;
    vm->context.x[2] = TOKLAT_UID_2;
    vm->context.x[3] = TOKLAT_UID_3;
    return result(vm, TOKLAT_UID_0);
}

/* The calls of SMCCC and PSCI; `function` is the 32 bits that identify one. */
static struct context *call_standard(struct vm *vm, uint32_t function)
{
    switch (function) {
    case SMCCC_VERSION:
    case PSCI_VERSION:
        return result(vm, 0x10001); /* 1.1 of each */
    case SMCCC_ARCH_FEATURES:
    case PSCI_FEATURES:
        return result(vm, implemented((uint32_t)vm->context.x[1]) ? 0 : TOKLAT_E_NOT_SUPPORTED);
    case PSCI_SYSTEM_OFF:
        if (vm_group(vm)->config->supervisor) { /* the machine's, then */
            vm->context.x[0] = 0;
            residence_shutdown();
            return run_resume();
        }
        vm_exit(vm, 0);
        return run_resume();
    case PSCI_SYSTEM_RESET:
        vm_reset(vm);
        return run_resume();
    case TOKLAT_CALL_COUNT:
        return result(vm, TOKLAT_CALLS);
    case TOKLAT_CALL_UID:
        return call_uid(vm);
    case TOKLAT_CALL_REVISION:
        vm->context.x[1] = TOKLAT_ABI_MINOR;
        return result(vm, TOKLAT_ABI_MAJOR);
    default:
        return result(vm, TOKLAT_E_NOT_SUPPORTED);
    }
}

struct context *hypercall(struct context *c)
{
    struct vm *vm = container_of(c, struct vm, context);
    uint32_t function = (uint32_t)c->x[0];
    uint32_t call = function - TOKLAT_CALL(0);
    return likely(call < TOKLAT_CALLS) ? calls[call](vm) : call_standard(vm, function);
}
