/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contract: the physical counter and this CPU's hypervisor timer. Ticks are those of the board's
 * system counter; EL2 computes in ticks and converts at its edges.
 */
#ifndef ARCH_TIME_H
#define ARCH_TIME_H

#include "core/base/types.h"

#define TICKS_NEVER UINT64_MAX

/* Ticks of the physical counter since it began; all CPUs agree. */
uint64_t counter_now(void);

/* Ticks in a second, constant after boot, never 0. */
uint64_t counter_hz(void);

/* Conversions saturate: a time too long to count is TICKS_NEVER. Both round up. */
uint64_t ticks_from_ns(uint64_t ns);
uint64_t ns_from_ticks(uint64_t ticks);

/* Raises this CPU's timer interrupt at `deadline` (physical ticks); TICKS_NEVER disarms. */
void timer_arm(uint64_t deadline);

#endif
