/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bench: who measures what. Time is that of the physical counter, whose ticks are a fixed
 * number of instructions under -icount shift=0 (one instruction is one nanosecond).
 */
#ifndef TESTS_GUESTS_BENCH_BENCH_H
#define TESTS_GUESTS_BENCH_BENCH_H

#include <stdint.h>

/* Indices of the groups in dts/bench.dts, and of the bench's peers. */
#define GROUP_CLONE 2
#define PEER_PEER 0
#define PEER_CLIENT 1

#define BENCH_COW_PAGES 128
#define BENCH_ZERO_PAGES 192
#define BENCH_CLONE_PAGES 8 /* that a clone writes before it says that it lives */

extern uint8_t bench_cow[BENCH_COW_PAGES][4096];   /* written by the template */
extern uint8_t bench_zero[BENCH_ZERO_PAGES][4096]; /* never touched before it is measured */

/* Physical ticks now. */
uint64_t bench_ticks(void);

/* Prints "bench: NAME VALUE instructions" and "bench: NAME.whole VALUE instructions" for `n` times
 * what took `ticks`, of which `others` ticks and `instructions` a time are not EL2's. */
void bench_report(const char *name, uint64_t ticks, uint64_t others, uint64_t instructions,
                  uint64_t n);

/* The same for a figure that counts all exception levels. */
void bench_report_whole(const char *name, uint64_t ticks, uint64_t n);

void measure_alone(void);
void measure_pair(void);
void measure_clones(void);

/* The other end of measure_pair. */
_Noreturn void peer_run(void);

#endif
