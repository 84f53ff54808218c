/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one VM can measure by itself.
 */
#include "abi/hypercall.h"
#include "abi/system_page.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/memory.h"
#include "tests/guests/bench/bench.h"
#include "tests/guests/bench/loops.h"
#include "tests/guests/bench/wire.h"

#define CALLS 4096
#define BUSY_LOOPS 4000000
#define TIMER_TICKS 625
#define TOUCH_ROUNDS 8
#define EVENTS 1024

/* null_hypercall: the call that only returns a number, against a NOP. */
static void null_hypercall(void)
{
    uint64_t t0 = bench_ticks();
    loop_call(TOKLAT_VERSION, 0, 0, CALLS);
    uint64_t t1 = bench_ticks();
    loop_call_nop(TOKLAT_VERSION, 0, 0, CALLS);
    uint64_t t2 = bench_ticks();
    bench_report("null_hypercall", t1 - t0, t2 - t1, 0, CALLS);
}

/* timer_irq: a busy loop that the virtual timer interrupts, against the same undisturbed, less the
 * guest's handler: from the interrupt to the handler's first instruction. */
static void timer_irq(void)
{
    uint64_t t0 = bench_ticks();
    uint64_t fired = loop_busy(BUSY_LOOPS, TIMER_TICKS);
    uint64_t t1 = bench_ticks();
    loop_busy(BUSY_LOOPS, 0);
    uint64_t t2 = bench_ticks();
    uint64_t none = t2 - t1;
    bench_report("timer_irq", t1 - t0, none, loop_timer_instructions(), fired);
}

/* first_touch: stores to pages that were never there, against stores to the same pages again. */
static void first_touch(void)
{
    uint64_t first = 0, again = 0;
    for (unsigned i = 0; i < TOUCH_ROUNDS; i++) {
        uint64_t t0 = bench_ticks();
        loop_store(bench_zero, BENCH_ZERO_PAGES);
        uint64_t t1 = bench_ticks();
        loop_store(bench_zero, BENCH_ZERO_PAGES);
        uint64_t t2 = bench_ticks();
        first += t1 - t0;
        again += t2 - t1;
        page_release(bench_zero, BENCH_ZERO_PAGES);
    }
    bench_report("first_touch", first, again, 0, TOUCH_ROUNDS * BENCH_ZERO_PAGES);
}

/* cow_write: stores to pages that are still the template's, against stores to the same again. */
static void cow_write(void)
{
    uint64_t t0 = bench_ticks();
    loop_store(bench_cow, BENCH_COW_PAGES);
    uint64_t t1 = bench_ticks();
    loop_store(bench_cow, BENCH_COW_PAGES);
    uint64_t t2 = bench_ticks();
    bench_report("cow_write", t1 - t0, t2 - t1, 0, BENCH_COW_PAGES);
}

/* event_take: frames that the VM sends to itself, with receive events and upcalls, against the same
 * with events turned off in the ring; less the guest's handler. What is left is posting the event
 * to the running VM and making it take the exception. */
static void event_take(void)
{
    wire_repeat(system_page()->vm_number, WIRE_FRAME_MIN);
    wire_want_events(false);
    uint64_t t0 = bench_ticks();
    loop_doorbell(wire_tx_idx(), wire_rx_idx(), EVENTS);
    uint64_t t1 = bench_ticks();
    wire_repeat(system_page()->vm_number, WIRE_FRAME_MIN);
    uint64_t t2 = bench_ticks();
    uint64_t taken =
        loop_doorbell_upcalls(wire_tx_idx(), wire_rx_idx(), EVENTS, TOKLAT_EVENT_NET_RX);
    uint64_t t3 = bench_ticks();
    bench_report("event_take", t3 - t2, t1 - t0, loop_upcall_instructions(), taken);
    wire_init();
}

void measure_alone(void)
{
    null_hypercall();
    timer_irq();
    first_touch();
    cow_write();
    event_take();
}
