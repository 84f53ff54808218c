/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the supervisor is told.
 *
 * A VM's descriptor is freed by the keeper alone, which runs this, so that of a VM on another CPU
 * its numbers may be a moment old or new, and nothing worse.
 */
#include "arch/irq.h"
#include "arch/time.h"
#include "core/base/string.h"
#include "core/control.h"
#include "core/group.h"
#include "core/identity.h"
#include "core/journal.h"
#include "core/load.h"
#include "core/move.h"
#include "core/network.h"
#include "core/residence.h"
#include "dev/drivers/uart.h"
#include "mm/frame.h"

/* --- VMs ----------------------------------------------------------------------------------- */

static enum toklat_vm_state live_state(const struct vm *vm)
{
    if (vm->sched.state == SCHED_RUNNING) {
        return TOKLAT_VM_RUNNING;
    }
    if (vm->sched.state == SCHED_READY || vm->wait == WAIT_NONE) {
        return TOKLAT_VM_RUNNABLE;
    }
    return vm->wait >= WAIT_IDLE ? TOKLAT_VM_IDLE : TOKLAT_VM_WAITING;
}

static enum toklat_vm_state state_of(const struct stub *s)
{
    static const uint8_t states[] = {
        [VM_DEFINED] = TOKLAT_VM_DEFINED, [VM_DEAD] = TOKLAT_VM_DEAD,
        [VM_STORED] = TOKLAT_VM_STORED,   [VM_COMING] = TOKLAT_VM_WAITING,
        [VM_PAUSED] = TOKLAT_VM_PAUSED,   [VM_CLONING] = TOKLAT_VM_WAITING,
    };
    return s->state == VM_LIVE ? live_state(s->vm) : (enum toklat_vm_state)states[s->state];
}

static struct toklat_vm_brief brief_of(const struct stub *s)
{
    return (struct toklat_vm_brief){
        .number = s->number,
        .group = s->group,
        .state = (uint8_t)state_of(s),
        .cpu = (uint8_t)move_next_stop(s),
    };
}

static struct toklat_vm describe(const struct stub *s, bool pss)
{
    const struct vm *vm = vm_of(s);
    struct toklat_vm out = {.brief = brief_of(s)};
    if (s->place.sector >= STORE_MARKERS) {
        out.record = s->place.sector;
        out.record_bytes = s->place.sectors * STORE_SECTOR_BYTES;
    }
    if (vm) {
        uint64_t ticks = vm->sched.virtual_ticks - vm_group(vm)->template->sched.virtual_ticks;
        out.private_pages = vm->space.private_pages;
        out.shared_pages = vm->space.shared_pages;
        out.table_pages = vm->space.private_tables;
        out.descriptor_bytes = vm_descriptor_bytes(vm);
        out.pss_bytes = pss ? (uint32_t)space_pss_bytes(&vm->space) : 0;
        out.cpu_ns = ns_from_ticks(ticks);
        out.rx_frames = vm->nic.rx_frames;
        out.tx_frames = vm->nic.tx_frames;
        out.rx_dropped = vm->nic.rx_dropped;
        out.tx_dropped = vm->nic.tx_dropped;
    }
    return out;
}

struct read_vms {
    ipa_t to;
    uint64_t count, flags, next, done;
};

static enum err put_vm(struct vm *caller, struct read_vms *r, const struct stub *s)
{
    size_t bytes;
    struct toklat_vm vm;
    if (r->flags & TOKLAT_VM_READ_STATE) {
        vm.brief = brief_of(s);
        bytes = sizeof(vm.brief);
    } else {
        vm = describe(s, r->flags & TOKLAT_VM_READ_PSS);
        bytes = sizeof(vm);
    }
    enum err e = guest_write(&caller->space, IPA(r->to.v + r->done * bytes), &vm, bytes);
    r->done += e == OK;
    return e;
}

/* Looks at a bounded part of the table: a call may find nobody and say where to go on. */
static enum err put_vms(struct vm *caller, struct read_vms *r)
{
    uint64_t end = MIN((uint64_t)vm_table_size(), r->next + TOKLAT_VM_READ_MAX * 16);
    while (r->next < end && r->done < r->count) {
        const struct stub *s = vm_find((uint32_t)r->next);
        enum err e = s ? put_vm(caller, r, s) : OK;
        if (e != OK) {
            return e;
        }
        r->next++;
    }
    return OK;
}

enum err control_read_vms(struct vm *caller, uint64_t *value)
{
    uint64_t *x = caller->context.x;
    struct read_vms r = {
        .to = IPA(x[3]),
        .count = MIN(x[4], (uint64_t)TOKLAT_VM_READ_MAX),
        .flags = x[5],
        .next = MAX(x[2], (uint64_t)1),
    };
    if (r.flags > (TOKLAT_VM_READ_PSS | TOKLAT_VM_READ_STATE) || x[4] == 0) {
        return ERR_INVALID;
    }
    if (r.next >= vm_table_size()) {
        x[1] = 0;
        return OK;
    }
    bool walks = r.flags & TOKLAT_VM_READ_PSS; /* through tables of VMs that may run elsewhere */
    if (walks) {
        (void)move_pause_others();
    }
    enum err e = put_vms(caller, &r);
    if (walks) {
        move_resume_others();
    }
    if (e != OK) {
        return e;
    }
    x[1] = r.next < vm_table_size() ? r.next : 0;
    *value = r.done;
    return OK;
}

/* --- groups -------------------------------------------------------------------------------- */

static void describe_group(const struct group *g, struct toklat_group *out)
{
    const struct deployment_group *c = g->config;
    string_copy(out->name, sizeof(out->name), c->name);
    string_copy(out->file, sizeof(out->file), c->image);
    out->state = g->state;
    out->flags = (c->supervisor ? TOKLAT_GROUP_SUPERVISOR : 0) |
                 (c->start_at_boot ? TOKLAT_GROUP_START_AT_BOOT : 0) |
                 (group_is_loaded(g->index) ? TOKLAT_GROUP_LOADED : 0);
    out->network = c->reach;
    out->first_vm = c->first_vm;
    out->count = c->count;
    out->reserve = c->reserve;
    out->weight = g->weight;
    out->limit_pages = g->limit_pages;
    out->memory_pages = g->image.layout.pages;
    if (g->template) {
        const struct space *s = &g->template->space;
        out->template_pages = s->shared_pages + s->private_pages + s->private_tables;
    }
    out->defined = g->defined;
    out->live = g->live - (g->paused - g->paused_stored);
    out->stored = g->stored - g->paused_stored;
    out->paused = g->paused;
    out->dead = g->dead;
    out->started = g->started;
    out->killed = g->killed;
    out->exited = g->exited;
}

enum err control_read_group(struct vm *caller, uint64_t *value)
{
    _Static_assert(TOKLAT_GROUPS_MAX == DEPLOYMENT_GROUPS_MAX, "abi/control.h");
    _Static_assert(TOKLAT_FILE_BYTES == DEPLOYMENT_IMAGE_NAME_BYTES, "abi/control.h");
    _Static_assert((int)TOKLAT_GROUP_READY == GROUP_READY, "abi/control.h");
    _Static_assert((int)TOKLAT_GROUP_FAILED == GROUP_FAILED, "abi/control.h");
    _Static_assert((int)TOKLAT_GROUP_ABSENT == GROUP_ABSENT, "abi/control.h");
    const uint64_t *x = caller->context.x;
    struct toklat_group out = {.state = TOKLAT_GROUP_ABSENT};
    if (x[2] >= group_count) {
        return ERR_NOT_FOUND;
    }
    if (group_find(x[2])) {
        describe_group(&groups[x[2]], &out);
    }
    *value = 0;
    return guest_write(&caller->space, IPA(x[3]), &out, sizeof(out));
}

/* --- the machine --------------------------------------------------------------------------- */

static void describe_cpus(struct toklat_machine *m)
{
    _Static_assert(TOKLAT_CPUS_MAX >= CPUS_MAX, "abi/control.h");
    m->cpus = run_cpus;
    for (unsigned cpu = 0; cpu < run_cpus; cpu++) {
        const struct run *r = &runs[cpu];
        m->cpu[cpu].idle_ns = ns_from_ticks(r->mux.idle_ticks);
        m->cpu[cpu].turns = r->mux.turns;
        m->cpu[cpu].residents = r->residents;
        m->cpu[cpu].ready = r->mux.ready_count;
        m->faults += r->faults;
        m->kills += r->kills;
        m->interrupts += irq_count(cpu);
    }
}

static void describe_gatekeeper(struct toklat_machine *m)
{
    const struct gate *g = &gatekeeper;
    const struct gate_counters *c = &g->counters;
    m->gatekeeper.resident = g->resident_count;
    m->gatekeeper.waiting = g->waiting_count;
    m->gatekeeper.arriving = g->arriving_count;
    m->gatekeeper.leaving = g->leaving_count;
    m->gatekeeper.admitted = c->admitted;
    m->gatekeeper.evicted_idle = c->evicted_idle;
    m->gatekeeper.evicted_timed = c->evicted_timed;
    m->gatekeeper.evicted_busy = c->evicted_busy;
    m->gatekeeper.kept = c->kept;
    m->gatekeeper.refused = c->refused;
    m->gatekeeper.held[TOKLAT_HELD_FRAMES] = c->held[GATE_FRAMES];
    m->gatekeeper.held[TOKLAT_HELD_TRANSIT] = c->held[GATE_TRANSIT];
    m->gatekeeper.held[TOKLAT_HELD_BUFFERS] = c->held[GATE_ADMIT];
    m->gatekeeper.held[TOKLAT_HELD_TURN] = c->held[GATE_ORDER];
    m->gatekeeper.waited_ns = ns_from_ticks(c->waited_ticks);
    m->gatekeeper.waited_longest_ns = ns_from_ticks(c->waited_longest);
    m->gatekeeper.wakes = residence_counters.wakes;
    m->gatekeeper.dropped = residence_counters.dropped;
}

static void describe_store(struct toklat_machine *m)
{
    if (!store_is_open()) {
        return;
    }
    struct store_counters c = store_get_counters();
    m->store.capacity_bytes = c.capacity_sectors * STORE_SECTOR_BYTES;
    m->store.live_bytes = c.live_sectors * STORE_SECTOR_BYTES;
    m->store.records = c.records;
    m->store.written_bytes = c.batch_sectors * STORE_SECTOR_BYTES;
    m->store.reads = c.reads;
    m->store.read_bytes = c.read_sectors * STORE_SECTOR_BYTES;
    m->store.read_errors = c.read_errors;
    m->store.write_errors = c.write_errors;
    m->store.refused_full = c.refused_full;
}

static void describe_network(struct toklat_machine *m)
{
    struct switch_counters s = switch_get_counters();
    struct network_counters n = network_get_counters();
    m->network.vm_to_vm = s.vm_to_vm;
    m->network.vm_to_uplink = s.vm_to_uplink;
    m->network.uplink_to_vm = s.uplink_to_vm;
    m->network.arp_answered = s.arp_answered;
    m->network.dropped_spoofed = s.dropped_spoofed;
    m->network.dropped_reach = s.dropped_reach;
    m->network.dropped_unknown = s.dropped_unknown;
    m->network.dropped_malformed = s.dropped_malformed;
    m->network.dropped_not_ready = n.not_ready + residence_counters.dropped;
    m->network.dropped_uplink = n.uplink_dropped;
}

static void describe_memory(struct toklat_machine *m)
{
    static const uint8_t kinds[TOKLAT_FRAMES_KINDS] = {
        [TOKLAT_FRAMES_FREE] = FRAME_FREE,
        [TOKLAT_FRAMES_EL2] = FRAME_EL2,
        [TOKLAT_FRAMES_STUBS] = FRAME_STUB,
        [TOKLAT_FRAMES_SHARED] = FRAME_SHARED,
        [TOKLAT_FRAMES_PRIVATE] = FRAME_PRIVATE,
        [TOKLAT_FRAMES_TABLES] = FRAME_STAGE2,
        [TOKLAT_FRAMES_DESCRIPTORS] = FRAME_DESCRIPTOR,
    };
    _Static_assert((int)TOKLAT_FRAMES_KINDS == FRAME_KINDS, "all of them");
    m->ram_pages = frame_total();
    for (unsigned k = 0; k < TOKLAT_FRAMES_KINDS; k++) {
        m->frames[k] = frame_count((enum frame_kind)kinds[k]);
    }
}

enum err control_read_machine(struct vm *caller, uint64_t *value)
{
    struct toklat_machine m = {
        .uptime_ns = ns_from_ticks(counter_now()),
        .wall_ns = identity_has_wall() ? identity_wall_ns(counter_now()) : 0,
        .groups = group_count,
        .vms = vm_table_size() - 1,
        .spare_vms = load_spare(),
        .console_dropped = uart_dropped(),
        .journal_first = journal_first(),
        .journal_next = journal_next(),
    };
    describe_memory(&m);
    describe_cpus(&m);
    describe_gatekeeper(&m);
    describe_store(&m);
    describe_network(&m);
    *value = 0;
    return guest_write(&caller->space, IPA(caller->context.x[2]), &m, sizeof(m));
}

/* --- the journal --------------------------------------------------------------------------- */

enum err control_read_journal(struct vm *caller, uint64_t *value)
{
    uint64_t *x = caller->context.x;
    uint64_t cursor = x[2];
    enum err e = journal_read(&caller->space, IPA(x[3]), x[4], &cursor, value);
    if (e == OK) {
        x[1] = cursor;
        x[2] = journal_first();
    }
    return e;
}
