/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP clients: many requests at a time, each on a connection of its own, none of which blocks.
 *
 *   client_start --> connecting --> sent --> answered, failed or timed out: result->outcomes
 *
 * Invariant: every request that was started is counted once, as one outcome.
 */
#ifndef TESTS_BENCH_CLIENT_H
#define TESTS_BENCH_CLIENT_H

#include "core/base/list.h"
#include "tests/bench/histogram.h"
#include "tests/bench/plan.h"

enum outcome {
    ANSWERED,
    TIMED_OUT,   /* no whole answer within the timeout */
    UNSENT,      /* nor was there a free connection: never asked */
    REFUSED,     /* the connection was */
    RESET,       /* or ended too early */
    UNREACHABLE, /* says the network */
    BAD_STATUS,  /* not 200 */
    MALFORMED,   /* not HTTP, or too long */
    WRONG_VM,    /* another than was asked */
    LOCAL,       /* this machine had no socket, port or memory */
    OUTCOMES,
};

extern const char *const outcome_names[OUTCOMES];

/* Times are nanoseconds since the start. */
struct result {
    uint64_t outcomes[OUTCOMES];
    uint64_t answered_in_time; /* within options->seconds */
    uint64_t end_ns;
    uint32_t open_peak;
    struct histogram latency_us; /* of what was answered and of what timed out */
};

struct connection;

struct client {
    const struct options *options;
    int epoll;
    uint64_t origin_ns, timeout_ns;
    uint32_t open, room; /* connections; how many there may be */
    struct connection *connections;
    struct list idle, busy; /* `busy` by due time */
    struct result *result;
};

/* Ends the program when the machine has no means. */
void client_init(struct client *c, const struct options *options, struct result *result);
void client_free(struct client *c);

/* Nanoseconds since client_init. */
uint64_t client_now(const struct client *c);

/* Starts a request. There must be room (`open` below `room`), or the request is overdue. */
void client_start(struct client *c, const struct request *request, uint64_t now_ns);

/* Whether a request due at that time has had its time. */
bool client_overdue(const struct client *c, uint64_t due_ns, uint64_t now_ns);

/* Waits for something to happen, until `until_ns` at most, and handles it and what timed out. */
void client_wait(struct client *c, uint64_t until_ns);

#endif
