/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose the work area is.
 */
#include "guests/supervisor/work_area.h"

#include "guests/supervisor/steps.h"

struct work_area work_area __attribute__((aligned(8)));
static bool taken;

enum step work_area_take(struct exchange *x)
{
    uint64_t now = platform_now_ns();
    if (!taken) {
        taken = true;
        x->holds_area = true;
        x->give_up_ns = 0;
        return STEP_MORE;
    }
    if (x->give_up_ns == 0) {
        x->give_up_ns = now + API_BUSY_NS;
    }
    if (now < x->give_up_ns) {
        return wait_until(x, now + API_RETRY_NS);
    }
    problem_plain(&x->problem, 503, "another request like this is being answered");
    x->problem.retry_s = 1;
    return STEP_DONE;
}

void work_area_leave(struct exchange *x)
{
    if (x->holds_area) {
        taken = false;
        x->holds_area = false;
    }
}
