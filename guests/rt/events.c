/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events: the guest's half of the event words. EL2 sets bits of events_pending at any time, so
 * bits leave it only by atomic operations. EL2 fabricates an exception only when it enters the
 * VM; whoever opens a mask therefore looks once by itself.
 */
#include "guests/rt/events.h"

#include <stddef.h>

#include "guests/rt/hypercall.h"
#include "guests/rt/trap.h"

static events_handler_fn upcall_handler;

uint64_t events_take(uint64_t wanted)
{
    volatile uint64_t *pending = &system_page()->events_pending;
    if ((*pending & wanted) == 0) {
        return 0;
    }
    return __atomic_fetch_and(pending, ~wanted, __ATOMIC_ACQ_REL) & wanted;
}

void rt_upcall(void)
{
    uint64_t events = events_take(~system_page()->events_masked);
    if (events != 0 && upcall_handler != NULL) {
        upcall_handler(events);
    }
}

static void deliver_missed(void)
{
    if (upcall_handler == NULL) {
        return;
    }
    __asm__ volatile("msr daifset, #2" ::: "memory");
    rt_upcall();
    __asm__ volatile("msr daifclr, #2" ::: "memory");
}

void events_upcall(events_handler_fn handler)
{
    __asm__ volatile("msr daifset, #2" ::: "memory");
    upcall_handler = handler;
    deliver_missed();
}

void events_mask(uint64_t masked)
{
    system_page()->events_masked = masked;
    deliver_missed();
}
