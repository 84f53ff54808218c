/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm_control: checks what the supervisor asks for, and has it done. Operations on a VM of another
 * CPU wait until it has come here.
 */
#include "core/control.h"
#include "core/group.h"
#include "core/hypercall.h"
#include "core/journal.h"
#include "core/load.h"
#include "core/move.h"
#include "core/operate.h"
#include "core/residence.h"

typedef enum err (*operation_fn)(struct vm *caller, uint64_t *value);
typedef enum err (*vm_operation_fn)(struct stub *s, struct vm *caller, uint64_t *value);

/* --- on a VM ------------------------------------------------------------------------------- */

static enum err start(struct stub *s, struct vm *caller, uint64_t *value)
{
    (void)caller;
    (void)value;
    if (s->state != VM_DEAD) {
        return residence_start(s);
    }
    enum err e = vm_begin_anew(s);
    if (e == OK) {
        journal_note(TOKLAT_JOURNAL_STARTED, s->number, 0);
    }
    return e;
}

static enum err destroy(struct stub *s, struct vm *caller, uint64_t *value)
{
    (void)caller;
    (void)value;
    uint32_t number = s->number;
    vm_destroy(s);
    journal_note(TOKLAT_JOURNAL_DESTROYED, number, 0);
    return OK;
}

static enum err pause(struct stub *s, struct vm *caller, uint64_t *value)
{
    (void)caller;
    (void)value;
    return operate_pause(s);
}

static enum err resume(struct stub *s, struct vm *caller, uint64_t *value)
{
    (void)caller;
    (void)value;
    return operate_resume(s);
}

static enum err restart(struct stub *s, struct vm *caller, uint64_t *value)
{
    (void)caller;
    (void)value;
    return operate_restart(s);
}

static enum err checkpoint(struct stub *s, struct vm *caller, uint64_t *value)
{
    (void)caller;
    (void)value;
    return operate_checkpoint(s);
}

static enum err clone(struct stub *s, struct vm *caller, uint64_t *value)
{
    (void)caller;
    uint32_t number = 0;
    enum err e = operate_clone(s, &number);
    *value = number;
    return e;
}

static enum err input(struct stub *s, struct vm *caller, uint64_t *value)
{
    char text[TOKLAT_CONSOLE_IN_BYTES];
    const uint64_t *x = caller->context.x;
    size_t taken = 0;
    size_t n = (size_t)MIN(x[4], (uint64_t)sizeof(text));
    enum err e = guest_read(&caller->space, IPA(x[3]), text, n);
    if (e == OK) {
        e = operate_input(s, text, n, &taken);
    }
    *value = taken;
    return e;
}

/* --- on groups ------------------------------------------------------------------------------ */

static enum err create(struct vm *caller, uint64_t *value)
{
    struct group *g = group_find(caller->context.x[2]);
    uint32_t number = 0;
    enum err e = g ? vm_create(g, &number) : ERR_NOT_FOUND;
    if (e == OK) {
        journal_created(number);
    }
    *value = number;
    return e;
}

/* What VMs that live have of it. One word each, which their CPUs may find at any time: descriptors
 * are freed here alone. */
static void tell_live(const struct group *g)
{
    const struct deployment_group *c = g->config;
    for (uint32_t n = c->first_vm; n < c->first_vm + c->count + c->reserve; n++) {
        const struct stub *s = vm_find(n);
        struct vm *vm = s ? vm_of(s) : NULL;
        if (vm) {
            __atomic_store_n(&vm->limit_pages, g->limit_pages, __ATOMIC_RELAXED);
            __atomic_store_n(&vm->sched.weight, g->weight, __ATOMIC_RELAXED);
        }
    }
}

static enum err set(struct vm *caller, uint64_t *value)
{
    const uint64_t *x = caller->context.x;
    struct group *g = group_find(x[2]);
    (void)value;
    if (!g) {
        return ERR_NOT_FOUND;
    }
    if (x[3] == TOKLAT_SET_WEIGHT && x[4] >= SCHED_WEIGHT_MIN && x[4] <= SCHED_WEIGHT_MAX) {
        g->weight = (uint16_t)x[4];
        tell_live(g);
        return OK;
    }
    if (x[3] == TOKLAT_SET_LIMIT_PAGES && x[4] <= TOKLAT_MEMORY_MAX / PAGE_SIZE) {
        g->limit_pages = (uint32_t)x[4];
        tell_live(g);
        return OK;
    }
    return x[3] > TOKLAT_SET_LIMIT_PAGES ? ERR_INVALID : ERR_RANGE;
}

static enum err delete_group(struct vm *caller, uint64_t *value)
{
    uint64_t index = caller->context.x[2];
    (void)value;
    return index < DEPLOYMENT_GROUPS_MAX ? group_delete((unsigned)index) : ERR_NOT_FOUND;
}

/* --- images -------------------------------------------------------------------------------- */

static enum err begin_image(struct vm *caller, uint64_t *value)
{
    (void)value;
    return load_begin(caller->context.x[2]);
}

static enum err write_image(struct vm *caller, uint64_t *value)
{
    const uint64_t *x = caller->context.x;
    return load_write(caller, IPA(x[2]), x[3], value);
}

/* What is to say why it is refused can be written to before it is known. */
static enum err load_image(struct vm *caller, uint64_t *value)
{
    static struct toklat_load l;
    unsigned index = 0;
    ipa_t ipa = IPA(caller->context.x[2]);
    enum err e = guest_read(&caller->space, ipa, &l, sizeof(l));
    if (e == OK) {
        e = guest_write(&caller->space, ipa, &l, sizeof(l));
    }
    if (e != OK) {
        return e;
    }
    e = load_commit(&l, &index);
    *value = index;
    ipa.v += offsetof(struct toklat_load, problem);
    enum err told = guest_write(&caller->space, ipa, l.problem, sizeof(l.problem));
    return e == OK ? told : e;
}

/* --- all ----------------------------------------------------------------------------------- */

/* One of the two. */
static const struct operation {
    vm_operation_fn on_vm;
    operation_fn other;
} operations[TOKLAT_OPERATIONS] = {
    [TOKLAT_VM_CREATE] = {.other = create},
    [TOKLAT_VM_START] = {.on_vm = start},
    [TOKLAT_VM_DESTROY] = {.on_vm = destroy},
    [TOKLAT_VM_PAUSE] = {.on_vm = pause},
    [TOKLAT_VM_RESUME] = {.on_vm = resume},
    [TOKLAT_VM_RESTART] = {.on_vm = restart},
    [TOKLAT_VM_CHECKPOINT] = {.on_vm = checkpoint},
    [TOKLAT_VM_CLONE] = {.on_vm = clone},
    [TOKLAT_VM_INPUT] = {.on_vm = input},
    [TOKLAT_VM_READ] = {.other = control_read_vms},
    [TOKLAT_GROUP_READ] = {.other = control_read_group},
    [TOKLAT_GROUP_SET] = {.other = set},
    [TOKLAT_GROUP_DELETE] = {.other = delete_group},
    [TOKLAT_MACHINE_READ] = {.other = control_read_machine},
    [TOKLAT_JOURNAL_READ] = {.other = control_read_journal},
    [TOKLAT_IMAGE_BEGIN] = {.other = begin_image},
    [TOKLAT_IMAGE_WRITE] = {.other = write_image},
    [TOKLAT_IMAGE_LOAD] = {.other = load_image},
};

static enum err on_vm(struct vm *caller, vm_operation_fn operation, uint64_t *value)
{
    uint64_t number = caller->context.x[2];
    struct stub *s = number <= UINT32_MAX ? vm_find((uint32_t)number) : NULL;
    if (!s) {
        return ERR_NOT_FOUND;
    }
    if (s == caller->stub) {
        if (operation == restart) {
            vm_reset(caller);
            return OK;
        }
        return operation == start ? ERR_BUSY : ERR_DENIED;
    }
    return move_is_here(s) ? operation(s, caller, value) : move_summon(s, caller);
}

void control_finish(struct vm *caller, struct stub *s)
{
    uint64_t value = 0;
    enum err e = ERR_NOT_FOUND; /* it is none any more */
    if (s->state != VM_ABSENT) {
        e = operations[caller->context.x[1]].on_vm(s, caller, &value);
    }
    /* What is to be read first of the caller's own memory is there when it calls again. */
    caller->context.x[0] = (uint64_t)hypercall_result(e == ERR_AWAY ? ERR_BUSY : e, value);
}

enum err control(struct vm *caller, uint64_t *value)
{
    uint64_t operation = caller->context.x[1];
    if (operation >= TOKLAT_OPERATIONS) {
        return ERR_INVALID;
    }
    if (operation > TOKLAT_VM_START) { /* before what comes of it, if not before it runs */
        journal_tell_created();
    }
    const struct operation *o = &operations[operation];
    return o->on_vm ? on_vm(caller, o->on_vm, value) : o->other(caller, value);
}
