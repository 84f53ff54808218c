/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events, three ways: as the result of idle() (guests/rt/hypercall.h), by polling, and as upcalls.
 *
 * A VM starts with upcalls off (PSTATE.I set). Masked events stay pending in every case.
 */
#ifndef GUESTS_RT_EVENTS_H
#define GUESTS_RT_EVENTS_H

#include <stdint.h>

#include "abi/system_page.h"

/* Takes those of `wanted` that are pending: returns them and clears them. */
uint64_t events_take(uint64_t wanted);

/* Called with upcalls off, on the stack that it interrupted, with the unmasked events that were
 * pending, which are cleared. General-purpose registers are saved, FP registers are not. */
typedef void (*events_handler_fn)(uint64_t events);

/* Turns upcalls on, or off with NULL. Events that were already pending are delivered before this
 * returns. Turn them off before calling idle(), which would race with the handler. */
void events_upcall(events_handler_fn handler);

/* Sets which events are masked. What was pending under a mask that is now clear is delivered, if
 * upcalls are on, before this returns. */
void events_mask(uint64_t masked);

#endif
