/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's timers, run only while there is something to time: TCP's while connections exist, ARP's
 * while an answer is awaited. A VM without either sleeps until an event.
 */
#ifndef GUESTS_RT_TIMERS_H
#define GUESTS_RT_TIMERS_H

#include <stdint.h>

/* Runs what is due. Call after packets were processed and after every wake-up. */
void timers_run(void);

/* How long nothing will be due: an argument for idle(). */
uint64_t timers_sleep_ns(void);

/* The ARP table awaits an answer: tick until lwIP has given up asking. */
void timers_arp_asked(void);

/* Forgets ticks that were due before a checkpoint or an identity change. */
void timers_restart(void);

#endif
