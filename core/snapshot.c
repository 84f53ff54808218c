/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM as a record, and back.
 *
 * A record comes from outside: its registers are a guest's to choose, but what EL2 itself relies on
 * (PSTATE's mode, where rings are) is checked as a guest's own call would be.
 */
#include "core/snapshot.h"
#include "arch/time.h"
#include "core/base/string.h"
#include "core/identity.h"
#include "core/residence.h"
#include "core/run.h"
#include "mm/record.h"

#define SYSTEM_PAGE_NUMBER (TOKLAT_SYSTEM_PAGE >> PAGE_SHIFT)

/* PSTATE in SPSR form (Arm ARM C5.2.19): the mode's bits, of which EL1h, EL1t and EL0t may be. All
 * else there is of it is the guest's own. */
#define PSTATE_MODE 0xFFFFFFFF0000001Full

/* --- registers ---------------------------------------------------------------------------- */

/* Calls `move` with each register that both have under the same name. */
#define EACH_REGISTER(move)                                                                        \
    move(pc) move(pstate) move(sp_el0) move(sp_el1) move(elr_el1) move(spsr_el1) move(esr_el1)     \
        move(far_el1) move(vbar_el1) move(tpidr_el1) move(tpidr_el0) move(tpidrro_el0)             \
            move(par_el1) move(cpacr_el1) move(cntkctl_el1) move(cntv_cval_el0) move(cntv_ctl_el0)

static void put_registers(struct store_registers *to, const struct context *from)
{
#define PUT(name) to->name = from->name;
    memcpy(to->x, from->x, sizeof(to->x));
    EACH_REGISTER(PUT)
}

static void get_registers(struct context *to, const struct store_registers *from)
{
#define GET(name) to->name = from->name;
    memcpy(to->x, from->x, sizeof(to->x));
    EACH_REGISTER(GET)
}

_Static_assert(sizeof(struct store_extra) == sizeof(struct context_extra), "same registers");
_Static_assert(offsetof(struct store_extra, contextidr_el1) ==
                   offsetof(struct context_extra, contextidr_el1),
               "in the same order");

static bool pstate_is_a_guests(uint64_t pstate)
{
    uint64_t mode = pstate & PSTATE_MODE;
    return mode == 0 || mode == 4 || mode == 5;
}

/* --- rings -------------------------------------------------------------------------------- */

static struct store_queue put_queue(const struct vring *r)
{
    return (struct store_queue){.desc = r->desc.v,
                                .avail = r->avail.v,
                                .used = r->used.v,
                                .size = r->size,
                                .next_avail = r->next_avail,
                                .next_used = r->next_used};
}

static enum err get_queue(struct vring *r, const struct space *s, const struct store_queue *q)
{
    enum err e = vring_setup(r, s, q->size, IPA(q->desc), IPA(q->avail), IPA(q->used));
    if (e == OK && q->size) {
        r->next_avail = q->next_avail;
        r->next_used = q->next_used;
    }
    return e == OK ? OK : ERR_INVALID;
}

/* --- writing ------------------------------------------------------------------------------ */

static void put_devices(struct store_record *r, const struct vm *vm)
{
    const struct nic *n = &vm->nic;
    r->rx = put_queue(&n->rx);
    r->tx = put_queue(&n->tx);
    r->rx_frames = n->rx_frames;
    r->rx_dropped = n->rx_dropped;
    r->tx_frames = n->tx_frames;
    r->tx_dropped = n->tx_dropped;
    r->console_used = vm->console.used;
    memcpy(r->console_line, vm->console.line, vm->console.used);
}

static void put_head(struct store_record *r, struct vm *vm, uint32_t slot)
{
    const struct context_extra *extra = vm->context.extra;
    memset(r, 0, sizeof(*r));
    store_stamp(r);
    r->slot = slot;
    r->flags = (extra ? STORE_RECORD_EXTRA : 0) | (vm->wait == WAIT_WFI ? STORE_RECORD_WFI : 0) |
               (vm->wait < WAIT_IDLE ? STORE_RECORD_RUNNABLE : 0);
    r->generation = vm->page->generation;
    r->virtual_ticks = vm->sched.virtual_ticks;
    r->counter_hz = counter_hz();
    put_devices(r, vm);
    put_registers(&r->registers, &vm->context);
    if (extra) {
        memcpy(record_extra(r), extra, sizeof(*extra));
    }
}

/* Room for a record of `slot`; less than it could take at most when that is too much: what it
 * really takes may fit. */
static enum err reserve(uint32_t slot, const struct vm *vm, const struct space *template,
                        uint32_t *room, struct store_record **out)
{
    uint64_t most = record_bytes_max(&vm->space, template, vm->context.extra);
    void *memory = NULL;
    *room = (uint32_t)MIN(most + STORE_SECTOR_BYTES,
                          (uint64_t)STORE_RECORD_SECTORS_MAX * STORE_SECTOR_BYTES);
    enum err e = store_reserve(slot, *room, &memory);
    *out = memory;
    return e;
}

enum err snapshot_write(struct vm *vm, uint32_t slot)
{
    const struct group *g = vm_group(vm);
    struct store_record *r;
    uint32_t room;
    if (vm->space.stored_pages) {
        return ERR_AWAY;
    }
    if (!g->template_id) {
        return g->unsavable ? ERR_RANGE : ERR_BUSY;
    }
    enum err e = reserve(slot, vm, &g->template->space, &room, &r);
    if (e != OK) {
        return e;
    }
    context_retire(&vm->context, true);
    event_gather(vm);
    put_head(r, vm, slot);
    r->template = g->template_id;
    r->deadline_ns =
        r->flags & STORE_RECORD_RUNNABLE ? STORE_AT_ONCE : residence_deadline_ns(vm->stub);
    e = record_write(&vm->space, &g->template->space, SYSTEM_PAGE_NUMBER, r, room);
    if (e == OK) {
        struct store_place p = record_place(r);
        store_commit(r->slot, STORE_KIND_RECORD, &p, r->deadline_ns);
    }
    return e;
}

enum err snapshot_write_template(struct group *g)
{
    struct vm *vm = g->template;
    struct store_record *r;
    uint32_t room;
    enum err e = reserve(store_template_slot(g->index), vm, NULL, &room, &r);
    if (e != OK) {
        return e;
    }
    put_head(r, vm, store_template_slot(g->index));
    r->template = (uint64_t)g->image_key << 32;
    e = record_write(&vm->space, NULL, SYSTEM_PAGE_NUMBER, r, room);
    if (e == OK) {
        struct store_place p = record_place(r);
        r->template |= r->crc; /* of these very contents, should the image boot differently */
        record_seal(r);
        g->template_id = r->template;
        store_commit(r->slot, STORE_KIND_TEMPLATE, &p, 0);
    }
    return e;
}

/* --- reading ------------------------------------------------------------------------------ */

static enum err get_devices(struct vm *vm, const struct store_record *r)
{
    struct nic *n = &vm->nic;
    enum err e = get_queue(&n->rx, &vm->space, &r->rx);
    if (e == OK) {
        e = get_queue(&n->tx, &vm->space, &r->tx);
    }
    if (e != OK || r->console_used > CONSOLE_LINE_MAX) {
        return ERR_INVALID;
    }
    n->rx_frames = r->rx_frames;
    n->rx_dropped = r->rx_dropped;
    n->tx_frames = r->tx_frames;
    n->tx_dropped = r->tx_dropped;
    vm->console.used = r->console_used;
    memcpy(vm->console.line, r->console_line, r->console_used);
    return OK;
}

/* All but memory. */
static enum err get_state(struct vm *vm, const struct store_record *r)
{
    if (!pstate_is_a_guests(r->registers.pstate) || r->counter_hz != counter_hz()) {
        return ERR_INVALID;
    }
    get_registers(&vm->context, &r->registers);
    if (r->flags & STORE_RECORD_EXTRA) {
        memcpy(vm->context.extra, r + 1, sizeof(struct store_extra));
    }
    sched_entry_init(&vm->sched, vm_group(vm)->weight, vm->sched.cpu);
    vm->sched.background = vm_group(vm)->config->background;
    vm->limit_pages = vm_group(vm)->limit_pages;
    if (vm->stub->number) {
        vm_set_home(vm, vm_choose_home(vm_group(vm)));
    }
    vm->sched.virtual_ticks = r->virtual_ticks;
    vm->wait = r->flags & STORE_RECORD_RUNNABLE ? WAIT_NONE
               : r->flags & STORE_RECORD_WFI    ? WAIT_WFI
                                                : WAIT_IDLE;
    return get_devices(vm, r);
}

static enum err fill(struct vm *vm, const struct store_record *r, size_t bytes, bool only_first)
{
    const struct vm *template = vm_group(vm)->template;
    space_clone(&vm->space, &template->space, vm->stub->number);
    enum err e = record_read(&vm->space, &template->space, r, bytes, only_first);
    if (e != OK) {
        return e;
    }
    struct context_extra *extra = vm->context.extra; /* which the template may not have */
    context_clone(&vm->context, &template->context, NULL);
    vm->context.extra = extra;
    e = get_state(vm, r);
    return e == OK ? identity_return(vm, r->boots != store_boots()) : e;
}

enum err snapshot_read(struct stub *s, const struct store_record *r, size_t bytes, bool only_first)
{
    const struct group *g = &groups[s->group];
    bool extra = r->flags & STORE_RECORD_EXTRA;
    if (r->template != g->template_id) {
        return ERR_NOT_FOUND;
    }
    if (g->image.flags & TOKLAT_IMAGE_MMU && !extra) {
        return ERR_INVALID;
    }
    enum err e = vm_allocate(s, extra);
    if (e != OK) {
        return e;
    }
    e = fill(s->vm, r, bytes, only_first);
    if (e != OK) {
        vm_discard(s->vm);
    }
    return e;
}

BOOT enum err snapshot_read_template(struct group *g, struct vm *vm, const struct store_record *r,
                                     size_t bytes)
{
    bool own_mmu = g->image.flags & TOKLAT_IMAGE_MMU;
    enum err e = r->flags & STORE_RECORD_EXTRA || own_mmu ? vm_give_extra(vm) : OK;
    if (e == OK) {
        e = record_read_template(&vm->space, r, bytes);
    }
    if (e == OK) {
        e = identity_own_page(vm);
    }
    if (e == OK) {
        context_init(&vm->context, 0, 0, 0, own_mmu, vm->context.extra);
        e = get_state(vm, r);
    }
    if (e == OK) {
        g->template_id = r->template;
    }
    return e;
}
