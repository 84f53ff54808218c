/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the switch, the VMs and the uplink.
 *
 * The first frame for a VM that never ran starts it. Delivery never ends a VM under the hands of
 * its caller: vm_kill only marks it.
 */
#include "core/network.h"

#include "arch/time.h"
#include "core/residence.h"
#include "core/run.h"
#include "core/transit.h"

/* Frames of one poll of the uplink, and polls before the CPU looks at something else. */
#define POLL_FRAMES 64
#define POLLS_AT_ONCE 4

static struct uplink *uplink;
static bool uplink_more;   /* the last poll left something */
static bool uplink_queued; /* frames that the device was not told of */
static struct network_counters counters;

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

static void deliver(uint32_t n, const uint8_t *frame, size_t bytes)
{
    struct stub *s = vm_find(n);
    if (!s || unlikely(residence_stopping) ||
        (s->state != VM_LIVE && !residence_receive(s, frame, bytes))) {
        return;
    }
    struct vm *vm = s->vm;
    if (unlikely(vm->ended)) {
        counters.not_ready++;
    } else if (unlikely(vm->fetch && vm->fetch->first) || !network_hand_over(vm, frame, bytes)) {
        residence_park(vm, frame, bytes);
    }
}

static void send(const uint8_t *frame, size_t bytes)
{
    if (!uplink || uplink->ops->send(uplink, frame, bytes) != OK) {
        counters.uplink_dropped++;
        return;
    }
    uplink_queued = true;
}

static const struct switch_ops switch_ops = {exists, deliver, send};

void network_init(const struct switch_config *config)
{
    switch_init(config, &switch_ops);
}

void network_set_uplink(struct uplink *u)
{
    uplink = u;
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

bool network_poll_again(void)
{
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
    return counters;
}
