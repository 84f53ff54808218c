/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The plan. Invariant: in an open loop the n-th request's VM and time depend on the options alone.
 */
#include "tests/bench/plan.h"

#include <math.h>

#include "tests/bench/random.h"

static bool limit_met(const struct plan *plan, uint64_t time_ns)
{
    const struct options *o = plan->options;
    return o->requests ? plan->taken >= o->requests : (double)time_ns >= o->seconds * 1e9;
}

/* Sets the time of the next request, counted from `from_ns`. */
static void draw(struct plan *plan, uint64_t from_ns)
{
    double gap = 1e9 / plan->options->rate;
    if (!plan->options->constant) {
        gap *= -log1p(-random_unit(&plan->random));
    }
    plan->due_ns = from_ns + (uint64_t)llround(gap);
    if (limit_met(plan, plan->due_ns)) {
        plan->due_ns = PLAN_NEVER;
    }
}

bool plan_init(struct plan *plan, const struct options *options)
{
    *plan = (struct plan){.options = options, .random = options->seed};
    uint32_t count = options->last - options->first + 1;
    if (options->mode != LOAD_TOUCH && !popularity_init(&plan->popularity, count, options->zipf)) {
        return false;
    }
    if (options->mode == LOAD_OPEN) {
        draw(plan, 0);
    }
    return true;
}

void plan_free(struct plan *plan)
{
    popularity_free(&plan->popularity);
}

bool plan_take(struct plan *plan, uint64_t now_ns, uint32_t open, struct request *request)
{
    const struct options *o = plan->options;
    if (plan_done(plan, now_ns) ||
        (o->mode == LOAD_OPEN ? plan->due_ns > now_ns : open >= o->concurrency)) {
        return false;
    }
    request->due_ns = o->mode == LOAD_OPEN ? plan->due_ns : now_ns;
    request->vm = o->first;
    if (o->mode == LOAD_TOUCH) {
        request->vm += (uint32_t)plan->taken;
    } else {
        request->vm += popularity_item(&plan->popularity, random_unit(&plan->random));
    }
    plan->taken++;
    if (o->mode == LOAD_OPEN) {
        draw(plan, plan->due_ns);
    }
    return true;
}

bool plan_done(const struct plan *plan, uint64_t now_ns)
{
    switch (plan->options->mode) {
    case LOAD_OPEN:
        return plan->due_ns == PLAN_NEVER;
    case LOAD_CLOSED:
        return limit_met(plan, now_ns);
    default:
        return plan->taken >= plan_total(plan) ||
               (plan->options->seconds > 0 && limit_met(plan, now_ns));
    }
}

uint64_t plan_total(const struct plan *plan)
{
    const struct options *o = plan->options;
    return o->mode == LOAD_TOUCH ? o->last - o->first + 1 : o->requests;
}
