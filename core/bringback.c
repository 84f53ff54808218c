/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a store to stubs.
 *
 * A store belongs to one deployment, by a fingerprint of its network and of the names and first
 * numbers of its groups: instances may be added to the last group, and images may change; the VMs
 * of an image that changed begin anew. Images that were loaded while the machine ran are not loaded
 * any more: what the store has of them, in slots of spare numbers and of templates behind those of
 * the deployment's groups, is forgotten.
 */
#include "core/bringback.h"
#include "arch/memory.h"
#include "arch/time.h"
#include "core/base/log.h"
#include "core/base/string.h"
#include "core/group.h"
#include "core/identity.h"
#include "core/residence.h"
#include "core/run.h"
#include "core/snapshot.h"
#include "mm/record.h"

static struct store_place no_place;

/* --- struct store_ops --------------------------------------------------------------------- */

static struct store_place *place(uint32_t slot)
{
    if (slot < vm_table_size()) {
        return &vm_stub(slot)->place;
    }
    uint32_t first = store_template_slot(0);
    if (slot >= first && slot - first < DEPLOYMENT_GROUPS_MAX) {
        return &groups[slot - first].template_place;
    }
    no_place = (struct store_place){0};
    return &no_place; /* not deployed: nothing is there */
}

static void found(uint32_t slot, const struct store_place *p, uint64_t deadline_ns)
{
    *place(slot) = *p;
    if (slot < vm_table_size()) {
        vm_stub(slot)->deadline_ns = deadline_ns;
    }
}

static uint64_t describe(uint32_t slot, struct store_place *p)
{
    return slot < vm_table_size() && p->sector >= STORE_MARKERS ? vm_stub(slot)->deadline_ns : 0;
}

static uint64_t wall_ns(void)
{
    return identity_wall_ns(counter_now());
}

static uint64_t ticks_ns(void)
{
    return ns_from_ticks(run_machine_ticks());
}

static const struct store_ops store_ops = {
    .place = place,
    .found = found,
    .describe = describe,
    .written = residence_written,
    .changed = residence_changed,
    .wall_ns = wall_ns,
    .ticks_ns = ticks_ns,
};

/* --- VMs ---------------------------------------------------------------------------------- */

/* A deadline of another boot, as ticks of this one; one that has passed is due at once. */
BOOT static uint64_t ticks_of(uint64_t deadline_ns)
{
    uint64_t now_ns = wall_ns();
    uint64_t left = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    return counter_now() + ticks_from_ns(left);
}

BOOT static void bring_back(struct stub *s)
{
    struct group *g = &groups[s->group];
    bool drop = g->config->restart && !store_was_clean();
    if (s->place.sector >= STORE_MARKERS && !drop) {
        g->defined--;
        residence_stored(s, s->deadline_ns ? ticks_of(s->deadline_ns) : TICKS_NEVER);
    } else if (s->place.sector == STORE_DEAD) {
        s->state = VM_DEAD;
        g->defined--;
        g->dead++;
    } else {
        residence_forget(s, residence_nothing(s));
    }
}

/* The reserve is put together anew without those that exist. */
BOOT static void bring_back_group(struct group *g)
{
    const struct deployment_group *c = g->config;
    uint32_t end = c->first_vm + c->count + c->reserve;
    g->free = NULL;
    for (uint32_t n = end - 1; n >= c->first_vm; n--) {
        struct stub *s = vm_stub(n);
        bool existed = s->state != VM_ABSENT;
        if (!existed && s->place.sector == STORE_NOTHING) {
            vm_put_absent(g, s);
            continue;
        }
        if (!existed) {
            s->state = VM_DEFINED;
            s->vm = NULL;
            g->defined++;
        }
        bring_back(s);
    }
    if (g->stored) {
        log_info("group %s: %u VMs are in the store", c->name, g->stored);
    }
}

BOOT static uint64_t fingerprint(const struct deployment *d)
{
    uint32_t low = checksum(0, &d->network, sizeof(d->network));
    uint32_t high = ~low;
    for (uint32_t i = 0; i < d->group_count; i++) {
        const struct deployment_group *g = &d->groups[i];
        low = checksum(low, g->name, sizeof(g->name));
        high = checksum(high, g->name, sizeof(g->name));
        low = checksum(low, &g->first_vm, sizeof(g->first_vm));
        high = checksum(high, &g->first_vm, sizeof(g->first_vm));
    }
    return (uint64_t)high << 32 | low;
}

BOOT static uint32_t forget_slots(uint32_t slot, uint32_t end)
{
    uint32_t forgotten = 0;
    for (; slot < end; slot++) {
        if (place(slot)->sector != STORE_NOTHING) {
            store_mark(slot, STORE_NOTHING);
            forgotten++;
        }
    }
    return forgotten;
}

BOOT static void forget_loaded(const struct deployment *d)
{
    uint32_t end = d->vm_count + 1;
    uint32_t vms = forget_slots(end - d->spare, end);
    uint32_t templates = forget_slots(store_template_slot(d->group_count),
                                      store_template_slot(DEPLOYMENT_GROUPS_MAX));
    if (vms + templates) {
        log_info("store: %u VMs of %u images that were loaded are forgotten", vms, templates);
    }
}

BOOT void bringback(struct block_device *d, const struct deployment *deployment)
{
    if (!d) {
        log_info("no store: VMs live in memory alone");
        return;
    }
    if (store_mount(d, &store_ops, deployment->vm_count, fingerprint(deployment)) != OK) {
        return;
    }
    uint64_t machine_ns = store_last_ticks_ns();
    run_set_time_base(ticks_from_ns(machine_ns));
    identity_continue(store_boots(), machine_ns);
    for (unsigned i = 0; i < group_count; i++) {
        bring_back_group(&groups[i]);
    }
    forget_loaded(deployment);
    residence_open();
}

/* --- templates ---------------------------------------------------------------------------- */

BOOT bool bringback_template_is_stored(const struct group *g)
{
    return store_is_open() && g->template_place.sector >= STORE_MARKERS;
}

BOOT static enum err read_template(struct group *g, struct vm *vm, pa_t buffer)
{
    const struct store_place *p = &g->template_place;
    uint32_t bytes = p->sectors * STORE_SECTOR_BYTES;
    enum err e = store_read_now(p->sector, buffer, bytes);
    const struct store_record *r = arch_ptr(buffer);
    if (e != OK) {
        return e;
    }
    if (!record_is_whole(r, bytes, store_template_slot(g->index), store_uuid())) {
        return ERR_INVALID;
    }
    return r->template >> 32 == g->image_key ? snapshot_read_template(g, vm, r, bytes)
                                             : ERR_NOT_FOUND;
}

BOOT enum err bringback_template(struct group *g, struct vm *vm)
{
    pa_t buffer;
    enum err e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, 8, &buffer);
    if (e == OK) {
        e = read_template(g, vm, buffer);
        frame_unref_block(buffer, 8);
    }
    if (e != OK && e != ERR_NOT_FOUND) {
        log_warn("group %s: its template in the store cannot be used (%s)", g->config->name,
                 err_name(e));
    }
    return e;
}
