/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenMetrics text: nothing yet but its end.
 */
#include "guests/supervisor/metrics.h"

bool metrics_write(struct out *out, struct metrics_cursor *cursor,
                   const struct metrics_source *source)
{
    (void)cursor;
    (void)source;
    out_text(out, "# EOF\n");
    return true;
}
