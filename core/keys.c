/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug keys: each prints a part of EL2's state and changes nothing.
 */
#include "core/keys.h"
#include "arch/cpu.h"
#include "arch/irq.h"
#include "arch/time.h"
#include "core/base/log.h"
#include "core/fault.h"
#include "core/footprint.h"
#include "core/group.h"
#include "core/journal.h"
#include "core/move.h"
#include "core/network.h"
#include "core/residence.h"
#include "core/transit.h"
#include "dev/drivers/uart.h"
#include "mm/buddy.h"

#define ULL(x) ((unsigned long long)(x))

static const char *const state_names[] = {"absent", "defined", "live",   "dead",
                                          "stored", "coming",  "paused", "cloning"};
static const char *const sched_names[] = {"idle", "ready", "running"};
static const char *const group_names[] = {"booting", "ready", "failed"};

static void key_help(void);

static void print_vm(const struct stub *s)
{
    const struct vm *vm = s->vm;
    const char *name = groups[s->group].config->name;
    if (s->state != VM_LIVE) {
        log_raw("%8u %s/%u %s\n", s->number, name, vm_instance(s), state_names[s->state]);
        return;
    }
    log_raw("%8u %s/%u %s: %u private, %u shared, %u table pages, %llu us of CPU, "
            "rx %u tx %u dropped %u\n",
            s->number, name, vm_instance(s), sched_names[vm->sched.state], vm->space.private_pages,
            vm->space.shared_pages, vm->space.private_tables,
            ULL(ns_from_ticks(vm->sched.virtual_ticks) / NS_PER_US), vm->nic.rx_frames,
            vm->nic.tx_frames, vm->nic.rx_dropped + vm->nic.tx_dropped);
}

/* Those that are out are only counted: there may be a million. */
static void key_vms(void)
{
    for (unsigned i = 0; i < group_count; i++) {
        const struct group *g = group_find(i);
        if (!g) {
            continue;
        }
        log_raw("group %s: %s; %u defined, %u live, %u stored, %u dead; %llu started, "
                "%llu killed, %llu exited\n",
                g->config->name, group_names[g->state], g->defined, g->live, g->stored, g->dead,
                ULL(g->started), ULL(g->killed), ULL(g->exited));
    }
    for (uint32_t n = 1; n < vm_table_size(); n++) {
        const struct stub *s = vm_find(n);
        if (s && s->state != VM_DEFINED && s->state != VM_STORED) {
            print_vm(s);
        }
    }
}

static void print_queue(const char *name, const struct list *queue)
{
    log_raw("%s:", name);
    list_for_each(e, queue)
    {
        const struct vm *vm =
            container_of(container_of(e, struct sched_entry, link), struct vm, sched);
        log_raw(" %u(%u)", vm->stub->number, vm->sched.weight);
    }
    log_raw("\n");
}

static void print_cpu(const struct run *r)
{
    const struct mux *m = &r->mux;
    const struct vm *vm = m->current ? container_of(m->current, struct vm, sched) : NULL;
    log_raw("CPU %u: home of %u, %u ready, %llu turns, idle %llu ms, quantum %llu us, events %s, "
            "compensation %s\n",
            r->cpu, r->residents, m->ready_count, ULL(m->turns),
            ULL(ns_from_ticks(m->idle_ticks) / NS_PER_MS),
            ULL(ns_from_ticks(m->quantum) / NS_PER_US),
            run_synchronous() ? "synchronous" : "batched", m->compensate ? "on" : "off");
    if (vm) {
        log_raw("current: %u\n", vm->stub->number);
    }
    print_queue("with credit", &m->boosted);
    print_queue("round robin", &m->ready);
    uint64_t next = wheel_next(&r->wheel);
    if (next != TICKS_NEVER) {
        uint64_t now = counter_now();
        log_raw("next timeout in %llu us\n",
                ULL(ns_from_ticks(next > now ? next - now : 0) / NS_PER_US));
    }
}

static void key_run_queues(void)
{
    for (unsigned cpu = 0; cpu < run_cpus; cpu++) {
        if (runs[cpu].online) {
            print_cpu(&runs[cpu]);
        }
    }
}

static void print_lock(const char *name, const struct lock *l)
{
    log_raw("lock of %s: taken %llu times, %u times after another CPU had it\n", name,
            ULL(l->taken), l->waited);
}

/* No fast path takes one: not a hypercall, a switch, a packet, nor nearly every fault. */
static void key_locks(void)
{
    print_lock("frames, once for 32", buddy_lock());
    print_lock("descriptors", vm_lock());
    print_lock("parked frames", transit_lock());
    print_lock("console", uart_lock());
    print_lock("journal", journal_lock());
    for (unsigned cpu = 0; cpu < run_cpus; cpu++) {
        const struct run *r = &runs[cpu];
        struct mail_counters m = mail_get_counters(cpu);
        log_raw("CPU %u: %llu VMs came, %llu went; %llu messages and %llu interrupts sent, %llu "
                "messages without room; %llu interrupts taken\n",
                cpu, ULL(r->came), ULL(r->went), ULL(m.sent), ULL(m.interrupts), ULL(m.refused),
                ULL(irq_count(cpu)));
    }
}

static void key_frames(void)
{
    static const char *const names[FRAME_KINDS] = {"free",    "el2",    "stubs",      "shared",
                                                   "private", "stage2", "descriptors"};
    for (unsigned k = 0; k < FRAME_KINDS; k++) {
        uint64_t n = frame_count((enum frame_kind)k);
        log_raw("%12s %8llu frames %10llu KiB\n", names[k], ULL(n), ULL(n * 4));
    }
    log_raw("%12s %8llu frames %10llu KiB\n", "total", ULL(frame_total()), ULL(frame_total() * 4));
}

static void key_counters(void)
{
    uint64_t faults = 0, kills = 0, interrupts = 0, spurious = 0;
    for (unsigned cpu = 0; cpu < run_cpus; cpu++) {
        faults += runs[cpu].faults;
        kills += runs[cpu].kills;
        interrupts += irq_count(cpu);
        spurious += irq_spurious_count(cpu);
    }
    struct switch_counters s = switch_get_counters();
    struct network_counters n = network_get_counters();
    const struct uplink *u = network_uplink();
    log_raw("traps: %llu faults, %llu interrupts (%llu spurious); %llu VMs killed\n", ULL(faults),
            ULL(interrupts), ULL(spurious), ULL(kills));
    log_raw("frames: %llu between VMs, %llu to and %llu from the uplink, %llu ARP answered\n",
            ULL(s.vm_to_vm), ULL(s.vm_to_uplink), ULL(s.uplink_to_vm), ULL(s.arp_answered));
    log_raw("dropped: %llu spoofed, %llu out of reach, %llu to nobody, %llu malformed, %llu for "
            "VMs not ready, %llu at the uplink\n",
            ULL(s.dropped_spoofed), ULL(s.dropped_reach), ULL(s.dropped_unknown),
            ULL(s.dropped_malformed), ULL(n.not_ready + residence_counters.dropped),
            ULL(n.uplink_dropped));
    log_raw("console: %llu lines of VMs dropped\n", ULL(uart_dropped()));
    if (u) {
        log_raw("uplink %s: %llu received, %llu refused, %llu sent, %llu not sent, %llu polls\n",
                u->name, ULL(u->rx_frames), ULL(u->refused), ULL(u->tx_frames), ULL(u->tx_dropped),
                ULL(u->polls));
    }
}

static void key_last_fault(void)
{
    const struct last_fault *f = &last_fault;
    if (!f->valid) {
        log_raw("no VM was killed for a fault\n");
        return;
    }
    const struct context *c = &f->context;
    log_raw("last fault: %s/%u: address %llx ESR_EL2 %llx FAR_EL2 %llx\n", f->name, f->instance,
            ULL(f->trap.ipa.v), ULL(f->trap.esr), ULL(f->trap.far));
    for (unsigned i = 0; i < 31; i++) {
        log_raw("x%-2u %016llx%s", i, ULL(c->x[i]), i % 4 == 3 ? "\n" : "  ");
    }
    log_raw("\npc  %016llx  pstate %llx  sp_el1 %llx  sp_el0 %llx\n", ULL(c->pc), ULL(c->pstate),
            ULL(c->sp_el1), ULL(c->sp_el0));
    log_raw("elr_el1 %llx  spsr_el1 %llx  esr_el1 %llx  far_el1 %llx  vbar_el1 %llx\n",
            ULL(c->elr_el1), ULL(c->spsr_el1), ULL(c->esr_el1), ULL(c->far_el1), ULL(c->vbar_el1));
}

static const struct {
    char key;
    const char *help;
    void (*print)(void);
} keys[] = {
    {'c', "counters: traps, frames forwarded and dropped", key_counters},
    {'d', "registers of the last VM killed for a fault", key_last_fault},
    {'f', "footprint of the VMs and of the machine, as text and as a line of JSON",
     footprint_print},
    {'g', "gatekeeper: who is in, who waits and why, as text and as a line of JSON",
     key_gatekeeper},
    {'h', "this help", key_help},
    {'l', "locks, and what CPUs tell each other", key_locks},
    {'m', "memory: frames by kind", key_frames},
    {'Q', "quit: write all VMs to the store and power off", residence_shutdown},
    {'r', "run queues and timeouts", key_run_queues},
    {'R', "restart: write all VMs to the store and reset the machine", residence_restart},
    {'s', "store, as a line of JSON", key_store},
    {'v', "VMs and their groups", key_vms},
};

static void key_help(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        log_raw("  %c  %s\n", keys[i].key, keys[i].help);
    }
}

/* With the other CPUs standing still: what is printed belongs to them as well. */
static void print(void (*key)(void))
{
    unsigned silent = move_pause_others();
    if (silent) {
        log_raw("CPUs %x (a bit each) do not answer: what is said of them may be torn\n", silent);
    }
    key();
    move_resume_others();
}

void keys_press(char c)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].key == c) {
            print(keys[i].print);
            return;
        }
    }
    if (c > ' ' && c < 0x7f) {
        log_raw("no debug key '%c'; h for help\n", c);
    }
}

void keys_say(const char *text, size_t n)
{
    uart_write(text, n);
    journal_log(text, n);
}

static void print_line(const struct console_owner *o, const char *line, size_t n)
{
    char text[TOKLAT_NAME_BYTES + CONSOLE_LINE_MAX + 16];
    int length =
        fmt_snprintf(text, sizeof(text), "[%s/%u] %.*s\n", o->name, o->instance, (int)n, line);
    uart_queue(text, (size_t)length);
    journal_add(TOKLAT_JOURNAL_LINE, o->number, 0, line, n);
}

void keys_init(void)
{
    console_set_output(print_line);
}
