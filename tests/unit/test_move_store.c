/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * VMs between CPUs and the store: pages and frames that only the keeper can get, evictions from
 * other CPUs, shutdowns, and what crosses on the way.
 */
#include "abi/control.h"
#include "tests/unit/machine_cpus_test.h"

/* Short messages, after which no frame fits into a ring; and no VM. */
#define FRAMES_FILL ((mail_ring_bytes() * 7 / 8 - KIB(2)) / 8)
#define VMS_FILL ((mail_ring_bytes() - KIB(2)) / 8)

static void fill_ring(unsigned from, unsigned to, unsigned messages)
{
    machine_on(from);
    for (unsigned i = 0; i < messages; i++) {
        assert_int_equal(mail_send(to, MAIL_POKE, 0, 0, NULL, 0), OK);
    }
    enum mail_kind kind = messages == VMS_FILL ? MAIL_VM : MAIL_FRAME;
    assert_int_equal(mail_send(to, kind, 0, 0, NULL, 0), ERR_BUSY);
}

/* --- guests with pages in the store ------------------------------------------------------- */

static void write_page(struct vm *vm, uint64_t at, uint64_t value)
{
    machine_abort(IPA(at), ACCESS_WRITE);
    assert_ptr_equal(machine_current(), vm);
    assert_int_equal(guest_write(&vm->space, IPA(at), &value, sizeof(value)), OK);
}

/* Has written to all its receive buffers, and runs; the thread plays its CPU. */
static struct vm *fill_buffers(uint32_t number)
{
    send_and_turn(number);
    struct vm *vm = play_vm(number);
    for (unsigned i = 0; i < RX_BUFFERS; i++) {
        write_page(vm, GUEST_RX_BUFFERS + i * PAGE_SIZE, i);
    }
    write_page(vm, MARK_AT, 0x1234);
    return vm;
}

/* At home on CPU 1, running, with one page; its rings and buffers are in the store. */
static struct vm *bare_at_home(void)
{
    residence_set_one_page(true);
    fill_buffers(WEB_A);
    idle_vm(WEB_A, 100 * NS_PER_MS);
    press_out_cpus(WEB_A);
    for (unsigned i = 0; state_of(WEB_A) != VM_LIVE || !runs_at(WEB_A, 1); i++) {
        assert_true(i < 100);
        machine_advance(5 * NS_PER_MS);
        machine_disk_turn();
        machine_turn();
    }
    struct vm *vm = play_vm(WEB_A);
    assert_true(vm->space.stored_pages > 2);
    machine_check(true);
    return vm;
}

static void test_a_page_is_fetched_by_the_keeper(void **state)
{
    (void)state;
    struct vm *web = bare_at_home();
    machine_abort(IPA(MARK_AT), ACCESS_READ);
    assert_null(machine_current());
    assert_int_equal(where(WEB_A), 1 | 1u << WHERE_GOES_SHIFT);
    machine_disk->held = true;
    machine_turn();
    assert_int_equal(where(WEB_A), KEEPER);
    assert_int_equal(web->wait, WAIT_PAGE);
    machine_check(true);
    machine_disk->held = false;
    assert_ptr_equal(home_again(WEB_A), web);
    assert_int_equal(mark_of(WEB_A), 0x1234);
    machine_check_settled();
}

/* Its ring is in the store: it goes to the keeper, and the frame after it. */
static void test_a_frame_whose_ring_is_away(void **state)
{
    (void)state;
    bare_at_home();
    idle_vm(WEB_A, FOREVER);
    send_to(WEB_A);
    play(1);
    assert_int_equal(where(WEB_A), 1 | 1u << WHERE_GOES_SHIFT);
    struct vm *web = home_again(WEB_A);
    assert_int_equal(web->context.x[0], RX);
    assert_int_equal(guest_used(web, GUEST_RX), 2);
    assert_int_equal(residence_counters.dropped + network_get_counters().not_ready, 0);
}

/* The keeper cannot fetch it now: the VM goes home with what else has come. */
static void test_a_page_that_cannot_be_fetched(void **state)
{
    (void)state;
    static struct transit *taken[4096];
    unsigned n = 0;
    bare_at_home();
    idle_vm(WEB_A, 10 * NS_PER_MS);
    machine_on(KEEPER);
    machine_hold_frames(0);
    send_to(WEB_A);
    while ((taken[n] = transit_new(vm_stub(WEB_B)))) {
        n++;
    }
    host_time_advance(ticks_from_ns(20 * NS_PER_MS));
    fill_ring(1, KEEPER, FRAMES_FILL);
    machine_interrupt(); /* the frame, which is lost, and the deadline */
    machine_on(KEEPER);
    machine_interrupt();
    while (n--) {
        transit_free(taken[n]);
    }
    machine_release_frames();
    machine_turn();
    struct vm *web = home_again(WEB_A);
    assert_int_equal(web->context.x[0], TIMER);
    assert_int_equal(network_get_counters().not_ready, 1);
    machine_check_settled();
}

static void arp_for_the_switch(uint8_t *frame, uint32_t from)
{
    static const uint8_t fixed[] = {0, 1, 8, 0, 6, 4, 0, 1};
    static const uint8_t address[] = {0x0A, 0x7F, 0xFF, 0xFE};
    frame_make(frame, 42, from, 0);
    uint8_t own[4];
    memcpy(own, frame + 26, 4);
    frame[13] = 6; /* of 0x0806 */
    memcpy(frame + 14, fixed, sizeof(fixed));
    memcpy(frame + 22, frame + 6, 6);
    memcpy(frame + 28, own, 4);
    memcpy(frame + 38, address, 4);
}

/* The switch answers to the guest that rings, whose ring is away: it stops in its own call, which
 * then finds that the next frame to send is away as well. */
static void test_a_frame_for_itself(void **state)
{
    (void)state;
    uint8_t frame[64];
    struct vm *web = bare_at_home();
    arp_for_the_switch(frame, WEB_A);
    guest_offer_tx(web, frame, 42);
    guest_offer_tx(web, frame, 42);
    struct virtq_desc d = {.addr = MARK_AT, .len = 60};
    assert_int_equal(guest_write(&web->space, IPA(GUEST_TX + 16), &d, sizeof(d)), OK);
    uint64_t answered = switch_get_counters().arp_answered;
    machine_trap(TOKLAT_DOORBELL, 2, 0);
    assert_int_equal(switch_get_counters().arp_answered, answered + 1);
    machine_check(true);
    assert_ptr_equal(home_again(WEB_A), web);
    assert_int_equal(web->context.x[0], TOKLAT_DOORBELL); /* the call is made again */
    assert_int_equal(guest_used(web, GUEST_RX), 2);
    machine_check_settled();
}

/* A frame for a supervisor that waits for another's end, and whose buffers are in the store. */
static void test_a_page_is_no_answer(void **state)
{
    (void)state;
    fill_buffers(BOSS);
    idle_vm(BOSS, FOREVER);
    disk_shutdown();
    cpus_boot();
    residence_set_one_page(true);
    live_at(WEB_A, 1, 1, FOREVER);
    send_to(BOSS);
    struct vm *boss = home_again(BOSS);
    assert_true(boss->space.stored_pages > 0);
    machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_DESTROY, WEB_A);
    uint64_t fetches = residence_counters.fetches;
    send_to(BOSS);
    machine_disk_turn();
    assert_true(residence_counters.fetches > fetches);
    assert_int_equal(boss->wait, WAIT_VM);
    assert_int_equal(state_of(WEB_A), VM_LIVE);
    machine_turn();
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(state_of(WEB_A), VM_DEFINED);
}

/* --- room --------------------------------------------------------------------------------- */

static void test_room_is_made_by_the_keeper(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    live_at(WEB_B, 2, 7, FOREVER);
    send_and_turn(WEB_A);
    struct vm *web = play_vm(WEB_A);
    machine_hold_frames(0);
    machine_abort(IPA(GUEST_UNUSED + PAGE_SIZE), ACCESS_WRITE);
    assert_int_equal(web->wait, WAIT_ROOM);
    assert_int_equal(where(WEB_A), 1 | 1u << WHERE_GOES_SHIFT);
    machine_disk->held = true;
    machine_turn(); /* asks for B, who leaves */
    assert_int_equal(where(WEB_A), KEEPER);
    assert_true(machine_vm(WEB_B)->leaving && !list_empty(&runs[KEEPER].hungry));
    assert_int_equal(residence_counters.out_of_room, 1);
    machine_check(true);
    machine_release_frames();
    machine_disk->held = false;
    assert_ptr_equal(home_again(WEB_A), web);
    write_page(web, GUEST_UNUSED + PAGE_SIZE, 1);
    machine_quiet();
    machine_check_settled();
}

static void test_no_room_at_all(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    send_and_turn(WEB_A);
    play_vm(WEB_A);
    machine_hold_frames(0);
    machine_abort(IPA(GUEST_UNUSED + PAGE_SIZE), ACCESS_WRITE);
    machine_turn();
    assert_int_equal(state_of(WEB_A), VM_DEAD);
    assert_true(output_has("killed: out of memory"));
    assert_int_equal(network_get_counters().not_ready, 0);
}

/* --- eviction ----------------------------------------------------------------------------- */

static void test_the_idle_leave_from_elsewhere(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    live_at(WEB_B, 2, 0xB, FOREVER);
    press();
    assert_int_equal(gatekeeper.asked[1] + gatekeeper.asked[2], gatekeeper.leaving_count);
    assert_true(gatekeeper.asked[1]);
    press_out_cpus(WEB_A);
    press_out_cpus(WEB_B);
    assert_int_equal(runs[1].residents + runs[2].residents, 0);
    for (uint32_t n = WEB_A; n <= WEB_B; n++) {
        send_to(n);
        home_again(n);
        assert_int_equal(mark_of(n), n == WEB_A ? 0xA : 0xB);
        idle_vm(n, FOREVER);
    }
    assert_int_equal(gatekeeper.counters.evicted_idle, 2);
}

/* Nobody idles, somebody waits for long. */
static void want_busy(void)
{
    live_at(WEB_A, 1, 0xA, FOREVER);
    send_and_turn(WEB_A);
    machine_on(KEEPER);
    machine_hold_frames(gatekeeper.limits.floor - 1);
    send_to(WEB_B);
    assert_int_equal(state_of(WEB_B), VM_COMING);
    machine_advance(2 * NS_PER_S);
    machine_disk_turn();
    machine_turn();
}

static void test_the_busy_leave_from_elsewhere(void **state)
{
    (void)state;
    machine_disk->held = true;
    want_busy();
    struct vm *web = machine_vm(WEB_A);
    assert_true(web->leaving);
    assert_int_equal(web->wait, WAIT_ROOM);
    assert_int_equal(gatekeeper.counters.evicted_busy, 1);
    send_to(WEB_A); /* which its record cannot have any more */
    assert_int_equal(network_get_counters().not_ready, 1);
    assert_int_equal(guest_used(web, GUEST_RX), 2);
    machine_check(true);
    machine_disk->held = false;
    machine_disk_turn();
    machine_release_frames();
    assert_int_equal(residence_counters.evictions, 1);
    home_again(WEB_A); /* it can run: it came back */
    assert_int_equal(mark_of(WEB_A), 0xA);
}

/* It has woken since the gatekeeper saw somebody idle. */
static void test_nobody_to_give(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    send_to(WEB_A);
    press();
    assert_true(gatekeeper.asked[1]);
    play(1);
    assert_true(runs_at(WEB_A, 1));
    machine_turn();
    assert_int_equal(gatekeeper.asked[1], 0);
    assert_int_equal(gatekeeper.leaving_frames, 0);
    assert_int_equal(residence_counters.evictions, 0);
}

/* The question and a frame for whoever answers it, in one: it is told of it wherever it is then. */
static void test_an_event_for_one_that_departs(void **state)
{
    (void)state;
    struct vm *web = live_at(WEB_A, 1, 1, FOREVER);
    machine_disk->held = true;
    press();
    send_to(WEB_A);
    play(1);
    assert_int_equal(web->sched.state, SCHED_BLOCKED);
    assert_int_equal(where(WEB_A), 1 | 1u << WHERE_GOES_SHIFT);
    machine_turn();
    machine_disk->held = false;
    machine_release_frames();
    assert_ptr_equal(home_again(WEB_A), web);
    assert_int_equal(web->context.x[0], RX);
    assert_int_equal(gatekeeper.asked[1], 0);
    machine_check_settled();
}

/* The same, and its deadline passes. */
static void test_a_deadline_of_one_that_departs(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, 300 * NS_PER_MS);
    machine_disk->held = true;
    press();
    host_time_advance(ticks_from_ns(400 * NS_PER_MS));
    play(1);
    machine_release_frames();
    machine_disk->held = false;
    struct vm *web = home_again(WEB_A);
    assert_int_equal(web->context.x[0], TIMER);
    machine_check_settled();
}

/* The same, and the frame's ring is in the store. */
static void test_a_question_is_answered_by_one_that_wants_a_page(void **state)
{
    (void)state;
    bare_at_home();
    idle_vm(WEB_A, FOREVER);
    press();
    send_to(WEB_A);
    play(1);
    machine_turn();
    relax();
    assert_int_equal(gatekeeper.asked[1], 0);
    send_and_turn(WEB_A);
    assert_int_equal(guest_used(home_again(WEB_A), GUEST_RX), 3);
}

/* The same when it is to be destroyed. */
static void test_destroyed_while_it_wants_a_page(void **state)
{
    (void)state;
    bare_at_home();
    idle_vm(WEB_A, FOREVER);
    send_and_turn(BOSS);
    struct vm *boss = play_vm(BOSS);
    machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_DESTROY, WEB_A);
    send_to(WEB_A);
    play(1);
    machine_turn();
    assert_true(runs_at(BOSS, KEEPER));
    assert_int_equal(boss->context.x[0], 0);
    assert_int_equal(machine_vm(WEB_A)->space.stored_pages, 0); /* the frame started it anew */
    machine_quiet();
    machine_check_settled();
}

/* The same, and its queue is broken. */
static void test_a_question_is_answered_by_one_that_ended(void **state)
{
    (void)state;
    struct vm *web = live_at(WEB_A, 1, 1, FOREVER);
    web->nic.rx.used = IPA(0x3000); /* text */
    press();
    send_to(WEB_A);
    play(1);
    machine_turn();
    assert_int_equal(state_of(WEB_A), VM_DEAD);
    assert_int_equal(groups[1].killed, 1);
    relax();
}

/* --- full rings --------------------------------------------------------------------------- */

static void test_a_full_ring_keeps_who_departs(void **state)
{
    (void)state;
    fill_ring(KEEPER, 1, VMS_FILL);
    send_to(WEB_A);
    assert_int_equal(where(WEB_A), KEEPER);
    assert_int_equal(machine_vm(WEB_A)->why, MOVE_HOME);
    send_to(WEB_A); /* it is here still */
    assert_int_equal(where(WEB_A), KEEPER);
    play(1);
    assert_null(machine_current());
    machine_advance(NS_PER_MS);
    machine_turn();
    machine_check_settled();
    assert_true(runs_at(WEB_A, 1));
    assert_int_equal(guest_used(machine_vm(WEB_A), GUEST_RX), 2);
}

/* While the keeper runs a guest, which nothing else interrupts. */
static void test_a_full_ring_is_tried_again(void **state)
{
    (void)state;
    send_and_turn(BOSS);
    fill_ring(KEEPER, 1, VMS_FILL);
    send_to(WEB_A);
    assert_int_equal(where(WEB_A), KEEPER);
    play(1);
    machine_on(KEEPER);
    assert_true(host_timer_deadline() <= counter_now() + ticks_from_ns(2 * NS_PER_MS));
    machine_advance(2 * NS_PER_MS);
    assert_true(runs_at(WEB_A, 1) && runs_at(BOSS, KEEPER));
}

static void test_both_rings_are_full(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    send_and_turn(WEB_A);
    live_at(WEB_B, 2, 1, FOREVER);
    send_and_turn(WEB_B);
    idle_vm(WEB_B, FOREVER);
    vm_set_home(machine_vm(WEB_B), 2);
    fill_ring(KEEPER, 1, VMS_FILL);
    fill_ring(1, KEEPER, VMS_FILL);
    play_vm(WEB_A);
    machine_trap(TOKLAT_EXIT, 0, 0); /* cannot go to the keeper */
    assert_int_equal(where(WEB_A), 1);
    send_to(WEB_C); /* cannot go to CPU 1 */
    machine_turn();
    machine_advance(NS_PER_MS);
    assert_int_equal(state_of(WEB_A), VM_DEAD);
    assert_true(runs_at(WEB_C, machine_vm(WEB_C)->sched.cpu));
    machine_check_settled();
}

/* Nobody can be evicted who departs; the gatekeeper looks again when they have. */
static void test_the_gatekeeper_looks_again(void **state)
{
    (void)state;
    gatekeeper.evict_later = true;
    send_to(WEB_A);
    assert_false(gatekeeper.evict_later);
    machine_turn();
}

/* --- shutdown ----------------------------------------------------------------------------- */

static void begin_shutdown(void)
{
    machine_on(KEEPER);
    residence_shutdown();
}

static void test_all_are_written(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    live_at(WEB_B, 2, 0xB, 500 * NS_PER_MS);
    live_at(WEB_C, 1, 0xC, FOREVER);
    send_and_turn(WEB_C); /* it runs */
    send_and_turn(BOSS);
    send_to(WEB_C + 1); /* on its way */
    disk_shutdown();
    cpus_boot();
    assert_int_equal(groups[0].dead + groups[1].dead, 0);
    for (uint32_t n = WEB_A; n <= WEB_C; n++) {
        send_to(n);
        for (unsigned i = 0; state_of(n) != VM_LIVE; i++) {
            assert_true(i < 20);
            machine_disk_turn();
        }
        machine_quiet();
        assert_int_equal(mark_of(n), 0xA + n - WEB_A);
    }
    machine_quiet();
    assert_int_equal(state_of(WEB_C + 1), VM_LIVE); /* each that could run does */
}

/* After the next boot, whoever's time has come runs though nobody sends to it. */
static void wakes_after_boot(uint32_t number)
{
    for (unsigned i = 0; i < 2000 && !machine_power_offs; i++) {
        machine_disk_turn();
        machine_turn();
        machine_check(false);
    }
    assert_int_equal(machine_power_offs, 1);
    cpus_boot();
    machine_advance(2 * NS_PER_S);
    machine_quiet();
    assert_int_equal(state_of(number), VM_LIVE);
}

static void test_a_deadline_passes_as_the_machine_stops(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, 300 * NS_PER_MS);
    begin_shutdown();
    host_time_advance(ticks_from_ns(400 * NS_PER_MS));
    play(1);
    wakes_after_boot(WEB_A);
}

/* The same while it is at the keeper, and its record is being written. */
static void test_a_deadline_passes_as_it_is_written(void **state)
{
    (void)state;
    struct vm *web = live_at(WEB_A, 1, 1, 300 * NS_PER_MS);
    machine_disk->held = true;
    begin_shutdown();
    machine_turn();
    machine_disk_turn();
    assert_true(web->leaving);
    host_time_advance(ticks_from_ns(400 * NS_PER_MS));
    machine_turn();
    machine_disk->held = false;
    wakes_after_boot(WEB_A);
}

static void on_key(uint32_t irq)
{
    (void)irq;
    residence_shutdown();
}

/* It was about to go home; in the same trap, the machine begins to stop. */
static void test_who_has_woken_does_not_go_home(void **state)
{
    (void)state;
    enum { KEY_IRQ = 100 };
    uint8_t frame[64];
    struct vm *web = live_at(WEB_A, 1, 1, FOREVER);
    machine_disk->held = true;
    press();
    machine_turn();
    assert_true(where(WEB_A) == KEEPER && web->leaving);
    machine_release_frames();
    assert_int_equal(irq_register(KEY_IRQ, on_key), OK);
    frame_make(frame, sizeof(frame), 0, WEB_A);
    machine_receive(frame, sizeof(frame));
    host_irq_raise(KEY_IRQ); /* is handled behind the frame */
    play(KEEPER);
    assert_int_equal(guest_used(web, GUEST_RX), 2);
    assert_int_equal(where(WEB_A), KEEPER);
    machine_disk->held = false;
    wakes_after_boot(WEB_A);
}

/* One that nobody can evict, and that never idles, comes when all are asked for. */
static void test_the_spared_stop_as_well(void **state)
{
    (void)state;
    uint64_t id = groups[1].template_id;
    groups[1].template_id = 0;
    groups[1].unsavable = true;
    want_busy();
    assert_int_equal(machine_vm(WEB_A)->gate.state, GATE_SPARED);
    assert_true(runs_at(WEB_A, 1));
    machine_release_frames();
    groups[1].template_id = id;
    disk_shutdown();
}

/* It wants a frame, of which the keeper hears when nobody leaves for that any more. */
static void test_a_shutdown_is_no_lack_of_memory(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 0xA, FOREVER);
    send_and_turn(WEB_A);
    play_vm(WEB_A);
    machine_hold_frames(0);
    machine_abort(IPA(GUEST_UNUSED + PAGE_SIZE), ACCESS_WRITE);
    machine_release_frames();
    assert_null(gate_first(runs[1].pool, false, counter_now())); /* nobody idles, as all can see */
    begin_shutdown();
    wakes_after_boot(WEB_A);
    assert_int_equal(mark_of(WEB_A), 0xA);
}

/* A supervisor waits for another's end, and is written before that. */
static void test_a_caller_is_written(void **state)
{
    (void)state;
    live_at(WEB_A, 1, 1, FOREVER);
    send_and_turn(BOSS);
    struct vm *boss = play_vm(BOSS);
    machine_trap(TOKLAT_VM_CONTROL, TOKLAT_VM_DESTROY, WEB_A);
    machine_disk->held = true;
    begin_shutdown();
    play(KEEPER);
    assert_true(boss->leaving);
    machine_turn();
    machine_check(false);
    machine_disk->held = false;
    wakes_after_boot(BOSS);
}

/* Many whose deadlines have come nearer: all are given. */
static void test_many_are_given(void **state)
{
    (void)state;
    enum { MANY = 80 };
    machine_add_disk(30, MANY + 1, 1);
    machine_init(MIB(16));
    machine_add_cpus(2);
    struct deployment_group *boss = machine_add("boss", 1, 0);
    boss->supervisor = boss->start_at_boot = true;
    machine_add("web", MANY, 0);
    machine_start();
    machine_boot(RX_BUFFERS);
    for (uint32_t n = 2; n < MANY + 2; n++) { /* the keeper has something to do */
        send_and_turn(n);
        assert_int_equal(where(n), 1);
        idle_vm(n, 20 * NS_PER_S);
    }
    host_time_advance(ticks_from_ns(15 * NS_PER_S));
    machine_turn();
    disk_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cpus_test(test_a_page_is_fetched_by_the_keeper),
        cpus_test(test_a_frame_whose_ring_is_away),
        cpus_test(test_a_page_that_cannot_be_fetched),
        cpus_test(test_a_frame_for_itself),
        cpus_test(test_a_page_is_no_answer),
        cpus_test(test_room_is_made_by_the_keeper),
        cpus_test(test_no_room_at_all),
        cpus_test(test_the_idle_leave_from_elsewhere),
        cpus_test(test_the_busy_leave_from_elsewhere),
        cpus_test(test_nobody_to_give),
        cpus_test(test_an_event_for_one_that_departs),
        cpus_test(test_a_deadline_of_one_that_departs),
        cpus_test(test_a_question_is_answered_by_one_that_wants_a_page),
        cpus_test(test_destroyed_while_it_wants_a_page),
        cpus_test(test_a_question_is_answered_by_one_that_ended),
        cpus_test(test_a_full_ring_keeps_who_departs),
        cpus_test(test_a_full_ring_is_tried_again),
        cpus_test(test_both_rings_are_full),
        cpus_test(test_the_gatekeeper_looks_again),
        cpus_test(test_all_are_written),
        cpus_test(test_a_deadline_passes_as_the_machine_stops),
        cpus_test(test_a_deadline_passes_as_it_is_written),
        cpus_test(test_who_has_woken_does_not_go_home),
        cpus_test(test_the_spared_stop_as_well),
        cpus_test(test_a_shutdown_is_no_lack_of_memory),
        cpus_test(test_a_caller_is_written),
        cpus_test(test_many_are_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
