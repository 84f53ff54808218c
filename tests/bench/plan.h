/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When which VM is asked. In an open loop the times do not depend on how the system fares; the
 * other two ask as soon as there is room. Nothing here knows of clocks and sockets: times are
 * nanoseconds since the start.
 */
#ifndef TESTS_BENCH_PLAN_H
#define TESTS_BENCH_PLAN_H

#include "tests/bench/options.h"
#include "tests/bench/popularity.h"

#define PLAN_NEVER UINT64_MAX

struct request {
    uint32_t vm;
    uint64_t due_ns;
};

struct plan {
    const struct options *options;
    struct popularity popularity;
    uint64_t random;
    uint64_t taken;
    uint64_t due_ns; /* LOAD_OPEN: of the next request; PLAN_NEVER: there are no more */
};

/* False: no memory. `options` stays the caller's and must outlive the plan. */
bool plan_init(struct plan *plan, const struct options *options);
void plan_free(struct plan *plan);

/* The next request that is due at `now_ns`, while `open` others are under way. False: none is. */
bool plan_take(struct plan *plan, uint64_t now_ns, uint32_t open, struct request *request);

/* No more requests will come. */
bool plan_done(const struct plan *plan, uint64_t now_ns);

/* How many requests there will be in all; 0: nobody knows. */
uint64_t plan_total(const struct plan *plan);

#endif
