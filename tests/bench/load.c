/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load generator: HTTP requests to very many VMs, from one process.
 *
 * In an open loop nothing that the system does changes when requests are due, and a request that
 * went out late, because connections were short, counts from when it was due: no latency is hidden
 * by others (what Tene calls coordinated omission).
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/client.h"
#include "tests/bench/report.h"

#define STARTS_AT_ONCE 64 /* before answers are looked at again */
#define IDLE_NS (100 * NS_PER_MS)

/* Starts what is due. Returns until when nothing more can start. */
static uint64_t start_due(struct client *c, struct plan *plan)
{
    uint64_t now = client_now(c);
    struct request request;
    for (unsigned i = 0; i < STARTS_AT_ONCE; i++) {
        bool late = plan->options->mode == LOAD_OPEN && client_overdue(c, plan->due_ns, now);
        if (c->open >= c->room && !late) {
            return PLAN_NEVER;
        }
        if (!plan_take(plan, now, c->open, &request)) {
            return plan->options->mode == LOAD_OPEN ? plan->due_ns : PLAN_NEVER;
        }
        client_start(c, &request, now);
    }
    return now;
}

static void run(struct client *c, struct plan *plan)
{
    uint64_t now = 0;
    while (!plan_done(plan, now) || c->open > 0) {
        uint64_t until = start_due(c, plan);
        client_wait(c, MIN(until, now + IDLE_NS));
        now = client_now(c);
        report_progress(c->result, plan_total(plan), now, false);
    }
    report_progress(c->result, plan_total(plan), now, true);
}

int main(int argc, char **argv)
{
    static struct result result;
    struct options options;
    struct client client;
    struct plan plan;
    options_parse(&options, argc, argv);
    if (!plan_init(&plan, &options)) {
        fprintf(stderr, "load: no memory for %u VMs\n", options.last - options.first + 1);
        return 2;
    }
    client_init(&client, &options, &result);
    run(&client, &plan);
    report_print(&options, &result);
    bool written = !options.json || report_write(&options, &result);
    client_free(&client);
    plan_free(&plan);
    return result.outcomes[ANSWERED] && written ? 0 : 1;
}
