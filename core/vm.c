/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual machines: the table of stubs, descriptors, and how a VM begins.
 *
 *   chunks[n >> 15] --> stub, stub, ...   32,768 stubs of 64 bytes: one 2 MiB block of frames
 */
#include "core/vm.h"
#include "arch/memory.h"
#include "core/base/log.h"
#include "core/base/string.h"
#include "core/identity.h"
#include "core/residence.h"
#include "core/run.h"
#include "core/transit.h"
#include "mm/slab.h"

#define CHUNK_SHIFT 15
#define CHUNK_STUBS (1u << CHUNK_SHIFT)
#define CHUNKS (DEPLOYMENT_VMS_MAX / CHUNK_STUBS + 1)

_Static_assert(sizeof(struct stub) << CHUNK_SHIFT == PAGE_SIZE << FRAME_ORDER_MAX, "one block");

static struct stub *chunks[CHUNKS];
static uint32_t table_size; /* VM numbers 1 to table_size - 1 */
static struct slab descriptors, extras;
static uint64_t kept_frames;

static enum err allocate_chunk(struct stub **out, uint32_t count)
{
    unsigned order = 0;
    while (PAGE_SIZE << order < count * sizeof(struct stub)) {
        order++;
    }
    pa_t pa;
    enum err e = frame_alloc_block(FRAME_STUB, FRAME_OWNER_NONE, order, &pa);
    if (e == OK) {
        *out = arch_ptr(pa);
        memset(*out, 0, PAGE_SIZE << order);
        uint64_t end = pa.v + (PAGE_SIZE << order);
        for (pa.v += ALIGN_UP(count * sizeof(struct stub), PAGE_SIZE); pa.v < end;
             pa.v += PAGE_SIZE) {
            (void)frame_unref(pa); /* a page more than it takes is given back */
        }
    }
    return e;
}

BOOT enum err vm_table_init(uint32_t count)
{
    slab_init(&descriptors, 1024, FRAME_DESCRIPTOR);
    slab_init(&extras, 1024, FRAME_DESCRIPTOR);
    _Static_assert(sizeof(struct context_extra) <= 1024, "one slab size");
    if (count > DEPLOYMENT_VMS_MAX) {
        return ERR_RANGE;
    }
    for (uint32_t first = 0; first <= count; first += CHUNK_STUBS) {
        uint32_t here = MIN(count + 1 - first, CHUNK_STUBS);
        enum err e = allocate_chunk(&chunks[first >> CHUNK_SHIFT], here);
        if (e != OK) {
            return e;
        }
    }
    table_size = count + 1;
    return OK;
}

struct stub *vm_stub(uint32_t number)
{
    return &chunks[number >> CHUNK_SHIFT][number & (CHUNK_STUBS - 1)];
}

struct stub *vm_find(uint32_t number)
{
    if (number == 0 || number >= table_size) {
        return NULL;
    }
    struct stub *s = vm_stub(number);
    return s->state == VM_ABSENT ? NULL : s;
}

uint32_t vm_table_size(void)
{
    return table_size;
}

void vm_put_absent(struct group *g, struct stub *s)
{
    s->state = VM_ABSENT;
    s->next_free = g->free;
    g->free = s;
}

void vm_define(struct group *g, uint32_t number, bool exists)
{
    struct stub *s = vm_stub(number);
    s->number = number;
    s->group = g->index;
    if (exists) {
        s->state = VM_DEFINED;
        g->defined++;
    } else {
        vm_put_absent(g, s);
    }
}

enum err vm_create(struct group *g, uint32_t *number)
{
    if (g->state != GROUP_READY) {
        return ERR_BUSY;
    }
    struct stub *s = g->free;
    if (!s) {
        return ERR_NO_MEMORY;
    }
    g->free = s->next_free;
    s->vm = NULL;
    s->events = 0;
    s->state = VM_DEFINED;
    g->defined++;
    *number = s->number;
    residence_forget(s, STORE_EXISTS);
    return OK;
}

enum err vm_give_extra(struct vm *vm)
{
    void *extra = vm->context.extra;
    enum err e = extra ? OK : slab_alloc(&extras, &extra);
    if (e == OK) {
        vm->context.extra = extra;
    }
    return e;
}

enum err vm_allocate(struct stub *s, bool extra)
{
    void *memory;
    enum err e = slab_alloc(&descriptors, &memory);
    if (e != OK) {
        return e;
    }
    struct vm *vm = memory;
    if (extra) {
        e = vm_give_extra(vm);
        if (e != OK) {
            slab_free(&descriptors, vm);
            return e;
        }
    }
    vm->stub = s;
    s->vm = vm;
    list_init(&vm->link);
    runs[KEEPER].residents++; /* its home, for now */
    return OK;
}

void vm_set_home(struct vm *vm, unsigned cpu)
{
    runs[vm->sched.cpu].residents--;
    runs[cpu].residents++;
    vm->sched.cpu = (uint8_t)cpu;
}

/* VMs that CPU `cpu` can run, with those that are on their way to it. */
static uint32_t load_of(unsigned cpu)
{
    const struct run *r = &runs[cpu];
    uint32_t came = (uint32_t)__atomic_load_n(&r->came, __ATOMIC_RELAXED);
    return run_load(r) + (cpu == KEEPER ? 0 : r->given - came);
}

unsigned vm_choose_home(const struct group *g)
{
    unsigned best = KEEPER;
    for (unsigned cpu = 1; cpu < run_cpus && !g->config->supervisor; cpu++) {
        uint32_t load = load_of(cpu), least = load_of(best);
        if (runs[cpu].online &&
            (load < least || (load == least && runs[cpu].residents < runs[best].residents))) {
            best = cpu;
        }
    }
    return best;
}

void vm_discard(struct vm *vm)
{
    transit_abandon(vm);
    if (vm->leaving) {
        residence_keep(vm);
    }
    gate_remove(&gatekeeper, &vm->gate);
    gate_poke(&gatekeeper); /* frames will be free */
    context_retire(&vm->context, false);
    space_destroy(&vm->space);
    list_remove(&vm->link);
    runs[vm->sched.cpu].residents--;
    vm->stub->vm = NULL;
    if (vm->context.extra) {
        slab_free(&extras, vm->context.extra);
    }
    slab_free(&descriptors, vm);
}

void vm_free(struct vm *vm)
{
    struct stub *s = vm->stub;
    wheel_cancel(&run_this()->wheel, &s->timeout);
    vm_discard(vm);
    s->events = 0;
}

const struct lock *vm_lock(void)
{
    return &descriptors.lock;
}

uint32_t vm_descriptor_bytes(const struct vm *vm)
{
    return vm->context.extra ? 2048 : 1024;
}

void vm_show_account(struct vm *vm)
{
    struct toklat_system_page *p = vm->page;
    p->private_pages = vm->space.private_pages;
    p->shared_pages = vm->space.shared_pages;
    p->table_pages = vm->space.private_tables;
    p->descriptor_bytes = vm_descriptor_bytes(vm);
    vm->gate.frames = residence_frames(vm);
}

/* The rings stay set up, what was counted does not. */
static void clone_nic(struct nic *to, const struct nic *from)
{
    to->rx = from->rx;
    to->tx = from->tx;
}

static void clone(struct vm *vm, const struct vm *template)
{
    struct group *g = vm_group(vm);
    struct context_extra *extra = vm->context.extra;
    space_clone(&vm->space, &template->space, vm->stub->number);
    context_clone(&vm->context, &template->context, extra);
    sched_entry_init(&vm->sched, g->weight, vm->sched.cpu);
    vm->sched.background = g->config->background;
    vm->limit_pages = g->limit_pages;
    vm_set_home(vm, vm_choose_home(g));
    vm->sched.virtual_ticks = template->sched.virtual_ticks;
    clone_nic(&vm->nic, &template->nic);
    if (g->image.flags & TOKLAT_IMAGE_CHECKPOINT) {
        vm->context.x[0] = vm_instance(vm->stub); /* checkpoint() returns */
    }
}

void vm_keep_frames(uint64_t frames)
{
    kept_frames = frames;
}

enum err vm_start(struct stub *s)
{
    struct group *g = &groups[s->group];
    if (s->state != VM_DEFINED || g->state != GROUP_READY) {
        return ERR_BUSY;
    }
    if (frame_count(FRAME_FREE) < kept_frames) {
        return ERR_NO_MEMORY;
    }
    enum err e = vm_allocate(s, g->template->context.extra);
    if (e != OK) {
        return e;
    }
    struct vm *vm = s->vm;
    clone(vm, g->template);
    e = identity_clone(vm);
    if (e != OK) {
        vm_free(vm);
        return e;
    }
    s->state = VM_LIVE;
    s->events = TOKLAT_EVENT_RESUMED;
    g->defined--;
    g->live++;
    g->started++;
    run_wake(vm);
    return OK;
}
