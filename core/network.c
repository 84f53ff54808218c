/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the switch, the VMs and the uplink.
 *
 * The first frame for a VM that never ran starts it. Delivery never ends a VM under the hands of
 * its caller: vm_kill only marks it.
 */
#include "core/network.h"

#include "arch/time.h"
#include "core/move.h"
#include "core/residence.h"
#include "core/transit.h"

/* Frames of one poll of the uplink, and polls before the CPU looks at something else. */
#define POLL_FRAMES 64
#define POLLS_AT_ONCE 4

static struct uplink *uplink;
static bool uplink_more;   /* the last poll left something */
static bool uplink_queued; /* frames that the device was not told of */
static uint64_t uplink_dropped[CPUS_MAX];

static bool exists(uint32_t n, enum nic_reach *reach)
{
    struct stub *s = vm_find(n);
    if (!s) {
        return false;
    }
    *reach = groups[s->group].config->reach;
    return true;
}

bool network_hand_over(struct vm *vm, const uint8_t *frame, size_t bytes)
{
    bool event = false;
    enum err e = nic_deliver(&vm->nic, &vm->space, frame, bytes, &event);
    if (e == ERR_AWAY) {
        return false;
    }
    if (e == ERR_INVALID || e == ERR_RANGE || e == ERR_DENIED) {
        vm_kill(vm, "receive queue: %s", err_name(e));
    } else if (event) {
        event_post(vm->stub, TOKLAT_EVENT_NET_RX);
    }
    return true;
}

/* To the CPU that the VM belongs to. */
static __attribute__((noinline)) void pass_on(const struct stub *s, const uint8_t *frame,
                                              size_t bytes)
{
    if (mail_send(move_next_stop(s), MAIL_FRAME, 0, s->number, frame, bytes) != OK) {
        run_this()->not_ready++;
    }
}

void network_deliver(uint32_t n, const uint8_t *frame, size_t bytes)
{
    struct stub *s = vm_find(n);
    if (!s || unlikely(residence_stopping)) {
        return;
    }
    if (unlikely(!move_is_here(s))) {
        pass_on(s, frame, bytes);
        return;
    }
    if (s->state != VM_LIVE && !residence_receive(s, frame, bytes)) {
        return;
    }
    struct vm *vm = s->vm;
    if (unlikely(vm->ended || (vm->leaving && vm->wait == WAIT_ROOM))) {
        run_this()->not_ready++; /* it does not stay for it, and its record is made */
    } else if (unlikely(vm->fetch && vm->fetch->first) || !network_hand_over(vm, frame, bytes)) {
        residence_park(vm, frame, bytes);
    } else if (unlikely(vm->leaving && !vm->ended)) {
        residence_stay(vm); /* it was not told, and its record does not have the frame */
    }
}

void network_send(const uint8_t *frame, size_t bytes)
{
    enum err e = ERR_NOT_FOUND;
    if (cpu_index() != KEEPER) {
        e = uplink ? mail_send(KEEPER, MAIL_UPLINK, 0, 0, frame, bytes) : e;
    } else if (uplink) {
        e = uplink->ops->send(uplink, frame, bytes);
        uplink_queued |= e == OK;
    }
    uplink_dropped[cpu_index()] += e != OK;
}

static const struct switch_ops switch_ops = {exists, network_deliver, network_send};

BOOT void network_init(const struct switch_config *config)
{
    switch_init(config, &switch_ops);
}

BOOT void network_set_uplink(struct uplink *u)
{
    uplink = u;
    switch_set_peer(u->peer);
}

const struct uplink *network_uplink(void)
{
    return uplink;
}

static void flush(void)
{
    if (uplink_queued) {
        uplink_queued = false;
        uplink->ops->flush(uplink);
    }
}

void network_interrupt(void)
{
    uplink_more = true;
    for (unsigned i = 0; uplink_more && i < POLLS_AT_ONCE; i++) {
        uplink_more = uplink->ops->poll(uplink, POLL_FRAMES, switch_from_uplink) == POLL_FRAMES;
    }
}

/* Whether the uplink is to be polled though it did not ask: it looks at its link, for one. */
static bool poll_is_due(void)
{
    if (likely(!uplink || !uplink->poll_by)) {
        return false;
    }
    if (counter_now() >= uplink->poll_by) {
        return true;
    }
    run_arm(uplink->poll_by);
    return false;
}

bool network_poll_again(const struct run *r)
{
    if (r->cpu != KEEPER) {
        return false;
    }
    bool more = uplink_more || poll_is_due();
    if (unlikely(more)) {
        network_interrupt();
    }
    flush();
    return more;
}

static void emit(void *context, uint8_t *frame, size_t bytes)
{
    const struct vm *vm = context;
    switch_from_vm(vm->stub->number, frame, bytes);
}

enum err network_transmit(struct vm *vm)
{
    bool event = false;
    bool more = false; /* never: the budget is the largest ring */
    enum err e = nic_transmit(&vm->nic, &vm->space, TOKLAT_QUEUE_SIZE_MAX, emit, vm, &event, &more);
    if (e != OK && e != ERR_NO_MEMORY && e != ERR_AWAY) {
        vm_kill(vm, "transmit queue: %s", err_name(e));
    } else if (event) {
        event_post(vm->stub, TOKLAT_EVENT_NET_TX);
    }
    return e;
}

struct network_counters network_get_counters(void)
{
    struct network_counters sum = {0};
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        sum.not_ready += runs[cpu].not_ready;
        sum.uplink_dropped += uplink_dropped[cpu];
    }
    return sum;
}
