/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * Frames between VMs and the wire: whom they start, whom they wake, and who alone suffers when a
 * ring is broken or memory is short.
 */
#include "abi/control.h"
#include "tests/unit/machine_test.h"

#include "arch/time.h"

#define RX TOKLAT_EVENT_NET_RX
#define TX TOKLAT_EVENT_NET_TX
#define RESUMED TOKLAT_EVENT_RESUMED
#define FOREVER TOKLAT_IDLE_FOREVER
#define BYTES 100
#define ARP_BYTES 42

static struct vm *boss;

static int setup(void **state)
{
    setup_machine(state);
    boss = machine_current();
    assert_int_equal(machine_call(TOKLAT_IDLE, 1, 0), RESUMED);
    return 0;
}

static void offer(struct vm *vm, uint32_t from, uint32_t to)
{
    uint8_t frame[BYTES];
    frame_make(frame, sizeof(frame), from, to);
    guest_offer_tx(vm, frame, sizeof(frame));
}

static void from_wire(uint32_t to)
{
    uint8_t frame[BYTES];
    frame_make(frame, sizeof(frame), 0, to);
    machine_receive(frame, sizeof(frame));
}

static int64_t ring_the_bell(void)
{
    int64_t result = machine_call(TOKLAT_DOORBELL, 2, 0);
    machine_check(true);
    return result;
}

/* Starts a VM of web, and leaves it asleep for ever. */
static struct vm *sleeper(uint32_t number)
{
    struct vm *vm = start_and_run(number);
    assert_int_equal(machine_call(TOKLAT_IDLE, 1, 0), RESUMED);
    machine_trap(TOKLAT_IDLE, FOREVER, 0);
    assert_ptr_equal(machine_current(), boss);
    return vm;
}

/* Breaks the receive ring: more is available than it holds. */
static void break_rx(struct vm *vm)
{
    uint16_t idx = 1000;
    assert_int_equal(guest_write(&vm->space, IPA(GUEST_RX + 0x1002), &idx, sizeof(idx)), OK);
}

/* --- delivery ----------------------------------------------------------------------------- */

static void test_first_frame_starts(void **state)
{
    (void)state;
    from_wire(WEB);
    machine_interrupt();
    machine_check(true);
    assert_ptr_equal(machine_current(), boss); /* batched: it waits for its turn */
    struct vm *web = machine_vm(WEB);
    machine_trap(TOKLAT_IDLE, FOREVER, 0);
    assert_ptr_equal(machine_current(), web);
    assert_int_equal(guest_used(web, GUEST_RX), 1);
    assert_int_equal(machine_call(TOKLAT_IDLE, FOREVER, 0), RX | RESUMED);
    uint8_t expected[BYTES], got[BYTES + 12];
    frame_make(expected, sizeof(expected), 0, WEB);
    assert_int_equal(guest_read(&web->space, IPA(GUEST_RX_BUFFERS), got, sizeof(got)), OK);
    assert_memory_equal(got + 12, expected, sizeof(expected));
    assert_int_equal(got[10], 1); /* num_buffers */
}

static void test_between_vms(void **state)
{
    (void)state;
    struct vm *web = sleeper(WEB);
    offer(boss, BOSS, WEB);
    offer(boss, BOSS, WEB + 1); /* starts it */
    offer(boss, BOSS, 0);       /* to the wire */
    assert_int_equal(ring_the_bell(), 0);
    assert_int_equal(guest_used(boss, GUEST_TX), 3);
    assert_int_equal(guest_used(web, GUEST_RX), 1);
    assert_int_equal(guest_used(machine_vm(WEB + 1), GUEST_RX), 1);
    assert_int_equal(machine_sent, 1);
    assert_int_equal(machine_call(TOKLAT_IDLE, 1, 0), TX);
    machine_trap(TOKLAT_IDLE, FOREVER, 0);
    assert_ptr_equal(machine_current(), web);
    assert_int_equal(web->context.x[0], RX);
}

static void test_nobody_there(void **state)
{
    (void)state;
    uint64_t dropped = residence_counters.dropped;
    struct machine_frames before = machine_frames();
    from_wire(WEB + WEB_COUNT); /* of the reserve, not created */
    from_wire(1000);
    machine_interrupt();
    assert_int_equal(residence_counters.dropped, dropped);
    assert_frames(&before);

    start_and_run(WEB);
    machine_trap(TOKLAT_EXIT, 0, 0);
    switch_to(BOSS);
    from_wire(WEB); /* dead */
    machine_interrupt();
    assert_int_equal(residence_counters.dropped, dropped + 1);
    assert_frames(&before);
    machine_check(true);
}

static void test_template_not_ready(void **state)
{
    (void)state;
    deploy_boss_and_web();
    machine_start();
    uint64_t dropped = residence_counters.dropped;
    from_wire(WEB);
    machine_interrupt();
    machine_check(true);
    assert_int_equal(residence_counters.dropped, dropped + 1);
    assert_int_equal(state_of(WEB), VM_DEFINED);
}

static void test_without_network(void **state)
{
    (void)state;
    deploy_boss_and_web();
    struct deployment_group *g = machine_add("mute", 1, 0);
    g->reach = NIC_NONE;
    machine_start();
    machine_boot(RX_BUFFERS);
    boss = machine_current();
    uint32_t mute = WEB + WEB_COUNT + WEB_RESERVE;
    from_wire(mute);
    offer(boss, BOSS, mute);
    machine_interrupt();
    assert_int_equal(ring_the_bell(), 0);
    assert_int_equal(state_of(mute), VM_DEFINED);
    struct vm *vm = start_and_run(mute);
    assert_int_equal(vm->page->mtu, 0);
    offer(vm, mute, BOSS);
    assert_int_equal(ring_the_bell(), 0);
    assert_int_equal(guest_used(boss, GUEST_RX), 0);
}

static void test_no_room(void **state)
{
    (void)state;
    struct vm *web = sleeper(WEB);
    for (unsigned i = 0; i < RX_BUFFERS + 3; i++) {
        from_wire(WEB);
    }
    machine_interrupt();
    machine_check(true);
    assert_int_equal(guest_used(web, GUEST_RX), RX_BUFFERS);
    assert_int_equal(web->nic.rx_frames, RX_BUFFERS);
    assert_int_equal(web->nic.rx_dropped, 3);
}

/* More than one interrupt takes: the rest comes with later traps, and nothing is lost. */
static void test_burst(void **state)
{
    (void)state;
    struct vm *web = sleeper(WEB);
    for (unsigned i = 0; i < 300; i++) {
        from_wire(WEB);
    }
    machine_interrupt(); /* takes a part, and the end of the trap another */
    machine_check(true);
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(web->nic.rx_frames + web->nic.rx_dropped, 300);
    machine_settle();
    for (unsigned i = 0; i < 300; i++) {
        from_wire(WEB);
    }
    machine_interrupt(); /* while nobody runs */
    assert_null(machine_current());
    assert_int_equal(web->nic.rx_frames + web->nic.rx_dropped, 600);
}

/* --- broken rings ------------------------------------------------------------------------- */

enum asleep_how { IDLES, IDLES_FOR_A_TIME, WAITS, IS_READY };

static void test_receiver_is_killed(void **state)
{
    (void)state;
    for (enum asleep_how how = IDLES; how <= IS_READY; how++) {
        setup(state);
        struct machine_frames before = machine_frames();
        struct vm *web = start_and_run(WEB);
        break_rx(web);
        machine_call(TOKLAT_IDLE, 1, 0);
        if (how == WAITS) {
            machine_fault(TRAP_WFI);
        } else {
            machine_trap(TOKLAT_IDLE, how == IDLES_FOR_A_TIME ? NS_PER_MS : FOREVER, 0);
        }
        if (how == IS_READY) {
            event_post(web->stub, TX);
        }
        uint64_t not_ready = network_get_counters().not_ready;
        offer(boss, BOSS, WEB);
        offer(boss, BOSS, BOSS); /* to itself */
        offer(boss, BOSS, WEB);
        assert_int_equal(ring_the_bell(), 0);
        assert_int_equal(network_get_counters().not_ready, not_ready + 1); /* the second */
        assert_int_equal(guest_used(boss, GUEST_TX), 3);
        assert_int_equal(guest_used(boss, GUEST_RX), 1);
        assert_int_equal(state_of(WEB), VM_DEAD);
        assert_int_equal(groups[1].killed, 1);
        assert_true(output_has("[web/1] killed: receive queue: invalid"));
        machine_advance(NS_PER_S);
        machine_check(true);
        assert_int_equal(control(TOKLAT_VM_DESTROY, WEB), 0);
        assert_int_equal(frame_count(FRAME_DESCRIPTOR), before.of[FRAME_DESCRIPTOR]);
    }
}

/* Started by the very frame that finds its template's ring broken. */
static void test_started_and_killed(void **state)
{
    (void)state;
    deploy_boss_and_web();
    machine_start();
    machine_boot(0);
    /* web's template set its queue up where nothing may be */
    groups[1].template->nic.rx.avail = IPA(0);
    boss = machine_current();
    struct machine_frames before = machine_frames();
    for (unsigned i = 0; i < WEB_COUNT; i++) {
        from_wire(WEB + i);
        from_wire(WEB + i);
    }
    machine_interrupt();
    machine_check(true);
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(groups[1].dead, WEB_COUNT);
    assert_frames(&before);
}

static void test_sender_is_killed(void **state)
{
    (void)state;
    struct vm *web = start_and_run(WEB);
    offer(web, WEB, WEB + 1);
    uint16_t bad = 999;
    offer(web, WEB, WEB + 1);
    assert_int_equal(guest_write(&web->space, IPA(GUEST_TX + 0x1006), &bad, 2), OK);
    machine_trap(TOKLAT_DOORBELL, 3, 0);
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_DEAD);
    assert_true(output_has("[web/1] killed: transmit queue: invalid"));
    assert_int_equal(guest_used(machine_vm(WEB + 1), GUEST_RX), 1); /* what came before */
}

/* An ARP request for the switch: the answer goes to who asked. */
static void ask_switch(struct vm *vm, uint32_t from)
{
    static const uint8_t fixed[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    uint8_t frame[ARP_BYTES];
    frame_make(frame, sizeof(frame), from, 0);
    uint8_t sender[4], target[4];
    memcpy(sender, frame + 26, 4);
    for (unsigned i = 0; i < 4; i++) {
        target[i] = (uint8_t)(MACHINE_ADDRESS >> (24 - 8 * i));
    }
    memcpy(frame + 12, fixed, sizeof(fixed));
    memcpy(frame + 22, frame + 6, 6);
    memcpy(frame + 28, sender, 4);
    memcpy(frame + 38, target, 4);
    guest_offer_tx(vm, frame, sizeof(frame));
}

static void test_answer_to_oneself(void **state)
{
    (void)state;
    ask_switch(boss, BOSS);
    assert_int_equal(ring_the_bell(), 0);
    assert_int_equal(guest_used(boss, GUEST_RX), 1);
    assert_int_equal(machine_call(TOKLAT_IDLE, 1, 0), RX | TX);
}

static void test_killed_by_ones_own_answer(void **state)
{
    (void)state;
    struct machine_frames before = machine_frames();
    struct vm *web = start_and_run(WEB);
    break_rx(web);
    ask_switch(web, WEB);
    offer(web, WEB, BOSS); /* after its end: still taken, memory is there until the trap is over */
    machine_trap(TOKLAT_DOORBELL, 2, 0);
    machine_check(true);
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(state_of(WEB), VM_DEAD);
    assert_int_equal(groups[1].killed, 1);
    control(TOKLAT_VM_DESTROY, WEB);
    assert_int_equal(frame_count(FRAME_STAGE2), before.of[FRAME_STAGE2]);
}

static void test_current_is_killed_from_the_wire(void **state)
{
    (void)state;
    struct vm *web = start_and_run(WEB);
    break_rx(web);
    from_wire(WEB);
    machine_interrupt();
    machine_check(true);
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(state_of(WEB), VM_DEAD);
}

/* Killed while the CPU sleeps, and nobody wakes: what it held is free all the same. */
static void test_killed_while_all_sleep(void **state)
{
    (void)state;
    struct machine_frames before = machine_frames();
    struct vm *web = sleeper(WEB);
    break_rx(web);
    machine_trap(TOKLAT_IDLE, FOREVER, 0);
    from_wire(WEB);
    machine_interrupt();
    assert_null(machine_current());
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_DEAD);
    assert_frames(&before);
}

/* Killed while the CPU sleeps: the next that runs finds it in order. */
static void test_sleeper_is_killed_from_the_wire(void **state)
{
    (void)state;
    struct vm *web = sleeper(WEB);
    break_rx(web);
    machine_trap(TOKLAT_IDLE, FOREVER, 0);
    assert_null(machine_current());
    from_wire(WEB);
    from_wire(BOSS);
    machine_interrupt();
    machine_check(true);
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(control(TOKLAT_VM_DESTROY, WEB), 0);
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_DEFINED);
    assert_int_equal(control(TOKLAT_VM_START, WEB), 0);
}

/* --- out of frames ------------------------------------------------------------------------ */

/* A frame for a VM that does not live, with 0, 1, 2, ... free frames. */
static void test_start_by_frame_without_frames(void **state)
{
    (void)state;
    uint64_t left = 0;
    struct machine_frames before = machine_frames();
    for (bool delivered = false; !delivered; left++) {
        assert_true(left < 16);
        machine_hold_frames(left);
        from_wire(WEB);
        machine_interrupt();
        machine_check(true);
        machine_release_frames();
        if (state_of(WEB) == VM_LIVE) {
            delivered = machine_vm(WEB)->nic.rx_frames == 1;
            assert_true(delivered || machine_vm(WEB)->nic.rx_dropped == 1);
            assert_int_equal(control(TOKLAT_VM_DESTROY, WEB), 0);
        }
        assert_frames(&before);
    }
    assert_true(left > 3);
    assert_int_equal(groups[1].killed, 0);
}

/* A frame for a VM that lives but has not touched its used ring and buffers. */
static void test_delivery_without_frames(void **state)
{
    (void)state;
    struct vm *web = sleeper(WEB);
    uint64_t left = 0;
    for (; web->nic.rx_frames == 0; left++) {
        assert_true(left < 16);
        machine_hold_frames(left);
        from_wire(WEB);
        machine_interrupt();
        machine_check(true);
        machine_release_frames();
        assert_int_equal(web->nic.rx_frames + web->nic.rx_dropped, left + 1);
    }
    assert_int_equal(left, 3); /* the buffer, the used ring, and then it is delivered */
    assert_int_equal(guest_used(web, GUEST_RX), 1);
    assert_int_equal(groups[1].killed, 0);
}

static void test_doorbell_without_frames(void **state)
{
    (void)state;
    struct vm *web = sleeper(WEB);
    offer(boss, BOSS, WEB);
    offer(boss, BOSS, WEB);
    machine_hold_frames(0);
    assert_int_equal(ring_the_bell(), TOKLAT_E_NO_MEMORY); /* for its used ring */
    assert_int_equal(web->nic.rx_frames + web->nic.rx_dropped, 0);
    assert_int_equal(ring_the_bell(), TOKLAT_E_NO_MEMORY);
    machine_release_frames();
    assert_int_equal(ring_the_bell(), 0);
    assert_int_equal(guest_used(boss, GUEST_TX), 2);
    assert_int_equal(guest_used(web, GUEST_RX), 2);
    assert_int_equal(groups[0].killed + groups[1].killed, 0);
}

/* The sender has what it needs; the receiver loses its frame, and that is all. */
static void test_receiver_without_frames(void **state)
{
    (void)state;
    struct vm *web = sleeper(WEB);
    offer(boss, BOSS, 0);
    assert_int_equal(ring_the_bell(), 0);
    offer(boss, BOSS, WEB);
    offer(boss, BOSS, WEB + 1);
    machine_hold_frames(0);
    assert_int_equal(ring_the_bell(), 0);
    machine_release_frames();
    assert_int_equal(web->nic.rx_dropped, 1);
    assert_int_equal(state_of(WEB + 1), VM_DEFINED);
    assert_int_equal(guest_used(boss, GUEST_TX), 3);
}

/* --- the uplink's own time ---------------------------------------------------------------- */

#define PERIOD 1000

static struct uplink clockwork;
static unsigned clockwork_polls;

static unsigned clockwork_poll(struct uplink *u, unsigned budget, uplink_receive_fn receive)
{
    (void)budget;
    (void)receive;
    clockwork_polls++;
    u->poll_by = counter_now() + PERIOD;
    return 0;
}

static const struct uplink_ops clockwork_ops = {.poll = clockwork_poll};

/* An uplink is polled when it says, while a VM runs and while all sleep. */
static void test_polled_in_time(void **state)
{
    (void)state;
    clockwork = (struct uplink){.ops = &clockwork_ops, .poll_by = counter_now() + PERIOD};
    clockwork_polls = 0;
    network_set_uplink(&clockwork);
    machine_interrupt();
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(clockwork_polls, 0);
    assert_true(host_timer_deadline() <= clockwork.poll_by);
    host_time_advance(PERIOD);
    machine_interrupt();
    assert_int_equal(clockwork_polls, 1);
    machine_trap(TOKLAT_IDLE, FOREVER, 0);
    assert_null(machine_current());
    for (unsigned i = 2; i < 10; i++) {
        assert_int_equal(host_timer_deadline(), clockwork.poll_by);
        host_time_advance(PERIOD);
        machine_interrupt();
        assert_int_equal(clockwork_polls, i);
        assert_null(machine_current());
    }
}

#define net_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        net_test(test_first_frame_starts),
        net_test(test_between_vms),
        net_test(test_nobody_there),
        cmocka_unit_test_teardown(test_template_not_ready, teardown_machine),
        cmocka_unit_test_teardown(test_without_network, teardown_machine),
        net_test(test_no_room),
        net_test(test_burst),
        net_test(test_receiver_is_killed),
        cmocka_unit_test_teardown(test_started_and_killed, teardown_machine),
        net_test(test_sender_is_killed),
        net_test(test_answer_to_oneself),
        net_test(test_killed_by_ones_own_answer),
        net_test(test_current_is_killed_from_the_wire),
        net_test(test_killed_while_all_sleep),
        net_test(test_sleeper_is_killed_from_the_wire),
        net_test(test_start_by_frame_without_frames),
        net_test(test_delivery_without_frames),
        net_test(test_doorbell_without_frames),
        net_test(test_receiver_without_frames),
        net_test(test_polled_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
