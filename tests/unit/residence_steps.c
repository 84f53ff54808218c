/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps that may happen to a machine with a disk.
 */
#include "abi/control.h"
#include "tests/unit/residence_steps.h"

#include <stdio.h>
#include <stdlib.h>

#include "arch/time.h"
#include "core/keys.h"
#include "core/move.h"
#include "mm/store_log.h"
#include "tests/unit/machine.h"

#define SEGMENTS 12u
#define BOSS 1u
#define WEB 2u
#define WEB_COUNT 12u
#define WEB_RESERVE 4u
#define VMS (1u + WEB_COUNT + WEB_RESERVE + 2u)
#define STAMPS 12u /* pages of a VM that say how far it is */
#define STAMP_AT(i) (GUEST_UNUSED + (i)*PAGE_SIZE)
#define PATIENCE 20000u

#define must(x) ((x) ? (void)0 : fail(#x, __LINE__))

struct residence_steps_counts residence_steps_counts;
unsigned residence_steps_cpus = 1;

static struct input {
    const uint8_t *data;
    size_t left;
} in;

/* What a VM left behind: the generation of its life, and the stamp of each page. */
static struct shadow {
    uint64_t generation, stamp[STAMPS];
} shadows[VMS + 1];
static uint64_t stamps;
static bool one_page;

static void fail(const char *what, int line)
{
    fprintf(stderr, "%s\ntests/unit/residence_steps.c:%d: does not hold: %s\n", machine_output,
            line, what);
    abort();
}

static uint32_t take(uint32_t below)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < (below > 256 ? 2 : 1) && in.left; i++, in.left--) {
        v = v << 8 | *in.data++;
    }
    return v % below;
}

/* --- boots -------------------------------------------------------------------------------- */

static void count_boot(void)
{
    struct residence_steps_counts *c = &residence_steps_counts;
    c->boots++;
    c->evictions += residence_counters.evictions;
    c->wakes += residence_counters.wakes;
    c->fetches += residence_counters.fetches;
    c->damaged += residence_counters.wakes_damaged;
    c->out_of_room += residence_counters.out_of_room;
    for (unsigned cpu = 0; cpu < machine_cpus; cpu++) {
        c->moves += runs[cpu].came;
    }
}

static void boot(void)
{
    machine_init(MIB(6) + MIB(1) * (residence_steps_cpus > 1)); /* messages take some */
    machine_add_cpus(residence_steps_cpus);
    struct deployment_group *boss = machine_add("boss", 1, 0);
    boss->supervisor = boss->start_at_boot = true;
    machine_add("web", WEB_COUNT, WEB_RESERVE);
    struct deployment_group *mmu = machine_add("mmu", 2, 0);
    mmu->start_at_boot = true;
    mmu->restart = true;
    machine_image(mmu)->note.flags |= TOKLAT_IMAGE_MMU;
    machine_start();
    residence_set_one_page(one_page);
    machine_boot(4);
}

/* Memory of another boot: what a VM has is what some record of it had. */
static void reboot(void)
{
    count_boot();
    fake_block_cut(machine_disk);
    for (uint32_t n = 1; n <= VMS; n++) {
        shadows[n].generation = 0;
    }
    one_page = take(2);
    boot();
}

/* --- guests ------------------------------------------------------------------------------- */

/* A page that this life has not written, or not in this boot, may hold anything that was ever
 * written there before, but nothing younger. */
static void look(struct vm *vm)
{
    struct shadow *s = &shadows[vm->stub->number];
    bool known = s->generation == vm->page->generation;
    for (unsigned i = 0; i < STAMPS; i++) {
        uint64_t found;
        if (guest_read(&vm->space, IPA(STAMP_AT(i)), &found, sizeof(found)) != OK) {
            continue; /* in the store, or no frame */
        }
        if (known) {
            if (found != s->stamp[i]) {
                fprintf(stderr, "VM %u, page %u: %llu, not %llu\n", vm->stub->number, i,
                        (unsigned long long)found, (unsigned long long)s->stamp[i]);
            }
            must(found == s->stamp[i]);
            residence_steps_counts.checked++;
        } else {
            must(found <= stamps);
            residence_steps_counts.older += found && found < s->stamp[i];
            s->stamp[i] = found;
        }
    }
    if (!known) {
        uint64_t page;
        for (unsigned i = 0; i < STAMPS; i++) {
            if (guest_read(&vm->space, IPA(STAMP_AT(i)), &page, sizeof(page)) != OK) {
                return; /* its life is known when all of its pages are */
            }
        }
        s->generation = vm->page->generation;
    }
}

static void step_stamp(struct vm *vm)
{
    unsigned i = take(STAMPS);
    uint64_t stamp = ++stamps;
    machine_abort(IPA(STAMP_AT(i)), ACCESS_WRITE);
    if (machine_current() == vm && !vm->ended &&
        guest_write(&vm->space, IPA(STAMP_AT(i)), &stamp, sizeof(stamp)) == OK) {
        shadows[vm->stub->number].stamp[i] = stamp;
    }
}

static void step_send(struct vm *vm)
{
    uint8_t frame[256];
    static const struct virtio_net_hdr header;
    uint32_t to = take(VMS + 1);
    const struct vring *r = &vm->nic.tx;
    uint64_t at = GUEST_TX_BUFFERS;
    uint16_t idx;
    frame_make(frame, sizeof(frame), vm->stub->number, to);
    if (r->size == 0 || guest_read(&vm->space, IPA(r->avail.v + 2), &idx, sizeof(idx)) != OK ||
        guest_write(&vm->space, IPA(at), &header, sizeof(header)) != OK ||
        guest_write(&vm->space, IPA(at + sizeof(header)), frame, sizeof(frame)) != OK) {
        return;
    }
    struct virtq_desc d = {.addr = at, .len = sizeof(header) + sizeof(frame)};
    uint16_t id = (uint16_t)(idx % r->size);
    idx++;
    if (guest_write(&vm->space, IPA(r->desc.v + 16u * id), &d, sizeof(d)) == OK &&
        guest_write(&vm->space, IPA(r->avail.v + 4 + 2u * id), &id, sizeof(id)) == OK &&
        guest_write(&vm->space, IPA(r->avail.v + 2), &idx, sizeof(idx)) == OK) {
        machine_trap(TOKLAT_DOORBELL, 2, 0);
    }
}

static void step_release(struct vm *vm)
{
    unsigned i = take(STAMPS);
    machine_trap(TOKLAT_PAGE_RELEASE, STAMP_AT(i), 1);
    if (machine_current() == vm && (int64_t)vm->context.x[0] >= 0) {
        shadows[vm->stub->number].stamp[i] = 0;
    }
}

static void step_control(void)
{
    uint32_t operation = take(8);
    if (operation < 2) {
        machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_CREATE, 1);
    } else if (operation < 6) {
        machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_START, take(VMS + 1));
    } else {
        machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_DESTROY, take(VMS + 1));
    }
}

static void step_idle(void)
{
    switch (take(8)) {
    case 0:
        machine_trap(TOKLAT_IDLE, 0, 0);
        break;
    case 1:
        machine_fault(TRAP_WFI);
        break;
    case 2:
    case 3:
        machine_trap(TOKLAT_IDLE, take(65536) * 20 * NS_PER_US, 0);
        break;
    default:
        machine_trap(TOKLAT_IDLE, TOKLAT_IDLE_FOREVER, 0);
        break;
    }
}

static void step_guest(struct vm *vm, uint32_t kind)
{
    if (kind < 60) {
        step_stamp(vm);
    } else if (kind < 110) {
        step_idle();
    } else if (kind < 125) {
        step_send(vm);
    } else if (kind < 130) {
        step_release(vm);
    } else if (kind < 134) {
        machine_fault(TRAP_FP);
    } else if (kind < 138) {
        machine_trap(TOKLAT_CONSOLE_WRITE, STAMP_AT(take(STAMPS)), 16);
    } else if (kind < 140) {
        vm->nic.rx.used = IPA(take(2) ? 0x3000 : GUEST_RX + 0x2000); /* text: it is killed */
    } else if (kind < 142) {
        vm->page->events_masked = take(2) ? TOKLAT_EVENTS_ALL : 0;
        machine_trap(TOKLAT_ABI_VERSION, 0, 0);
    } else if (kind < 144 && vm->stub->number != BOSS) {
        machine_trap(take(2) ? PSCI_SYSTEM_RESET : TOKLAT_EXIT, 0, 0);
    } else if (vm->stub->number == BOSS) {
        step_control();
    } else {
        machine_trap(TOKLAT_IDLE, TOKLAT_IDLE_FOREVER, 0);
    }
}

/* --- the world ---------------------------------------------------------------------------- */

/* With several CPUs, only if it is this one's turn. */
static void handle_interrupts(void)
{
    if (machine_cpus == 1 || host_irq_pending()) {
        machine_interrupt();
    }
}

static void step_frame(void)
{
    uint8_t frame[600];
    size_t bytes = 60 + take(256) * 2;
    frame_make(frame, bytes, 0, 1 + take(VMS));
    machine_receive(frame, bytes);
    handle_interrupts();
}

static void step_damage(void)
{
    uint32_t n = 1 + take(VMS);
    const struct stub *s = vm_find(n);
    if (s && s->place.sector >= STORE_MARKERS && take(2)) {
        uint64_t sector = s->place.sector + take(65536) % s->place.sectors;
        fake_block_flip(machine_disk, sector * 4096 + take(65536) % 4096);
    }
}

static void step_disk(void)
{
    struct fake_fault f = {.op = BLOCK_READ, .to = UINT64_MAX, .times = 1 + take(2)};
    switch (take(12)) {
    case 0:
        machine_disk->held = true;
        break;
    case 1:
        machine_disk->shuffled = take(2);
        break;
    case 2:
        f.op = (enum block_op)take(3);
        f.times = f.op == BLOCK_READ ? f.times : 1;
        f.skip = take(4);
        if (machine_disk->faults[0].times == 0) {
            fake_block_fail(machine_disk, f);
        }
        break;
    case 3:
        step_damage();
        break;
    case 4:
        machine_disk->limit = 1 + take(FAKE_QUEUE);
        break;
    default:
        machine_disk->held = false;
        machine_disk_turn();
        break;
    }
}

static void step_frames(void)
{
    uint32_t left = take(512);
    machine_release_frames();
    if (left < 256) {
        machine_hold_frames(left);
    }
    handle_interrupts();
}

static void answer_all(void)
{
    machine_release_frames();
    memset(machine_disk->faults, 0, sizeof(machine_disk->faults));
    machine_disk->held = false;
    machine_disk->limit = FAKE_QUEUE;
}

static void step_shutdown(void)
{
    answer_all();
    machine_shutdown();
    must(machine_power_offs);
    residence_steps_counts.shutdowns++;
    reboot();
}

static void step_power(void)
{
    uint32_t what = take(16);
    if (what == 0) {
        step_shutdown();
    } else if (what < 3) {
        residence_steps_counts.cuts++;
        reboot();
    } else {
        key_gatekeeper();
        key_store();
    }
}

/* Time passes; of several CPUs none looks yet. */
static void step_time(void)
{
    uint64_t ns = take(65536) * 50 * NS_PER_US;
    if (machine_cpus > 1) {
        host_time_advance(ticks_from_ns(ns));
    } else {
        machine_advance(ns);
    }
}

static void step(void)
{
    if (machine_cpus > 1) {
        machine_on(take(machine_cpus));
        if (host_irq_pending() && take(2)) {
            machine_interrupt();
            return;
        }
    }
    uint32_t kind = take(256);
    struct vm *vm = machine_current();
    if (kind < 150 && vm) {
        look(vm);
        step_guest(vm, kind);
    } else if (kind < 150 && machine_cpus > 1) {
        handle_interrupts();
    } else if (kind < 150) {
        machine_advance(take(256) * NS_PER_MS);
    } else if (kind < 200) {
        step_frame();
    } else if (kind < 234) {
        step_disk();
    } else if (kind < 244) {
        step_time();
    } else if (kind < 254) {
        step_frames();
    } else {
        step_power();
    }
}

/* --- the end ------------------------------------------------------------------------------ */

static bool somebody_waits(void)
{
    for (uint32_t n = 1; n <= VMS; n++) {
        const struct stub *s = vm_find(n);
        if (s && (s->state == VM_COMING || timeout_waiting(&s->timeout) ||
                  (s->state == VM_LIVE && (s->vm->leaving || s->vm->fetch || s->vm->why)))) {
            return true;
        }
    }
    return transit_get_counters().live || machine_disk->queued || !list_empty(&runs[KEEPER].hungry);
}

/* With frames, time and a disk that answers, whoever waits goes on. */
static void say_who_waits(void)
{
    for (uint32_t n = 1; n <= VMS; n++) {
        const struct stub *s = vm_find(n);
        if (s) {
            fprintf(stderr, "VM %u: state %u, group %u, deadline %llu (%d)", n, s->state,
                    groups[s->group].state, (unsigned long long)s->timeout.deadline,
                    timeout_waiting(&s->timeout));
            if (s->state == VM_LIVE) {
                fprintf(stderr, " wait %u, sched %u, gate %u, leaving %u, fetch %p\n", s->vm->wait,
                        s->vm->sched.state, s->vm->gate.state, s->vm->leaving,
                        (void *)s->vm->fetch);
            } else if (s->state == VM_COMING) {
                fprintf(stderr, " waiter %u, why %u\n", s->transit->waiter.state,
                        s->transit->waiter.why);
            } else {
                fprintf(stderr, "\n");
            }
        }
    }
}

static uint64_t frames_of(const struct vm *vm)
{
    return vm->nic.rx_frames + vm->nic.rx_dropped;
}

/* Frames that are counted as lost. */
static uint64_t lost(void)
{
    struct transit_counters t = transit_get_counters();
    return residence_counters.dropped + network_get_counters().not_ready + t.dropped_vm +
           t.dropped_full;
}

/* Who lives or is in the store takes a frame, wherever it is, or it is counted as lost. */
static void all_answer(void)
{
    uint8_t frame[64];
    for (uint32_t n = 1; n <= VMS; n++) {
        const struct stub *s = vm_find(n);
        if (!s || (s->state != VM_LIVE && s->state != VM_STORED)) {
            continue;
        }
        uint64_t before = s->state == VM_LIVE ? frames_of(s->vm) : 0, lost_before = lost();
        frame_make(frame, sizeof(frame), 0, n);
        machine_receive(frame, sizeof(frame));
        machine_turn();
        for (unsigned i = 0; i < 4; i++) {
            machine_quiet();
            machine_check(true);
            machine_advance(100 * NS_PER_MS);
        }
        must(s->state == VM_DEAD || s->state == VM_LIVE || s->state == VM_STORED);
        must(s->state != VM_LIVE || frames_of(s->vm) > before || lost() > lost_before);
        residence_steps_counts.answers++;
    }
}

static void end(void)
{
    answer_all();
    if (machine_cpus > 1) {
        machine_turn();
    }
    for (unsigned i = 0; somebody_waits(); i++) {
        if (i == PATIENCE) {
            say_who_waits();
        }
        must(i < PATIENCE);
        machine_quiet();
        machine_check(true);
        machine_advance(100 * NS_PER_MS);
    }
    must(transit_get_counters().bytes == 0);
    machine_check_settled();
    if (machine_cpus > 1) {
        all_answer();
    }
    count_boot();
}

void residence_steps(const uint8_t *data, size_t size)
{
    in = (struct input){data, size};
    memset(shadows, 0, sizeof(shadows));
    stamps = 0;
    one_page = take(2);
    machine_add_disk(SEGMENTS, VMS, take(256));
    boot();
    machine_check(true);
    while (in.left) {
        step();
        residence_steps_counts.steps++;
        machine_check(true);
    }
    end();
    machine_remove_disk();
}
