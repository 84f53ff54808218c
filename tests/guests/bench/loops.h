/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The measured loops (loops.S). Each exists twice, with what is measured and with a NOP or a dummy
 * in its place, so that the difference is what is measured and nothing else.
 */
#ifndef TESTS_GUESTS_BENCH_LOOPS_H
#define TESTS_GUESTS_BENCH_LOOPS_H

#include <stdint.h>

/* `count` hypercalls. */
void loop_call(uint64_t function, uint64_t a1, uint64_t a2, uint64_t count);
void loop_call_nop(uint64_t function, uint64_t a1, uint64_t a2, uint64_t count);

/* vm_control CREATE of `group`, `count` times; the results go to `numbers`. */
void loop_create(uint64_t group, int64_t *numbers, uint64_t count);
void loop_create_nop(uint64_t group, int64_t *numbers, uint64_t count);

/* vm_control `operation` for each of `count` numbers. */
void loop_control(uint64_t operation, const int64_t *numbers, uint64_t count);
void loop_control_nop(uint64_t operation, const int64_t *numbers, uint64_t count);

/* Stores to `count` pages from `page` on. */
void loop_store(void *page, uint64_t count);

/* `count` doorbells for the transmit queue, before each one more entry made available there, after
 * each one more in the receive queue. The two are pointers to avail.idx. */
void loop_doorbell(volatile uint16_t *tx, volatile uint16_t *rx, uint64_t count);
void loop_doorbell_nop(volatile uint16_t *tx, volatile uint16_t *rx, uint64_t count);

/* Events by exception: from upcalls_on() on, each clears `bits` and is counted. With `timer_ticks`
 * the virtual timer fires that long after it fired last. None of the loops above touches the
 * registers that this uses (x9 to x15); C code between the two would. */
#define loop_upcall_instructions() ((uint64_t)(loop_upcall_end - loop_upcall) + 1)
#define loop_timer_instructions() ((uint64_t)(loop_timer_end - loop_timer) + 1)
extern const uint32_t loop_upcall[], loop_upcall_end[], loop_timer[], loop_timer_end[];

/* loop_doorbell with upcalls for the `bits`; returns how many there were. */
uint64_t loop_doorbell_upcalls(volatile uint16_t *tx, volatile uint16_t *rx, uint64_t count,
                               uint64_t bits);

/* Two instructions `count` times, with the virtual timer every `ticks` ticks unless 0; returns how
 * often it fired. */
uint64_t loop_busy(uint64_t count, uint64_t ticks);

#endif
