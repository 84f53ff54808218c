/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /metrics: OpenMetrics text of one snapshot. A pure function of the snapshot.
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
};

/* Where the text goes on; all zero at its beginning. */
struct metrics_cursor {
    uint32_t family;
    uint32_t item;
};

/* Writes whole lines while out_has_room(). False if there is more: it is called again with an
 * empty `out` and the same snapshot. The last line is "# EOF". */
bool metrics_write(struct out *out, struct metrics_cursor *cursor,
                   const struct metrics_source *source);

#endif
