/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine whose guests are played by a test.
 */
#include "tests/unit/machine.h"
#include "dev/drivers/uart.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/irq.h"
#include "arch/machine.h"
#include "arch/time.h"
#include "core/base/log.h"
#include "core/bringback.h"
#include "core/fault.h"
#include "core/identity.h"
#include "core/journal.h"
#include "core/load.h"
#include "core/move.h"
#include "mm/store_log.h"

#define ARCHIVE_BYTES (MACHINE_GROUPS * (ELF_BYTES + 512) + 512)
#define WIRE_FRAMES 512u
#define HELD_MAX 65536u
#define POLLS_MAX 4u /* of a CPU in vain, before another is played */
#define TURNS_MAX 10000u

static const struct trap_ops traps = {hypercall, interrupt, fault};
static struct deployment deployment;
static struct elf_file images[MACHINE_GROUPS];
static char archive[ARCHIVE_BYTES] __attribute__((aligned(4096)));
static jmp_buf asleep;
static unsigned polls;
unsigned machine_cpus = 1;

static pa_t held[HELD_MAX];
static uint32_t held_count;

char machine_output[8192];
static size_t output_used;

/* --- output ------------------------------------------------------------------------------- */

static void keep_output(const char *text, size_t n)
{
    if (n >= sizeof(machine_output) - output_used) {
        output_used = 0;
    }
    n = MIN(n, sizeof(machine_output) - 1);
    memcpy(machine_output + output_used, text, n);
    output_used += n;
    machine_output[output_used] = '\0';
}

void machine_output_clear(void)
{
    output_used = 0;
    machine_output[0] = '\0';
}

/* There is no UART. */
uint64_t uart_dropped(void)
{
    return 0;
}

static void keep_line(const struct console_owner *o, const char *line, size_t n)
{
    char text[256];
    int length = snprintf(text, sizeof(text), "[%s/%u] %.*s\n", o->name, o->instance, (int)n, line);
    keep_output(text, (size_t)length);
}

/* --- the wire ----------------------------------------------------------------------------- */

static struct wire_frame {
    size_t bytes;
    uint8_t data[NIC_FRAME_MAX];
} wire[WIRE_FRAMES];
static unsigned wire_first, wire_end;
unsigned machine_sent;

static enum err wire_send(struct uplink *u, const uint8_t *frame, size_t bytes)
{
    (void)u;
    (void)frame;
    (void)bytes;
    machine_sent++;
    return OK;
}

static void wire_flush(struct uplink *u)
{
    (void)u;
}

static unsigned wire_poll(struct uplink *u, unsigned budget, uplink_receive_fn receive)
{
    unsigned n = 0;
    (void)u;
    for (; n < budget && wire_first != wire_end; n++) {
        struct wire_frame *f = &wire[wire_first++ % WIRE_FRAMES];
        receive(f->data, f->bytes);
    }
    return n;
}

static const struct uplink_ops wire_ops = {
    .send = wire_send, .flush = wire_flush, .poll = wire_poll};
static struct uplink uplink = {.ops = &wire_ops, .name = "wire"};

static void on_wire(uint32_t irq)
{
    (void)irq;
    network_interrupt();
}

void machine_receive(const uint8_t *frame, size_t bytes)
{
    struct wire_frame *f = &wire[wire_end++ % WIRE_FRAMES];
    f->bytes = MIN(bytes, sizeof(f->data));
    memcpy(f->data, frame, f->bytes);
    host_irq_raise(MACHINE_UPLINK_IRQ);
}

static void put_bytes(uint8_t *p, uint64_t value, unsigned bytes)
{
    while (bytes--) {
        *p++ = (uint8_t)(value >> (8 * bytes));
    }
}

static uint32_t address_of(uint32_t n)
{
    return n ? MACHINE_BASE + n : 0xC0000201u;
}

void frame_make(uint8_t *frame, size_t bytes, uint32_t from, uint32_t to)
{
    memset(frame, 0x5A, bytes);
    put_bytes(frame, to ? 0x02544B000000u + to : 0x525400000001u, 6);
    put_bytes(frame + 6, from ? 0x02544B000000u + from : 0x525400000001u, 6);
    put_bytes(frame + 12, 0x0800, 2);
    put_bytes(frame + 14, 0x4500, 2);
    put_bytes(frame + 16, bytes - 14, 2);
    put_bytes(frame + 22, 0x4011, 2);
    put_bytes(frame + 26, address_of(from), 4);
    put_bytes(frame + 30, address_of(to), 4);
}

/* --- the disk ----------------------------------------------------------------------------- */

struct fake_block *machine_disk;
unsigned machine_power_offs;

void machine_add_disk(unsigned segments, uint32_t vms, uint64_t seed)
{
    static struct fake_block disk;
    uint64_t index = ALIGN_UP(store_checkpoint_sectors(vms), 8ull);
    machine_remove_disk();
    fake_block_init(&disk, 16 + 2 * index + (uint64_t)segments * STORE_SEGMENT_SECTORS_MIN, seed);
    fake_store_create(&disk, vms, STORE_SEGMENT_SECTORS_MIN);
    machine_disk = &disk;
}

void machine_remove_disk(void)
{
    if (machine_disk) {
        fake_block_free(machine_disk);
        machine_disk = NULL;
    }
}

static void on_disk(uint32_t irq)
{
    (void)irq;
    residence_interrupt();
}

void machine_power_off(void)
{
    machine_power_offs++;
    longjmp(asleep, 1);
}

void machine_reset(void)
{
    machine_power_off();
}

/* --- deployment --------------------------------------------------------------------------- */

void machine_init(size_t ram_bytes)
{
    host_memory_init(ram_bytes);
    host_irq_reset();
    host_context_reset();
    host_time_set(1000000);
    for (unsigned cpu = CPUS_MAX; cpu--;) {
        host_cpu_set(cpu);
        timer_arm(TICKS_NEVER);
    }
    machine_cpus = run_cpus = 1;
    struct frame_range ram = {PA(HOST_RAM_BASE), ram_bytes};
    if (frame_init(&ram, 1, NULL, 0) != OK) {
        abort();
    }
    vm_keep_frames(0);
    journal_init();
    identity_set_wall_base(0);
    identity_continue(0, 0);
    run_set_time_base(0);
    store = (struct store){0};
    machine_power_offs = 0;
    memset(&deployment, 0, sizeof(deployment));
    memset(groups, 0, sizeof(groups));
    memset(runs, 0, sizeof(runs));
    group_count = 0;
    group_starts_due = 0;
    held_count = 0;
    wire_first = wire_end = 0;
    machine_sent = 0;
    machine_output_clear();
    log_set_sink(keep_output);
    console_set_output(keep_line);
    run_set_synchronous(false);
}

/* Made once: it takes a while. */
static const struct elf_file *sound_image(void)
{
    static struct elf_file sound;
    if (sound.header.magic == 0) {
        elf_make(&sound);
    }
    return &sound;
}

struct deployment_group *machine_add(const char *name, uint32_t count, uint32_t reserve)
{
    if (deployment.group_count == MACHINE_GROUPS) {
        abort();
    }
    struct deployment_group *g = &deployment.groups[deployment.group_count];
    *g = (struct deployment_group){.first_vm = deployment.vm_count + 1,
                                   .count = count,
                                   .reserve = reserve,
                                   .weight = SCHED_WEIGHT_NORMAL,
                                   .reach = NIC_UPLINK};
    snprintf(g->name, sizeof(g->name), "%s", name);
    snprintf(g->image, sizeof(g->image), "%s.elf", name);
    images[deployment.group_count] = *sound_image();
    deployment.vm_count += count + reserve;
    deployment.group_count++;
    return g;
}

void machine_spare(uint32_t n)
{
    deployment.spare = n;
    deployment.vm_count += n;
}

struct elf_file *machine_image(const struct deployment_group *g)
{
    return &images[g - deployment.groups];
}

/* A file of the archive; `size` bytes at `data`. */
static size_t archive_add(size_t at, const char *name, const void *data, size_t size)
{
    static const char zeros[9] = "00000000";
    int head = sprintf(archive + at, "070701%s%08X", zeros, size ? 0100644u : 0u);
    for (unsigned field = 2; field < 13; field++) {
        unsigned value = field == 6 ? (unsigned)size : 0;
        value = field == 11 ? (unsigned)strlen(name) + 1 : value;
        head += sprintf(archive + at + head, "%08X", value);
    }
    at += (size_t)head;
    memcpy(archive + at, name, strlen(name) + 1);
    at = ALIGN_UP(at + strlen(name) + 1, 4u);
    memcpy(archive + at, data, size);
    return ALIGN_UP(at + size, 4u);
}

/* --- traps -------------------------------------------------------------------------------- */

static void fall_asleep(void)
{
    longjmp(asleep, 1);
}

/* A CPU that waits for others polls until this thread plays another one. */
static void give_up_polling(void)
{
    if (polls++ == POLLS_MAX) {
        context_unload();
        longjmp(asleep, 1);
    }
}

/* Does what a trap does, until a VM is entered or the CPU sleeps. */
#define PLAY(what)                                                                                 \
    do {                                                                                           \
        polls = 0;                                                                                 \
        if (setjmp(asleep) == 0) {                                                                 \
            (void)(what);                                                                          \
        }                                                                                          \
    } while (0)

void machine_add_cpus(unsigned n)
{
    machine_cpus = n;
}

void machine_on(unsigned cpu)
{
    host_cpu_set(cpu);
}

static void start_this_cpu(void)
{
    run_init();
    trap_set_ops(&traps);
    if (fault_init() != OK || move_init() != OK) {
        abort();
    }
    run_this()->online = true;
}

static void start_cpus(void)
{
    start_this_cpu();
    if (mail_init(machine_cpus) != OK) {
        abort();
    }
    run_cpus = machine_cpus;
    for (unsigned cpu = 1; cpu < machine_cpus; cpu++) {
        gate_add_pool(&gatekeeper, cpu, &runs[cpu].other_pool);
        host_cpu_set(cpu);
        start_this_cpu();
        PLAY(host_enter(run_next()));
    }
    host_cpu_set(KEEPER);
}

void machine_start(void)
{
    size_t at = 0;
    memset(archive, 0, sizeof(archive));
    for (unsigned i = 0; i < deployment.group_count; i++) {
        at = archive_add(at, deployment.groups[i].image, &images[i], sizeof(images[i]));
    }
    at = archive_add(at, "TRAILER!!!", "", 0);
    deployment.network = (struct switch_config){.base = MACHINE_BASE,
                                                .netmask = 0xFFC00000,
                                                .gateway = MACHINE_GATEWAY,
                                                .address = MACHINE_ADDRESS};
    residence_init();
    host_on_idle(fall_asleep);
    host_on_poll(give_up_polling);
    start_cpus();
    load_init(&deployment);
    network_init(&deployment.network);
    network_set_uplink(&uplink);
    if (irq_register(MACHINE_UPLINK_IRQ, on_wire) != OK ||
        irq_register(MACHINE_DISK_IRQ, on_disk) != OK || group_define_all(&deployment) != OK) {
        abort();
    }
    bringback(machine_disk ? &machine_disk->device : NULL, &deployment);
    group_prepare_all(archive, at);
    PLAY(host_enter(run_next()));
}

struct vm *machine_current(void)
{
    struct context *c = host_context_loaded();
    return c ? container_of(c, struct vm, context) : NULL;
}

struct vm *machine_vm(uint32_t number)
{
    struct stub *s = vm_find(number);
    if (!s || (s->state != VM_LIVE && s->state != VM_PAUSED)) {
        abort();
    }
    return s->vm;
}

void machine_trap(uint64_t function, uint64_t x1, uint64_t x2)
{
    struct vm *vm = machine_current();
    vm->context.x[0] = function;
    vm->context.x[1] = x1;
    vm->context.x[2] = x2;
    PLAY(host_hypercall());
}

static int64_t result_of(const struct vm *caller)
{
    if (machine_current() != caller) {
        abort();
    }
    return (int64_t)caller->context.x[0];
}

int64_t machine_call(uint64_t function, uint64_t x1, uint64_t x2)
{
    struct vm *vm = machine_current();
    machine_trap(function, x1, x2);
    return result_of(vm);
}

int64_t machine_call_queue(uint64_t queue, uint64_t size, uint64_t desc, uint64_t avail,
                           uint64_t used)
{
    struct vm *vm = machine_current();
    vm->context.x[3] = desc;
    vm->context.x[4] = avail;
    vm->context.x[5] = used;
    machine_trap(TOKLAT_QUEUE_SETUP, queue, size);
    return result_of(vm);
}

void machine_abort(ipa_t ipa, enum access access)
{
    struct trap t = {.kind = access == ACCESS_EXECUTE ? TRAP_INSTRUCTION_ABORT : TRAP_DATA_ABORT,
                     .ipa = ipa,
                     .write = access == ACCESS_WRITE};
    PLAY(host_fault(&t));
}

void machine_fault(enum trap_kind kind)
{
    struct trap t = {.kind = kind};
    PLAY(host_fault(&t));
}

/* While the CPU sleeps: what run.c does when cpu_wait returns. */
static struct context *wake_up(void)
{
    run_this()->asleep = false;
    irq_dispatch();
    return host_enter(run_resume());
}

void machine_interrupt(void)
{
    PLAY(host_context_loaded() ? host_interrupt() : wake_up());
}

/* Whether this CPU waits neither for an interrupt nor for its guest. */
static bool polls_others(void)
{
    return !host_context_loaded() && !run_this()->asleep && !machine_power_offs;
}

/* Returns whether anybody had an interrupt. */
static bool turn_once(void)
{
    bool any = false;
    for (unsigned cpu = 0; cpu < machine_cpus; cpu++) {
        host_cpu_set(cpu);
        bool pending = host_irq_pending();
        any |= pending;
        if (pending || polls_others()) {
            machine_interrupt();
        }
    }
    return any;
}

static bool turn(void)
{
    unsigned self = cpu_index(), turns = 0;
    while (!machine_power_offs && turn_once()) {
        if (turns++ == TURNS_MAX) {
            fprintf(stderr, "machine: CPUs interrupt each other for ever\n");
            abort();
        }
    }
    host_cpu_set(self);
    return turns;
}

void machine_turn(void)
{
    (void)turn();
}

void machine_disk_turn(void)
{
    unsigned self = cpu_index();
    host_cpu_set(KEEPER);
    host_irq_raise(MACHINE_DISK_IRQ);
    machine_interrupt();
    host_cpu_set(self);
}

void machine_shutdown(void)
{
    host_cpu_set(KEEPER);
    PLAY((residence_shutdown(), 0));
    for (unsigned i = 0; i < 2000 && !machine_power_offs; i++) {
        machine_disk_turn();
        if (machine_cpus > 1 && !machine_power_offs) {
            machine_turn();
        }
        machine_check(false);
    }
}

void machine_advance(uint64_t ns)
{
    host_time_advance(ticks_from_ns(ns));
    if (machine_cpus > 1) {
        machine_turn();
    } else if (host_irq_pending()) {
        machine_interrupt();
    }
}

void machine_sleep(void)
{
    if (host_context_loaded() || host_timer_deadline() == TICKS_NEVER) {
        abort();
    }
    host_time_set(MAX(host_timer_deadline(), counter_now()));
    machine_interrupt();
}

/* Returns whether anybody ran. */
static bool settle_once(void)
{
    bool any = false;
    for (unsigned cpu = 0; cpu < machine_cpus; cpu++) {
        host_cpu_set(cpu);
        while (machine_current()) {
            any = true;
            machine_trap(TOKLAT_IDLE, TOKLAT_IDLE_FOREVER, 0);
        }
    }
    return any;
}

void machine_settle(void)
{
    unsigned self = cpu_index();
    bool any = true;
    while (any) {
        any = settle_once() && machine_cpus > 1;
        any |= machine_cpus > 1 && turn();
    }
    host_cpu_set(self);
}

void machine_quiet(void)
{
    machine_settle();
    while (machine_disk && !machine_power_offs &&
           (gatekeeper.own.due || machine_disk->queued || !store_settled())) {
        machine_disk_turn();
        if (machine_cpus > 1) {
            machine_turn();
        }
        machine_settle();
    }
}

/* --- guests ------------------------------------------------------------------------------- */

static void poke(struct vm *vm, uint64_t at, const void *src, size_t n)
{
    if (guest_write(&vm->space, IPA(at), src, n) != OK) {
        abort();
    }
}

static uint16_t load16(struct vm *vm, uint64_t at)
{
    uint16_t value;
    if (guest_read(&vm->space, IPA(at), &value, sizeof(value)) != OK) {
        abort();
    }
    return value;
}

static void offer(struct vm *vm, uint64_t ring, const struct virtq_desc *d, uint16_t index)
{
    uint16_t id = index % GUEST_QUEUE_SIZE, next = (uint16_t)(index + 1);
    poke(vm, ring + 16u * id, d, sizeof(*d));
    poke(vm, ring + 0x1004 + 2u * id, &id, sizeof(id));
    poke(vm, ring + 0x1002, &next, sizeof(next));
}

void guest_offer_rx(struct vm *vm, unsigned buffers)
{
    while (buffers--) {
        uint16_t index = load16(vm, GUEST_RX + 0x1002);
        offer(
            vm, GUEST_RX,
            &(struct virtq_desc){.addr = GUEST_RX_BUFFERS + PAGE_SIZE * (index % GUEST_QUEUE_SIZE),
                                 .len = 2048,
                                 .flags = VIRTQ_DESC_F_WRITE},
            index);
    }
}

void guest_offer_tx(struct vm *vm, const void *frame, size_t bytes)
{
    uint16_t index = load16(vm, GUEST_TX + 0x1002);
    uint64_t at = GUEST_TX_BUFFERS + PAGE_SIZE * (index % GUEST_QUEUE_SIZE);
    struct virtio_net_hdr header = {0};
    poke(vm, at, &header, sizeof(header));
    poke(vm, at + sizeof(header), frame, bytes);
    offer(vm, GUEST_TX, &(struct virtq_desc){.addr = at, .len = (uint32_t)(sizeof(header) + bytes)},
          index);
}

uint16_t guest_used(struct vm *vm, uint64_t ring)
{
    return load16(vm, ring + 0x2002);
}

void machine_boot(unsigned rx_buffers)
{
    struct vm *vm;
    while ((vm = machine_current()) && vm->stub->number == 0) {
        host_context_live()->vbar_el1 = MACHINE_VBAR;
        if (machine_call_queue(0, GUEST_QUEUE_SIZE, GUEST_RX, GUEST_RX + 0x1000,
                               GUEST_RX + 0x2000) != 0 ||
            machine_call_queue(1, GUEST_QUEUE_SIZE, GUEST_TX, GUEST_TX + 0x1000,
                               GUEST_TX + 0x2000) != 0) {
            abort();
        }
        guest_offer_rx(vm, rx_buffers);
        machine_trap(TOKLAT_CHECKPOINT, 0, 0);
    }
}

/* --- frames ------------------------------------------------------------------------------- */

void machine_hold_frames(uint64_t left)
{
    unsigned self = cpu_index();
    for (unsigned cpu = 0; cpu < machine_cpus; cpu++) { /* each has some for itself */
        host_cpu_set(cpu);
        while (held_count < HELD_MAX &&
               frame_alloc(FRAME_EL2, FRAME_OWNER_NONE, &held[held_count]) == OK) {
            held_count++;
        }
    }
    while (left-- && held_count) {
        host_cpu_set((unsigned)left % MAX(machine_cpus, 1u));
        (void)frame_unref(held[--held_count]);
    }
    host_cpu_set(self);
}

void machine_release_frames(void)
{
    while (held_count) {
        (void)frame_unref(held[--held_count]);
    }
    gate_poke(&gatekeeper); /* as whoever gives frames back does */
}

struct machine_frames machine_frames(void)
{
    struct machine_frames f;
    for (unsigned k = 0; k < FRAME_KINDS; k++) {
        f.of[k] = frame_count((enum frame_kind)k);
    }
    return f;
}

bool machine_frames_equal(const struct machine_frames *a, const struct machine_frames *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}
