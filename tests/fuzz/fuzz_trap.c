/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * A whole machine whose guests do what the input says: any hypercall with any arguments, any
 * trap, anything in their memory and rings, frames from the wire, time that passes, frames of
 * memory that run out. After every step the machine's books are straight (machine_check), and no
 * guest is told of an error that is not documented.
 *
 *   first byte   bit 0: the guests are not booted; bit 1: synchronous events
 *   then steps   kind, and what that kind reads; a short input reads as zeros
 */
#include <stdlib.h>

#include "arch/irq.h"
#include "arch/time.h"
#include "tests/unit/machine.h"

#define STEPS_MAX 48u
#define RAM_BYTES MIB(1) /* little, so that it runs out */
#define VMS 8u
#define PATCH_MAX 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t left;
};

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static uint8_t take8(struct input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->data++;
}

static uint64_t take_raw(struct input *in, unsigned bytes)
{
    uint64_t v = 0;
    while (bytes--) {
        v = v << 8 | take8(in);
    }
    return v;
}

/* Numbers and addresses, those where something is more often than others. */
static uint64_t take_value(struct input *in)
{
    static const uint64_t wild[] = {0,
                                    1ull << 32,
                                    1ull << 48,
                                    1ull << 63,
                                    UINT64_MAX,
                                    UINT64_MAX - 15,
                                    UINT64_MAX - 0xFFF,
                                    INT64_MAX,
                                    ELF_MEMORY,
                                    ELF_MEMORY - 16,
                                    0x1000,
                                    0x1038,
                                    0x3000,
                                    0x5000,
                                    0x6000,
                                    0x6FF0,
                                    0x7000,
                                    GUEST_RX,
                                    GUEST_RX + 0x1000,
                                    GUEST_RX + 0x2000,
                                    GUEST_TX,
                                    GUEST_TX + 0x1000,
                                    GUEST_TX + 0x2000,
                                    GUEST_RX_BUFFERS,
                                    GUEST_TX_BUFFERS,
                                    GUEST_UNUSED,
                                    ELF_MEMORY - ELF_STACK,
                                    ELF_MEMORY - ELF_STACK - 1,
                                    256,
                                    8,
                                    1024,
                                    NS_PER_MS};
    uint8_t how = take8(in);
    if (how < 128) {
        return how;
    }
    if (how < 160) {
        return wild[how - 128];
    }
    if (how < 224) {
        return wild[how % 32] + take_raw(in, 1) * (how & 32 ? 1 : PAGE_SIZE);
    }
    return take_raw(in, 1 + how % 8u);
}

static void poke(struct vm *vm, uint64_t at, const void *src, size_t n)
{
    (void)!guest_write(&vm->space, IPA(at), src, n); /* or there is nothing */
}

/* --- steps -------------------------------------------------------------------------------- */

static bool is_documented(uint64_t function, int64_t result)
{
    if ((uint32_t)function == TOKLAT_IDLE) {
        return result >= 0;
    }
    return result >= TOKLAT_E_BUSY;
}

static void step_hypercall(struct input *in, struct vm *vm)
{
    static const uint32_t known[] = {SMCCC_VERSION,     SMCCC_ARCH_FEATURES, PSCI_VERSION,
                                     PSCI_SYSTEM_OFF,   PSCI_SYSTEM_RESET,   PSCI_FEATURES,
                                     TOKLAT_CALL_COUNT, TOKLAT_CALL_UID,     TOKLAT_CALL_REVISION};
    uint8_t which = take8(in);
    uint64_t function = TOKLAT_CALL(which % TOKLAT_CALLS);
    if (which >= 0xF8) {
        function = take_raw(in, 8);
    } else if (which >= 0xE0) {
        function = known[which % ARRAY_SIZE(known)];
    }
    uint64_t x1 = take_value(in), x2 = take_value(in);
    if ((uint32_t)function == TOKLAT_CONSOLE_WRITE) {
        x2 &= 0x3F; /* every character takes time */
    }
    if ((uint32_t)function == TOKLAT_QUEUE_SETUP) {
        vm->context.x[3] = take_value(in);
        vm->context.x[4] = take_value(in);
        vm->context.x[5] = take_value(in);
    }
    uint64_t generation = vm->page->generation;
    machine_trap(function, x1, x2);
    if (machine_current() == vm && vm->page->generation == generation) {
        must(is_documented(function, (int64_t)vm->context.x[0]));
    }
}

static void step_fault(struct input *in)
{
    uint8_t how = take8(in);
    struct trap t = {.kind = (enum trap_kind)(how % (TRAP_OTHER + 1)),
                     .write = how & 0x40,
                     .permanent = (how & 0xB0) == 0xB0};
    if (t.kind > TRAP_INSTRUCTION_ABORT) {
        machine_fault(t.kind);
        return;
    }
    t.ipa = IPA(take_value(in));
    machine_abort(t.ipa, t.kind == TRAP_INSTRUCTION_ABORT ? ACCESS_EXECUTE
                         : t.write                        ? ACCESS_WRITE
                                                          : ACCESS_READ);
}

static void step_write(struct input *in, struct vm *vm)
{
    uint8_t bytes[PATCH_MAX];
    uint64_t at = take_value(in);
    size_t n = take8(in) % PATCH_MAX + 1;
    for (size_t i = 0; i < n; i++) {
        bytes[i] = take8(in);
    }
    poke(vm, at, bytes, n);
}

/* A frame, sound but for what the input changes. */
static size_t take_frame(struct input *in, uint8_t *frame, uint32_t from)
{
    size_t bytes = 42 + take8(in) * 6u;
    bytes = MIN(bytes, (size_t)NIC_FRAME_MAX);
    frame_make(frame, bytes, from, take8(in) % VMS);
    for (unsigned patches = take8(in) % 4u; patches; patches--) {
        size_t at = take8(in) % bytes;
        frame[at] = take8(in);
    }
    return bytes;
}

static void step_wire(struct input *in)
{
    uint8_t frame[NIC_FRAME_MAX];
    size_t bytes = take_frame(in, frame, 0);
    machine_receive(frame, bytes);
    machine_interrupt();
}

/* A descriptor, wherever the guest's ring is now; made available. */
static void offer(struct vm *vm, const struct vring *r, const struct virtq_desc *d)
{
    uint16_t idx = 0;
    if (r->size == 0 || guest_read(&vm->space, IPA(r->avail.v + 2), &idx, sizeof(idx)) != OK) {
        return;
    }
    uint16_t id = (uint16_t)(idx % r->size);
    poke(vm, r->desc.v + 16u * id, d, sizeof(*d));
    poke(vm, r->avail.v + 4 + 2u * id, &id, sizeof(id));
    idx++;
    poke(vm, r->avail.v + 2, &idx, sizeof(idx));
}

static void step_send(struct input *in, struct vm *vm)
{
    uint8_t frame[NIC_FRAME_MAX];
    static const struct virtio_net_hdr header;
    uint64_t at = GUEST_TX_BUFFERS + PAGE_SIZE * (take8(in) % GUEST_QUEUE_SIZE);
    size_t bytes = take_frame(in, frame, vm->stub->number);
    poke(vm, at, &header, sizeof(header));
    poke(vm, at + sizeof(header), frame, bytes);
    struct virtq_desc d = {.addr = at, .len = (uint32_t)(sizeof(header) + bytes)};
    offer(vm, &vm->nic.tx, &d);
    machine_trap(TOKLAT_DOORBELL, 2, 0);
}

static void step_offer(struct input *in, struct vm *vm)
{
    uint8_t how = take8(in);
    struct virtq_desc d = {.addr = take_value(in), .len = (uint32_t)take_value(in)};
    d.flags = how & 7;
    d.next = how >> 3;
    offer(vm, how & 0x80 ? &vm->nic.tx : &vm->nic.rx, &d);
}

static void step_state(struct input *in, struct vm *vm)
{
    static const uint8_t modes[] = {0x5, 0x4, 0x0, 0x5};
    uint8_t how = take8(in);
    vm->context.pstate = modes[how & 3] | (how & 4 ? 0x3C0u : 0u);
    if (how & 8) {
        vm->page->events_masked = take_raw(in, 1);
    }
    if (how & 16) {
        vm->page->events_pending = take_raw(in, 8);
    }
}

static void step_frames(struct input *in)
{
    uint8_t left = take8(in);
    machine_release_frames();
    if (left < 128) {
        machine_hold_frames(left % 8u);
    }
}

static void step_vtimer(void)
{
    host_irq_raise(irq_virtual_timer());
    machine_interrupt();
}

/* Steps of whoever runs. */
static void step_running(struct input *in, uint8_t kind, struct vm *vm)
{
    switch (kind % 8) {
    case 0:
        step_fault(in);
        break;
    case 1:
        step_write(in, vm);
        break;
    case 2:
        step_send(in, vm);
        break;
    case 3:
        step_offer(in, vm);
        break;
    case 4:
        step_state(in, vm);
        break;
    default:
        step_hypercall(in, vm);
        break;
    }
}

static void step(struct input *in)
{
    uint8_t kind = take8(in);
    struct vm *vm = machine_current();
    if (kind < 192 && vm) {
        step_running(in, kind, vm);
    } else if (kind < 192 && host_timer_deadline() != TICKS_NEVER) {
        machine_sleep();
    } else if (kind < 224) {
        step_wire(in);
    } else if (kind < 236) {
        machine_advance(take_value(in) * NS_PER_US);
    } else if (kind < 248) {
        step_frames(in);
    } else {
        step_vtimer();
    }
}

static void deploy(void)
{
    machine_init(RAM_BYTES);
    struct deployment_group *boss = machine_add("boss", 1, 0);
    boss->supervisor = boss->start_at_boot = true;
    machine_add("web", 2, 2);
    struct deployment_group *plain = machine_add("plain", 1, 0);
    plain->reach = NIC_INTERNAL;
    machine_image(plain)->note.flags = 0;
    struct deployment_group *mmu = machine_add("mmu", 1, 0);
    mmu->start_at_boot = true;
    machine_image(mmu)->note.flags |= TOKLAT_IMAGE_MMU;
    machine_start();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t how = take8(&in);
    deploy();
    run_set_synchronous(how & 2);
    if (!(how & 1)) {
        machine_boot(4);
    }
    machine_check(false);
    for (unsigned n = 0; in.left && n < STEPS_MAX; n++) {
        step(&in);
        machine_check(false);
    }
    machine_release_frames();
    return 0;
}
