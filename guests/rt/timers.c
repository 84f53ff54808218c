/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers for lwIP (LWIP_TIMERS_CUSTOM), in machine time. A tick that comes late is run once, not
 * as often as it was missed: a VM that was away for an hour does not time its peers out for it.
 * The ARP table is the exception, because its entries age in the world: they are aged by the
 * time that passed, up to their whole life.
 */
#include "guests/rt/timers.h"

#include <stdbool.h>

#include "guests/rt/hypercall.h"
#include "guests/rt/time.h"
#include "lwip/etharp.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"

#define TCP_TICK_NS (TCP_TMR_INTERVAL * NS_PER_MS)
#define ARP_TICK_NS (ARP_TMR_INTERVAL * NS_PER_MS)
#define ARP_ASKING_TICKS 6 /* lwIP asks five times, a second apart */
#define ARP_LIFE_TICKS 300 /* lwIP's ARP_MAXAGE */
#define NEVER UINT64_MAX

static uint64_t tcp_due = NEVER;
static uint64_t arp_due;        /* when the table is next aged, whenever we are awake */
static unsigned arp_ticks_left; /* ticks that are worth waking up for */

u32_t sys_now(void)
{
    return (u32_t)(time_machine_ns() / NS_PER_MS);
}

void sys_timeouts_init(void)
{
}

void tcp_timer_needed(void)
{
    if (tcp_due == NEVER) {
        tcp_due = time_machine_ns() + TCP_TICK_NS;
    }
}

static void run_tcp(uint64_t now)
{
    if (now < tcp_due) {
        return;
    }
    tcp_tmr();
    tcp_due = tcp_active_pcbs != NULL || tcp_tw_pcbs != NULL ? now + TCP_TICK_NS : NEVER;
}

static void run_arp(uint64_t now)
{
    if (now < arp_due) {
        return;
    }
    uint64_t ticks = 1 + (now - arp_due) / ARP_TICK_NS;
    arp_due = now + ARP_TICK_NS;
    arp_ticks_left -= arp_ticks_left > 0 ? 1 : 0;
    for (ticks = ticks < ARP_LIFE_TICKS ? ticks : ARP_LIFE_TICKS; ticks > 0; ticks--) {
        etharp_tmr();
    }
}

void timers_run(void)
{
    uint64_t now = time_machine_ns();
    run_tcp(now);
    run_arp(now);
}

uint64_t timers_sleep_ns(void)
{
    uint64_t due = tcp_due;
    if (arp_ticks_left > 0 && arp_due < due) {
        due = arp_due;
    }
    if (due == NEVER) {
        return TOKLAT_IDLE_FOREVER;
    }
    uint64_t now = time_machine_ns();
    return due > now ? due - now : 0;
}

void timers_arp_asked(void)
{
    arp_ticks_left = ARP_ASKING_TICKS;
}

void timers_restart(void)
{
    arp_due = time_machine_ns() + ARP_TICK_NS;
}
