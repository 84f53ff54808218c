/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine
/*
 * Events, timeouts and turns, as the virtual architecture promises them (sections 6 to 8).
 */
#include "tests/unit/machine_test.h"

#include "arch/irq.h"
#include "arch/time.h"

#define RX TOKLAT_EVENT_NET_RX
#define TX TOKLAT_EVENT_NET_TX
#define TIMER TOKLAT_EVENT_TIMER
#define RESUMED TOKLAT_EVENT_RESUMED
#define FOREVER TOKLAT_IDLE_FOREVER
#define GRANULE_NS (50 * NS_PER_US)
#define PSTATE_I (1u << 7)

static struct vm *boss, *web;

/* The supervisor runs; web/1 has taken its RESUMED and idles for ever. */
static int setup(void **state)
{
    setup_machine(state);
    boss = machine_current();
    assert_int_equal(machine_call(TOKLAT_IDLE, 1, 0), RESUMED);
    web = start_and_run(WEB);
    assert_int_equal(machine_call(TOKLAT_IDLE, 1, 0), RESUMED);
    machine_trap(TOKLAT_IDLE, FOREVER, 0);
    assert_ptr_equal(machine_current(), boss);
    machine_check(true);
    return 0;
}

/* As in the middle of a trap. */
static void post(struct vm *vm, uint64_t events)
{
    event_post(vm->stub, events);
}

/* The supervisor sleeps; what is entered next. */
static struct vm *next(void)
{
    machine_trap(TOKLAT_IDLE, FOREVER, 0);
    machine_check(true);
    return machine_current();
}

/* --- idle --------------------------------------------------------------------------------- */

static void test_pending_is_the_result(void **state)
{
    (void)state;
    post(boss, RX);
    post(boss, TX);
    post(boss, RX);
    assert_int_equal(machine_call(TOKLAT_IDLE, FOREVER, 0), RX | TX);
    assert_int_equal(boss->page->events_pending, 0);
    boss->page->events_pending = TOKLAT_EVENT_SHUTDOWN; /* the guest's own doing */
    assert_int_equal(machine_call(TOKLAT_IDLE, 5, 0), TOKLAT_EVENT_SHUTDOWN);
}

static void test_one_delivery_for_many(void **state)
{
    (void)state;
    uint64_t turns = run_this()->mux.turns;
    for (unsigned i = 0; i < 1000; i++) {
        post(web, i & 1 ? RX : TX);
    }
    assert_int_equal(run_this()->mux.turns, turns);
    assert_ptr_equal(next(), web);
    assert_int_equal(web->context.x[0], RX | TX);
    assert_int_equal(web->page->events_pending, 0);
    assert_int_equal(run_this()->mux.turns, turns + 1);
    assert_null(next());
}

static void test_masked_is_kept(void **state)
{
    (void)state;
    web->page->events_masked = RX;
    post(web, RX);
    assert_null(next()); /* nobody wakes */
    machine_check(true);
    for (unsigned i = 0; i < 2; i++) {
        post(web, TX);
        machine_interrupt();
        assert_ptr_equal(machine_current(), web);
        assert_int_equal(web->context.x[0], TX);
        assert_int_equal(web->page->events_pending, RX);
        assert_null(next());
    }
    post(web, TIMER);
    machine_interrupt();
    web->page->events_masked = 0;
    assert_int_equal(machine_call(TOKLAT_IDLE, FOREVER, 0), RX);
}

/* RX was posted while masked, and again: it still does not wake; what is not masked does. */
static void test_masked_and_not(void **state)
{
    (void)state;
    web->page->events_masked = RX | TIMER;
    post(web, RX);
    post(web, RX);
    assert_int_equal(web->sched.state, SCHED_BLOCKED);
    post(web, TX | RX);
    assert_int_equal(web->sched.state, SCHED_READY);
    assert_ptr_equal(next(), web);
    assert_int_equal(web->context.x[0], TX);
    assert_int_equal(web->page->events_pending, RX);
}

static void test_any_words_of_events(void **state)
{
    (void)state;
    boss->page->events_pending = UINT64_MAX;
    assert_int_equal(machine_call(TOKLAT_IDLE, FOREVER, 0), INT64_MAX);
    assert_int_equal(boss->page->events_pending, 1ull << 63);
    boss->page->events_masked = UINT64_MAX;
    assert_int_equal(machine_call(TOKLAT_IDLE, 0, 0), 0);
    boss->page->events_pending = UINT64_MAX;
    assert_null(next());
    post(boss, RX);
    machine_interrupt();
    assert_null(machine_current()); /* it masked everything: for ever */
}

static void test_idle_zero_gives_way(void **state)
{
    (void)state;
    assert_int_equal(machine_call(TOKLAT_IDLE, 0, 0), 0); /* alone: at once */
    post(web, RX);
    machine_trap(TOKLAT_IDLE, 0, 0);
    assert_ptr_equal(machine_current(), web);
    post(boss, TX);
    machine_trap(TOKLAT_IDLE, 0, 0);
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(boss->context.x[0], TX);
    post(boss, TX);
    machine_trap(TOKLAT_IDLE, 0, 0); /* with events of its own as well */
    assert_ptr_equal(machine_current(), web);
    assert_int_equal(web->context.x[0], 0);
}

/* --- timeouts ----------------------------------------------------------------------------- */

static void test_timeouts_are_not_early(void **state)
{
    (void)state;
    static const uint64_t timeouts_ns[] = {
        1, 16, 1000, 49999, 50000, 123456, 7 * NS_PER_MS, NS_PER_S, 86400 * NS_PER_S};
    for (unsigned i = 0; i < ARRAY_SIZE(timeouts_ns); i++) {
        uint64_t begun = counter_now();
        assert_null((machine_trap(TOKLAT_IDLE, timeouts_ns[i], 0), machine_current()));
        for (unsigned step = 0; !machine_current(); step++) {
            assert_true(step < 16);
            machine_check(true);
            machine_sleep();
        }
        uint64_t ns = ns_from_ticks(counter_now() - begun);
        assert_in_range(ns, timeouts_ns[i], timeouts_ns[i] + GRANULE_NS);
        assert_int_equal(boss->context.x[0], TIMER);
        assert_int_equal(boss->page->events_pending, 0);
    }
}

static void test_timeouts_that_do_not_come(void **state)
{
    (void)state;
    static const uint64_t huge[] = {UINT64_MAX, UINT64_MAX - 1, 1ull << 63, 1ull << 62};
    for (unsigned i = 0; i < ARRAY_SIZE(huge); i++) {
        machine_trap(TOKLAT_IDLE, huge[i], 0);
        assert_null(machine_current());
        machine_check(true);
        machine_advance(365 * 86400 * NS_PER_S);
        assert_null(machine_current());
        post(boss, RX);
        machine_interrupt();
        assert_ptr_equal(machine_current(), boss);
        assert_int_equal(boss->context.x[0], RX);
        assert_false(timeout_waiting(&boss->stub->timeout));
    }
}

static void test_event_cancels_timeout(void **state)
{
    (void)state;
    machine_trap(TOKLAT_IDLE, NS_PER_MS, 0);
    post(boss, RX);
    machine_interrupt();
    assert_int_equal(boss->context.x[0], RX);
    machine_advance(2 * NS_PER_MS);
    assert_int_equal(boss->page->events_pending, 0);
    assert_null(next()); /* no TIMER left over */
}

static void test_masked_timeout_is_posted_only(void **state)
{
    (void)state;
    boss->page->events_masked = TIMER;
    machine_trap(TOKLAT_IDLE, NS_PER_MS, 0);
    machine_advance(2 * NS_PER_MS);
    assert_null(machine_current());
    machine_check(true);
    post(boss, RX);
    machine_interrupt();
    assert_int_equal(boss->context.x[0], RX);
    assert_int_equal(boss->page->events_pending, TIMER);
}

static void test_many_timeouts_at_once(void **state)
{
    (void)state;
    start_and_run(WEB + 1);
    machine_call(TOKLAT_IDLE, 1, 0);
    machine_trap(TOKLAT_IDLE, 3 * NS_PER_MS, 0);
    machine_trap(TOKLAT_IDLE, 3 * NS_PER_MS, 0);
    assert_null(machine_current());
    machine_advance(10 * NS_PER_MS);
    machine_check(true);
    assert_int_equal(machine_current()->context.x[0], TIMER);
    struct vm *other = next();
    assert_non_null(other);
    assert_int_equal(other->context.x[0], TIMER);
    assert_null(next());
}

/* --- exceptions --------------------------------------------------------------------------- */

static void assert_exception(const struct vm *vm, uint64_t pc, uint64_t pstate, uint64_t vector)
{
    assert_int_equal(host_context_live()->elr_el1, pc);
    assert_int_equal(host_context_live()->spsr_el1, pstate);
    assert_int_equal(vm->context.pc, MACHINE_VBAR + vector);
    assert_int_equal(vm->context.pstate, 0x3C5);
}

static void test_exception_from_anywhere(void **state)
{
    (void)state;
    static const uint64_t from[][2] = {{0x345, 0x280}, {0x344, 0x080}, {0x340, 0x480}};
    for (unsigned i = 0; i < ARRAY_SIZE(from); i++) {
        unsigned raised = host_counts.irqs_raised;
        boss->context.pstate = from[i][0];
        boss->context.pc = 0x3100;
        post(boss, RX);
        machine_trap(TOKLAT_DOORBELL, 0, 0);
        assert_exception(boss, 0x3100, from[i][0], from[i][1]);
        assert_int_equal(boss->context.x[0], 0); /* of the call, for when it returns */
        assert_int_equal(boss->page->events_pending, RX);
        assert_int_equal(host_counts.irqs_raised, raised + 1);
        machine_trap(TOKLAT_DOORBELL, 0, 0); /* in the handler: PSTATE.I is set */
        assert_int_equal(host_counts.irqs_raised, raised + 1);
        boss->page->events_pending = 0;
    }
}

static void test_exception_when_masked(void **state)
{
    (void)state;
    unsigned raised = host_counts.irqs_raised;
    post(boss, RX);
    machine_trap(TOKLAT_DOORBELL, 0, 0); /* PSTATE.I */
    boss->context.pstate &= ~(uint64_t)PSTATE_I;
    boss->page->events_masked = RX;
    machine_trap(TOKLAT_DOORBELL, 0, 0);
    assert_int_equal(host_counts.irqs_raised, raised);
    boss->page->events_masked = 0;
    machine_trap(TOKLAT_VERSION, 0, 0); /* does not look */
    assert_int_equal(host_counts.irqs_raised, raised);
    machine_interrupt();
    assert_int_equal(host_counts.irqs_raised, raised + 1);
}

static void test_exception_after_a_turn(void **state)
{
    (void)state;
    boss->context.pstate &= ~(uint64_t)PSTATE_I;
    boss->context.pc = 0x3200;
    post(web, RX);
    machine_advance(11 * NS_PER_MS); /* the slice ends */
    assert_ptr_equal(machine_current(), web);
    post(boss, RX);
    post(boss, TX);
    unsigned raised = host_counts.irqs_raised;
    assert_ptr_equal(next(), boss);
    assert_exception(boss, 0x3200, 0x345, 0x280);
    assert_int_equal(host_counts.irqs_raised, raised + 1);
    assert_int_equal(boss->page->events_pending, RX | TX);
}

/* idle takes by its result, whatever PSTATE.I is. */
static void test_no_exception_from_idle(void **state)
{
    (void)state;
    unsigned raised = host_counts.irqs_raised;
    boss->context.pstate &= ~(uint64_t)PSTATE_I;
    assert_null(next());
    post(boss, RX);
    machine_interrupt();
    assert_int_equal(boss->context.x[0], RX);
    assert_int_equal(host_counts.irqs_raised, raised);
}

static void test_wfi(void **state)
{
    (void)state;
    uint64_t pc = boss->context.pc;
    post(boss, RX);
    machine_fault(TRAP_WFI); /* does not sleep, does not take */
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(boss->context.pc, pc + 4);
    assert_int_equal(boss->page->events_pending, RX);
    boss->page->events_pending = 0;
    boss->context.x[0] = 55;
    machine_fault(TRAP_WFI);
    assert_null(machine_current());
    machine_check(true);
    post(boss, TX);
    machine_interrupt();
    assert_int_equal(boss->context.x[0], 55);
    assert_int_equal(boss->page->events_pending, TX);
    assert_int_equal(boss->context.pc, pc + 8);

    boss->page->events_pending = 0;
    boss->context.pstate &= ~(uint64_t)PSTATE_I;
    machine_fault(TRAP_WFI);
    post(boss, TX);
    machine_interrupt();
    assert_exception(boss, pc + 12, 0x345, 0x280);
}

static void test_wfe_gives_way(void **state)
{
    (void)state;
    uint64_t pc = boss->context.pc;
    machine_fault(TRAP_WFE);
    assert_ptr_equal(machine_current(), boss);
    post(web, RX);
    machine_fault(TRAP_WFE);
    assert_ptr_equal(machine_current(), web);
    assert_null((next(), next()));
    assert_int_equal(boss->context.pc, pc + 8);
}

/* --- time --------------------------------------------------------------------------------- */

static uint64_t virtual_now(void)
{
    return counter_now() - host_context_live()->cntvoff_el2;
}

static void test_virtual_time(void **state)
{
    (void)state;
    uint64_t ms = ticks_from_ns(NS_PER_MS);
    uint64_t boss_begun = virtual_now();
    host_time_advance(3 * ms);
    post(web, RX);
    assert_ptr_equal(next(), web);
    uint64_t web_begun = virtual_now();
    host_time_advance(5 * ms);
    assert_int_equal(virtual_now(), web_begun + 5 * ms);
    assert_null(next());
    host_time_advance(1000 * ms);
    post(boss, RX);
    machine_interrupt();
    assert_ptr_equal(machine_current(), boss);
    assert_int_equal(virtual_now(), boss_begun + 3 * ms);
    assert_int_equal(virtual_now() + boss->page->wall_offset, counter_now());
    host_time_advance(2 * ms);
    post(web, RX);
    assert_ptr_equal(next(), web);
    assert_int_equal(virtual_now(), web_begun + 5 * ms);
    assert_int_equal(virtual_now() + web->page->wall_offset, counter_now());
}

static void test_clone_goes_on_from_its_template(void **state)
{
    (void)state;
    deploy_boss_and_web();
    machine_start();
    uint64_t begun = virtual_now();
    assert_int_equal(begun, 0);
    host_time_advance(500);
    machine_boot(0);
    assert_int_equal(machine_current()->stub->number, BOSS);
    assert_int_equal(virtual_now(), 500);
}

static void test_slices(void **state)
{
    (void)state;
    assert_int_equal(mux_deadline(&run_this()->mux), UINT64_MAX); /* alone: no timer for it */
    machine_advance(100 * NS_PER_MS);
    post(web, RX);
    machine_interrupt(); /* its slice has long been over */
    assert_ptr_equal(machine_current(), web);
    machine_advance(9 * NS_PER_MS);
    assert_ptr_equal(machine_current(), web);
    machine_check(true);
    machine_advance(2 * NS_PER_MS);
    assert_ptr_equal(machine_current(), boss);
    machine_check(true);
}

/* Alone, the current one has no end; it has as soon as another is ready. */
static void test_timer_for_a_new_rival(void **state)
{
    (void)state;
    machine_advance(NS_PER_S); /* what was armed before has fired */
    machine_trap(TOKLAT_IDLE, NS_PER_MS, 0);
    machine_advance(2 * NS_PER_MS); /* a fresh slice */
    assert_ptr_equal(machine_current(), boss);
    machine_advance(NS_PER_MS);
    assert_int_equal(host_timer_deadline(), TICKS_NEVER);
    post(web, RX);
    machine_interrupt();
    assert_ptr_equal(machine_current(), boss);
    assert_in_range(host_timer_deadline(), counter_now(),
                    counter_now() + ticks_from_ns(9 * NS_PER_MS));
    machine_check(true);
}

static void test_synchronous(void **state)
{
    (void)state;
    run_set_synchronous(true);
    post(web, RX);
    machine_interrupt();
    assert_ptr_equal(machine_current(), web); /* at once, in the middle of the slice */
    assert_int_equal(web->context.x[0], RX);
    assert_ptr_equal(next(), boss);
    run_set_synchronous(false);
    post(web, RX);
    machine_interrupt();
    assert_ptr_equal(machine_current(), boss);
    assert_ptr_equal(next(), web);
}

static void test_virtual_timer(void **state)
{
    (void)state;
    unsigned masks = host_counts.vtimer_masks;
    host_irq_raise(irq_virtual_timer());
    machine_interrupt();
    assert_int_equal(host_counts.vtimer_masks, masks + 1);
    assert_int_equal(host_context_live()->cntv_ctl_el0 & 2, 2);
    assert_int_equal(machine_call(TOKLAT_IDLE, FOREVER, 0), TIMER);
    host_irq_raise(irq_virtual_timer()); /* late: nobody runs */
    assert_null(next());
    machine_check(true);
}

static void test_unknown_interrupt(void **state)
{
    (void)state;
    host_irq_raise(99);
    machine_interrupt();
    assert_int_equal(irq_spurious_count(0), 1);
    assert_ptr_equal(machine_current(), boss);
}

#define events_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown_machine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        events_test(test_pending_is_the_result),
        events_test(test_one_delivery_for_many),
        events_test(test_masked_is_kept),
        events_test(test_masked_and_not),
        events_test(test_any_words_of_events),
        events_test(test_idle_zero_gives_way),
        events_test(test_timeouts_are_not_early),
        events_test(test_timeouts_that_do_not_come),
        events_test(test_event_cancels_timeout),
        events_test(test_masked_timeout_is_posted_only),
        events_test(test_many_timeouts_at_once),
        events_test(test_exception_from_anywhere),
        events_test(test_exception_when_masked),
        events_test(test_exception_after_a_turn),
        events_test(test_no_exception_from_idle),
        events_test(test_wfi),
        events_test(test_wfe_gives_way),
        events_test(test_virtual_time),
        events_test(test_clone_goes_on_from_its_template),
        events_test(test_slices),
        events_test(test_timer_for_a_new_rival),
        events_test(test_synchronous),
        events_test(test_virtual_timer),
        events_test(test_unknown_interrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
