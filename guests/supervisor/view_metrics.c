/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /metrics: the snapshot is taken, then written (metrics.c).
 */
#include "guests/supervisor/steps.h"
#include "guests/supervisor/work_area.h"

enum { TAKE, SCAN, WRITE };

static void snapshot(struct exchange *x)
{
    struct metrics_source *s = &work_area.metrics;
    groups_read();
    memset(s, 0, sizeof(*s));
    s->machine = groups.machine;
    memcpy(s->groups, groups.at, sizeof(s->groups));
    top_sort(&work_area.top);
    for (uint32_t i = 0; i < work_area.top.count; i++) {
        uint32_t number = work_area.top.at[i].number;
        s->top_count += control_read_one(number, &s->top[s->top_count], 0) ? 1 : 0;
    }
    s->classic = x->classic;
    s->connections = api.connections;
    s->api_requests = api.requests;
    s->api_refused = api.refused;
    x->at.metrics.stage = WRITE;
}

static enum step scan(struct exchange *x)
{
    struct metrics_state *c = &x->at.metrics;
    for (unsigned i = 0; i < API_STEP_READS && c->next != 0; i++) {
        uint32_t n = control_read(c->next, vm_batch, TOKLAT_VM_READ_MAX, 0, &c->next);
        for (uint32_t v = 0; v < n; v++) {
            top_add(&work_area.top, vm_uss_bytes(&vm_batch[v]), vm_batch[v].brief.number);
        }
    }
    if (c->next == 0) {
        snapshot(x);
    }
    return STEP_MORE;
}

enum step step_metrics(struct exchange *x, struct out *out)
{
    struct metrics_state *c = &x->at.metrics;
    enum step step;
    switch (c->stage) {
    case TAKE:
        step = work_area_take(x);
        if (step == STEP_MORE) {
            top_begin(&work_area.top, x->request.top);
            c->next = x->request.top > 0 ? 1 : 0;
            c->stage = SCAN;
        }
        return step;
    case SCAN:
        return scan(x);
    default:
        return metrics_write(out, &c->cursor, &work_area.metrics) ? STEP_DONE : STEP_MORE;
    }
}
