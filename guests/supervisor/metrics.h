/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /metrics: OpenMetrics 1.0 text of one snapshot, or Prometheus's older text format 0.0.4,
 * which differs in what counters are called before their samples, and in how it ends. A pure
 * function of the snapshot. Names follow Prometheus's conventions: base units, which end the name,
 * and _total.
 */
#ifndef GUESTS_SUPERVISOR_METRICS_H
#define GUESTS_SUPERVISOR_METRICS_H

#include "abi/control.h"
#include "guests/supervisor/out.h"

#define METRICS_TOP_MAX 100 /* of ?top=N: else 400 */

struct metrics_source {
    struct toklat_machine machine;
    /* By index, as toklat_vm_brief.group and toklat_journal_entry.value give it. Those in the
     * state TOKLAT_GROUP_ABSENT, and all from machine.groups on, are none. */
    struct toklat_group groups[TOKLAT_GROUPS_MAX];
    struct toklat_vm top[METRICS_TOP_MAX]; /* of all VMs, by USS; the largest first */
    uint32_t top_count;                    /* 0 without ?top=N */
    uint32_t connections;                  /* to the API, this one included */
    uint64_t api_requests;
    uint64_t api_refused; /* of them: answered with 4xx or 5xx */
    bool classic;         /* the older format: METRICS_TYPE_CLASSIC */
};

/* What the answer's Content-Type is. The older format is for a client that accepts text/plain and
 * does not name application/openmetrics-text. */
#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define METRICS_TYPE_CLASSIC "text/plain; version=0.0.4; charset=utf-8"

/* Where the text goes on; all zero at its beginning. */
struct metrics_cursor {
    uint32_t family;
    uint32_t item;
};

/* Writes whole lines while out_has_room(). False if there is more: it is called again with an
 * empty `out` and the same snapshot. The last line is "# EOF", unless the format is the older. */
bool metrics_write(struct out *out, struct metrics_cursor *cursor,
                   const struct metrics_source *source);

#endif
