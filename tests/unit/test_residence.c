/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * VMs between memory and the store: who leaves, who comes, and what if something else happens
 * meanwhile.
 */
#include "arch/time.h"
#include "tests/unit/machine_disk_test.h"

#define RX TOKLAT_EVENT_NET_RX
#define TIMER TOKLAT_EVENT_TIMER

static void turn_until(uint32_t number, enum vm_state want)
{
    for (unsigned i = 0; state_of(number) != want; i++) {
        assert_true(i < 20);
        machine_disk_turn();
        machine_check(true);
    }
}

/* Its record is on its way to the disk, which is held. */
static void begin_to_leave(uint32_t number)
{
    machine_disk->held = true;
    machine_hold_frames(gatekeeper.limits.low - 10);
    gate_poke(&gatekeeper);
    machine_disk_turn();
    machine_release_frames();
    machine_check(true);
    assert_true(machine_vm(number)->leaving);
}

static void test_leaves_and_comes_for_a_frame(void **state)
{
    (void)state;
    live(WEB, 0xABCD, FOREVER);
    press_out(WEB);
    assert_int_equal(groups[1].stored, 1);
    frame_for(WEB);
    assert_int_equal(machine_current()->stub->number, WEB);
    assert_int_equal(machine_current()->context.x[0], RX);
    assert_int_equal(mark_of(WEB), 0xABCD);
    assert_int_equal(residence_counters.one_read_wakes, 1);
    assert_int_equal(state_of(BOSS), VM_LIVE); /* supervisors stay */
}

static void test_comes_ahead_of_its_deadline(void **state)
{
    (void)state;
    live(WEB, 1, NS_PER_S);
    uint64_t deadline = vm_find(WEB)->timeout.deadline;
    press_out(WEB);
    while (state_of(WEB) == VM_STORED) {
        machine_sleep();
    }
    assert_true(counter_now() < deadline);
    assert_int_equal(state_of(WEB), VM_LIVE);
    assert_int_equal(gatekeeper.counters.admitted_ahead, 1);
    while (!machine_current()) {
        machine_sleep();
    }
    assert_true(counter_now() >= deadline);
    assert_int_equal(machine_current()->stub->number, WEB);
    assert_int_equal(machine_current()->context.x[0], TIMER);
}

static void test_whoever_is_due_at_once_stays(void **state)
{
    (void)state;
    live(WEB, 1, 10 * NS_PER_MS);
    machine_hold_frames(gatekeeper.limits.low - 10);
    gate_poke(&gatekeeper);
    machine_quiet();
    assert_int_equal(state_of(WEB), VM_LIVE);
}

static void test_frames_wait_in_order(void **state)
{
    (void)state;
    uint8_t frame[64];
    live(WEB, 1, FOREVER);
    press_out(WEB);
    machine_disk->held = true;
    for (unsigned i = 0; i < PARKED_PER_VM + 2; i++) {
        frame_make(frame, sizeof(frame), 0, WEB);
        frame[60] = (uint8_t)i;
        machine_receive(frame, sizeof(frame));
    }
    machine_interrupt();
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_COMING);
    assert_int_equal(transit_get_counters().dropped_vm, 2);
    machine_disk->held = false;
    turn_until(WEB, VM_LIVE);
    struct vm *web = machine_vm(WEB);
    assert_int_equal(transit_get_counters().handed_over, PARKED_PER_VM);
    assert_int_equal(web->nic.rx_frames + web->nic.rx_dropped, PARKED_PER_VM + 1);
    for (unsigned i = 0; i + 1 < RX_BUFFERS; i++) { /* the first buffer has the one that began it */
        uint8_t got;
        uint64_t at = GUEST_RX_BUFFERS + (i + 1) * PAGE_SIZE + sizeof(struct virtio_net_hdr) + 60;
        assert_int_equal(guest_read(&web->space, IPA(at), &got, 1), OK);
        assert_int_equal(got, i);
    }
}

static void test_an_event_keeps_who_is_leaving(void **state)
{
    (void)state;
    live(WEB, 7, FOREVER);
    begin_to_leave(WEB);
    frame_for(WEB);
    assert_false(machine_vm(WEB)->leaving);
    assert_int_equal(machine_current()->stub->number, WEB);
    machine_disk->held = false;
    machine_disk_turn();
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_LIVE);
    assert_int_equal(gatekeeper.counters.kept, 1);
    assert_int_equal(residence_counters.evictions, 0);
}

/* A frame that it is not told of is not in its record. */
static void test_a_frame_keeps_who_is_leaving(void **state)
{
    (void)state;
    live(WEB, 7, FOREVER);
    struct vm *vm = machine_vm(WEB);
    vm->page->events_masked = TOKLAT_EVENTS_ALL;
    begin_to_leave(WEB);
    uint64_t frames = vm->nic.rx_frames;
    frame_for(WEB);
    assert_int_equal(vm->nic.rx_frames, frames + 1);
    assert_false(vm->leaving);
    assert_int_equal(vm->gate.state, GATE_IDLE);
    machine_disk->held = false;
    machine_disk_turn();
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_LIVE);
    assert_int_equal(vm->sched.state, SCHED_BLOCKED);
    press_out(WEB); /* with the frame */
}

/* Its older record lands first, which must not take it away; it must not come back from that one.
 */
static void test_kept_and_leaves_again(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    begin_to_leave(WEB);
    live(WEB, 2, FOREVER);
    begin_to_leave(WEB);
    machine_disk->held = false;
    turn_until(WEB, VM_STORED);
    frame_for(WEB);
    turn_until(WEB, VM_LIVE);
    assert_int_equal(mark_of(WEB), 2);
}

static void test_destroyed_while_leaving(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    begin_to_leave(WEB);
    vm_destroy(vm_find(WEB));
    machine_check(true);
    machine_disk->held = false;
    machine_quiet();
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_DEFINED);
    disk_power_cut();
    assert_int_equal(state_of(WEB), VM_DEFINED);
    frame_for(WEB);
    assert_int_equal(mark_of(WEB), 0);
}

static void test_killed_while_leaving(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    begin_to_leave(WEB);
    machine_disk->held = false;
    assert_true(store_work()); /* it is written; when it is flushed it is out */
    machine_disk->held = true;
    machine_vm(WEB)->nic.rx.used = IPA(0x3000); /* text */
    uint8_t frame[64];
    frame_make(frame, sizeof(frame), 0, WEB);
    machine_receive(frame, sizeof(frame));
    machine_disk->held = false;
    machine_interrupt();
    machine_quiet();
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_DEAD);
    disk_power_cut();
    assert_int_equal(state_of(WEB), VM_DEAD);
}

static void test_destroyed_while_queued_and_while_read(void **state)
{
    (void)state;
    for (unsigned reading = 0; reading < 2; reading++) {
        live(WEB, 1, FOREVER);
        press_out(WEB);
        live(WEB + 1 + reading, 1, FOREVER);
        machine_disk->held = true;
        if (!reading) {
            machine_hold_frames(gatekeeper.limits.floor);
        }
        frame_for(WEB);
        assert_int_equal(state_of(WEB), VM_COMING);
        assert_int_equal(vm_find(WEB)->transit->waiter.state,
                         reading ? GATE_ARRIVING : GATE_QUEUED);
        vm_destroy(vm_find(WEB));
        machine_check(true);
        assert_int_equal(state_of(WEB), VM_DEFINED);
        machine_release_frames();
        frame_for(WEB); /* it begins anew, at once */
        assert_int_equal(state_of(WEB), VM_LIVE);
        machine_disk->held = false;
        machine_quiet();
        machine_check(true);
        assert_int_equal(transit_get_counters().live, 0);
        vm_destroy(vm_find(WEB));
    }
}

/* A VM that runs must leave when others have waited for long enough; one that had woken is given
 * what it woke for. */
static void test_the_busy_leave_after_patience(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    press_out(WEB);
    live(WEB + 1, 1, FOREVER);
    frame_for(WEB + 1); /* runs */
    frame_for(WEB + 1);
    struct vm *busy = machine_current();
    machine_hold_frames(gatekeeper.limits.floor);
    frame_for(WEB);
    assert_int_equal(state_of(WEB), VM_COMING);
    assert_ptr_equal(machine_current(), busy);
    machine_advance(2 * NS_PER_S);
    turn_until(WEB + 1, VM_COMING); /* out, and wants in again */
    assert_int_equal(gatekeeper.counters.evicted_busy, 1);
    machine_release_frames();
    turn_until(WEB + 1, VM_LIVE);
    turn_until(WEB, VM_LIVE);
    switch_to(WEB + 1);
    assert_int_equal(machine_current()->context.x[0], RX); /* idle()'s result, from before */
}

static void test_woken_and_has_to_leave(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    live(WEB + 1, 1, FOREVER);
    frame_for(WEB + 1); /* runs, so that the other one is ready and no more */
    frame_for(WEB);
    struct vm *woken = machine_vm(WEB);
    assert_int_equal(woken->wait, WAIT_IDLE);
    assert_int_equal(woken->sched.state, SCHED_READY);
    assert_int_equal(residence_write_out(woken), OK);
    assert_int_equal(woken->context.x[0], RX);
    machine_trap(TOKLAT_IDLE, FOREVER, 0);
    machine_disk_turn();
    machine_check(true);
    while (!machine_current()) {
        machine_disk_turn();
    }
    assert_int_equal(machine_current()->stub->number, WEB);
    assert_int_equal(machine_current()->context.x[0], RX);
    assert_int_equal(machine_current()->page->events_pending & TIMER, 0);
}

static void test_without_frames_the_new_queue(void **state)
{
    (void)state;
    machine_hold_frames(gatekeeper.limits.floor - 4);
    frame_for(WEB);
    machine_check(true);
    assert_int_equal(state_of(WEB), VM_COMING);
    assert_int_equal(residence_start(vm_find(WEB + 1)), OK);
    assert_int_equal(state_of(WEB + 1), VM_COMING);
    assert_int_equal(residence_start(vm_find(WEB)), ERR_BUSY);
    machine_release_frames();
    machine_disk_turn();
    assert_int_equal(state_of(WEB), VM_LIVE);
    assert_int_equal(state_of(WEB + 1), VM_LIVE);
    assert_int_equal(machine_vm(WEB)->nic.rx_frames, 1);
}

/* WEB + 1 wants a frame more, while there is none and the disk does not answer; returns it. */
static struct vm *grow_without_room(void)
{
    frame_for(WEB + 1);
    struct vm *grows = machine_current();
    machine_hold_frames(0);
    machine_disk->held = true;
    machine_abort(IPA(GUEST_UNUSED + 8 * PAGE_SIZE), ACCESS_WRITE);
    return grows;
}

static void test_out_of_room(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    struct vm *grows = grow_without_room();
    machine_check(true);
    assert_int_equal(grows->wait, WAIT_ROOM);
    assert_int_equal(residence_counters.out_of_room, 1);
    machine_disk->held = false;
    machine_quiet();
    assert_int_equal(state_of(WEB), VM_STORED); /* which was not enough */
    assert_true(output_has("[web/2] killed: out of memory"));
    machine_check(true);
}

static void test_out_of_room_goes_on(void **state)
{
    (void)state;
    live(WEB, 1, FOREVER);
    struct vm *grows = grow_without_room();
    assert_int_equal(grows->wait, WAIT_ROOM);
    machine_release_frames();
    machine_disk_turn();
    assert_ptr_equal(machine_current(), grows);
    machine_check(true);
}

/* Nobody idles: after its patience whoever has been busy for longer leaves, and comes back. */
static void test_out_of_room_is_made_by_the_busy(void **state)
{
    (void)state;
    live(WEB, 0xA, FOREVER);
    live(WEB + 1, 0xB, FOREVER);
    frame_for(WEB);
    frame_for(WEB + 1);
    machine_advance(11 * NS_PER_MS); /* the slice ends */
    struct vm *grows = grow_without_room();
    assert_int_equal(grows->stub->number, WEB + 1);
    assert_int_equal(grows->wait, WAIT_ROOM);
    assert_ptr_equal(machine_current(), machine_vm(WEB));
    machine_check(true);
    machine_release_frames();
    machine_hold_frames(20); /* almost enough */
    machine_advance(2 * NS_PER_S);
    assert_true(machine_vm(WEB)->leaving);
    machine_check(true);
    machine_release_frames();
    machine_disk->held = false;
    machine_disk_turn();
    assert_int_equal(residence_counters.evictions, 1);
    assert_ptr_equal(machine_current(), grows);
    machine_quiet();
    assert_int_equal(state_of(WEB), VM_LIVE);
    assert_int_equal(mark_of(WEB), 0xA);
    assert_false(output_has("killed"));
    machine_check(true);
}

/* Whoever waits for room is busy, and may have to make room for others. */
static void test_out_of_room_has_to_leave(void **state)
{
    (void)state;
    live(WEB + 2, 1, FOREVER);
    press_out(WEB + 2);
    live(WEB, 1, FOREVER);
    struct vm *grows = grow_without_room();
    assert_int_equal(grows->wait, WAIT_ROOM);
    machine_release_frames();
    machine_hold_frames(2); /* for whom the frame is for */
    frame_for(WEB + 2);
    assert_int_equal(state_of(WEB + 2), VM_COMING);
    machine_advance(2 * NS_PER_S);
    machine_check(true);
    assert_true(grows->leaving);
    machine_release_frames();
    machine_disk->held = false;
    machine_quiet();
    machine_check(true);
    assert_int_equal(state_of(WEB + 1), VM_LIVE);
}

/* --- pages that are still in the store ---------------------------------------------------- */

/* Comes in with nothing but its first page, and runs; its rings are fetched for the frame. */
static struct vm *come_bare(uint32_t number)
{
    residence_set_one_page(true);
    live(number, 0x1234, 100 * NS_PER_MS);
    press_out(number);
    while (!machine_current()) {
        machine_sleep();
    }
    assert_int_equal(machine_current()->stub->number, number);
    assert_true(machine_current()->space.stored_pages > 2);
    machine_check(true);
    return machine_current();
}

static void test_pages_are_fetched(void **state)
{
    (void)state;
    struct vm *web = come_bare(WEB);
    machine_disk->held = true;
    machine_abort(IPA(MARK_AT), ACCESS_READ);
    assert_int_equal(web->wait, WAIT_PAGE);
    machine_check(true);
    machine_disk->held = false;
    machine_disk_turn();
    assert_ptr_equal(machine_current(), web);
    assert_int_equal(mark_of(WEB), 0x1234);
}

static void test_hypercalls_are_made_again(void **state)
{
    (void)state;
    struct vm *web = come_bare(WEB);
    uint64_t pc = web->context.pc;
    machine_disk->held = true;
    machine_trap(TOKLAT_CONSOLE_WRITE, MARK_AT, 2);
    assert_int_equal(web->context.pc, pc - 4);
    assert_int_equal(web->context.x[0], TOKLAT_CONSOLE_WRITE);
    machine_disk->held = false;
    machine_disk_turn();
    assert_ptr_equal(machine_current(), web);
    assert_int_equal(machine_call(TOKLAT_CONSOLE_WRITE, MARK_AT, 2), 2);
    machine_trap(TOKLAT_DOORBELL, 2, 0);
    assert_ptr_equal(machine_current(), web); /* the disk answered at once */
    assert_int_equal(machine_call(TOKLAT_DOORBELL, 2, 0), 0);
}

static void test_frames_wait_for_rings(void **state)
{
    (void)state;
    struct vm *web = come_bare(WEB);
    uint32_t before = web->nic.rx_frames;
    machine_trap(TOKLAT_IDLE, FOREVER, 0);
    machine_disk->held = true;
    frame_for(WEB);
    frame_for(WEB);
    machine_check(true);
    assert_int_equal(web->fetch->parked, 2);
    machine_disk->held = false;
    machine_disk_turn();
    machine_check(true);
    assert_ptr_equal(machine_current(), web);
    assert_int_equal(web->nic.rx_frames, before + 2);
    assert_null(web->fetch);
}

static void test_destroyed_while_fetching(void **state)
{
    (void)state;
    struct vm *web = come_bare(WEB);
    machine_disk->held = true;
    machine_abort(IPA(MARK_AT), ACCESS_READ);
    assert_non_null(web->fetch);
    vm_destroy(vm_find(WEB));
    machine_check(true);
    machine_disk->held = false;
    machine_quiet();
    assert_int_equal(transit_get_counters().live, 0);
}

/* The disk is told at once, whoever else runs. */
static void test_a_page_is_read_while_others_run(void **state)
{
    (void)state;
    live(WEB + 1, 1, FOREVER);
    struct vm *web = come_bare(WEB);
    frame_for(WEB + 1); /* is ready */
    machine_abort(IPA(MARK_AT), ACCESS_READ);
    assert_int_equal(web->wait, WAIT_NONE); /* it was read meanwhile */
    assert_int_equal(web->sched.state == SCHED_BLOCKED, false);
    machine_check(true);
}

/* The guest gives the page back that is read for a frame, and then the read fails. */
static void test_released_while_fetched(void **state)
{
    (void)state;
    struct vm *web = come_bare(WEB);
    machine_disk->held = true;
    frame_for(WEB);
    assert_true(web->fetch && machine_disk->queued == 1);
    assert_true(machine_call(TOKLAT_PAGE_RELEASE, GUEST_RX, 0x20) >= 0);
    fake_block_fail(machine_disk,
                    (struct fake_fault){.op = BLOCK_READ, .to = UINT64_MAX, .times = 1});
    machine_disk->held = false;
    machine_disk_turn();
    machine_check(true);
    assert_int_equal(residence_counters.wakes_damaged, 0);
    assert_int_equal(state_of(WEB), VM_DEAD); /* for a ring of zeroes, which is its own affair */
    assert_true(output_has("killed: receive queue"));
}

static void test_a_page_that_cannot_be_read(void **state)
{
    (void)state;
    struct vm *web = come_bare(WEB);
    uint64_t generation = web->page->generation;
    machine_disk->held = true;
    machine_abort(IPA(MARK_AT), ACCESS_READ);
    fake_block_fail(machine_disk,
                    (struct fake_fault){.op = BLOCK_READ, .to = UINT64_MAX, .times = 2});
    machine_disk->held = false;
    machine_disk_turn();
    machine_check(true);
    assert_int_equal(residence_counters.wakes_damaged, 1);
    assert_int_equal(state_of(WEB), VM_LIVE); /* anew */
    assert_int_not_equal(machine_vm(WEB)->page->generation, generation);
    assert_int_equal(mark_of(WEB), 0);
}

/* Whoever comes page by page is read wholly before it leaves. */
static void test_leaves_with_all_its_pages(void **state)
{
    (void)state;
    come_bare(WEB);
    machine_trap(TOKLAT_IDLE, FOREVER, 0);
    press_out(WEB);
    frame_for(WEB);
    machine_quiet();
    press_out(WEB);
    residence_set_one_page(false);
    frame_for(WEB);
    machine_abort(IPA(MARK_AT), ACCESS_READ);
    assert_int_equal(mark_of(WEB), 0x1234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        disk_test(test_leaves_and_comes_for_a_frame),
        disk_test(test_comes_ahead_of_its_deadline),
        disk_test(test_whoever_is_due_at_once_stays),
        disk_test(test_frames_wait_in_order),
        disk_test(test_an_event_keeps_who_is_leaving),
        disk_test(test_a_frame_keeps_who_is_leaving),
        disk_test(test_kept_and_leaves_again),
        disk_test(test_destroyed_while_leaving),
        disk_test(test_killed_while_leaving),
        disk_test(test_destroyed_while_queued_and_while_read),
        disk_test(test_the_busy_leave_after_patience),
        disk_test(test_woken_and_has_to_leave),
        disk_test(test_without_frames_the_new_queue),
        disk_test(test_out_of_room),
        disk_test(test_out_of_room_goes_on),
        disk_test(test_out_of_room_is_made_by_the_busy),
        disk_test(test_out_of_room_has_to_leave),
        disk_test(test_pages_are_fetched),
        disk_test(test_hypercalls_are_made_again),
        disk_test(test_frames_wait_for_rings),
        disk_test(test_destroyed_while_fetching),
        disk_test(test_a_page_is_read_while_others_run),
        disk_test(test_released_while_fetched),
        disk_test(test_a_page_that_cannot_be_read),
        disk_test(test_leaves_with_all_its_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
