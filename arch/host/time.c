/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock of the process that plays a machine: it moves when a test says so.
 */
#include "arch/time.h"
#include "arch/cpu.h"
#include "arch/host/host.h"

#define HZ 62500000ull

static uint64_t now;
/* Deadlines, each plus one, so that a cleared array means TICKS_NEVER. */
static uint64_t armed_plus_one[CPUS_MAX];

void host_time_set(uint64_t ticks)
{
    now = ticks;
}

void host_time_advance(uint64_t ticks)
{
    now += ticks;
}

uint64_t host_timer_deadline(void)
{
    return armed_plus_one[cpu_index()] - 1;
}

uint64_t counter_now(void)
{
    return now;
}

uint64_t counter_hz(void)
{
    return HZ;
}

/* x * multiplier / divisor, rounded up; TICKS_NEVER when it does not fit. */
static uint64_t scale_up(uint64_t x, uint64_t multiplier, uint64_t divisor)
{
    unsigned __int128 product = (unsigned __int128)x * multiplier;
    unsigned __int128 result = (product + divisor - 1) / divisor;
    return result > TICKS_NEVER ? TICKS_NEVER : (uint64_t)result;
}

uint64_t ticks_from_ns(uint64_t ns)
{
    return ns == UINT64_MAX ? TICKS_NEVER : scale_up(ns, HZ, NS_PER_S);
}

uint64_t ns_from_ticks(uint64_t ticks)
{
    return scale_up(ticks, NS_PER_S, HZ);
}

void timer_arm(uint64_t deadline)
{
    armed_plus_one[cpu_index()] = deadline + 1;
    HOST_COUNT(arms, 1);
}
