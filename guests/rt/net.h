/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM's network: virtio queues of abi/virtq.h under lwIP's raw API.
 *
 * Order of calls: net_init(), the guest's own lwIP set-up, checkpoint(), net_run().
 */
#ifndef GUESTS_RT_NET_H
#define GUESTS_RT_NET_H

#include <stdbool.h>
#include <stdint.h>

/* Starts lwIP without an address and offers receive buffers to EL2. False, with a line on the
 * console, if EL2 refuses the queues. */
bool net_init(void);

/* What the guest does beside answering packets: called at each pass of net_run(), after packets and
 * timers, with the events that ended the last sleep. Returns for how long it needs no call, in ns:
 * 0, at once; TOKLAT_IDLE_FOREVER, until an event. */
typedef uint64_t (*net_work_fn)(uint64_t events);
void net_work(net_work_fn work);

/* Takes this VM's identity (seed, MAC and IP address) from the system page and serves events until
 * TOKLAT_EVENT_SHUTDOWN; returns then. Takes the identity anew after TOKLAT_EVENT_RESUMED. Gives
 * free heap pages back on TOKLAT_EVENT_PRESSURE. */
void net_run(void);

#endif
