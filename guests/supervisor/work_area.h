/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for answers that look at all VMs before they can be written. There is one; an exchange
 * that finds it taken waits for it, for a bounded time.
 */
#ifndef GUESTS_SUPERVISOR_WORK_AREA_H
#define GUESTS_SUPERVISOR_WORK_AREA_H

#include "guests/supervisor/exchange.h"
#include "guests/supervisor/histogram.h"
#include "guests/supervisor/metrics.h"
#include "guests/supervisor/spread.h"
#include "guests/supervisor/top.h"

enum measure { USS, RSS, PSS, STAGE2, DESCRIPTOR, MEASURES };

struct work_area {
    struct top top;
    union {
        struct metrics_source metrics;
        struct histogram histogram;
        struct {
            struct spread spread[MEASURES];
            uint32_t stored;
            uint64_t stored_bytes;
        } footprint;
    };
};

extern struct work_area work_area;

/* STEP_MORE: it is ours. STEP_LATER: not yet. STEP_DONE: it was waited for too long; a problem. */
enum step work_area_take(struct exchange *x);
void work_area_leave(struct exchange *x);

#endif
