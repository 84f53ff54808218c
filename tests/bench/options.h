/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the load generator was asked for. Invariant: what options_parse has let pass is within the
 * limits that its help names.
 */
#ifndef TESTS_BENCH_OPTIONS_H
#define TESTS_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum load_mode { LOAD_OPEN, LOAD_CLOSED, LOAD_TOUCH };

struct options {
    enum load_mode mode;
    uint32_t first, last; /* VM numbers */
    double zipf;
    double rate;       /* requests a second, LOAD_OPEN */
    double seconds;    /* 0: `requests` in all */
    uint64_t requests; /* 0: for `seconds` */
    bool constant;     /* distances between requests; otherwise Poisson */
    uint32_t concurrency;
    uint32_t open_max; /* connections; 0: as many as the process may have */
    double timeout;    /* seconds */
    uint64_t seed;
    uint32_t base; /* VM n is at base + n, in host byte order */
    uint32_t via;  /* the portal's address; 0: none */
    uint16_t port;
    const char *path;
    const char *json; /* file; NULL: none */
    bool check_instance;
};

/* Does not return when --help was asked for (exit status 0) or something is wrong (2). */
void options_parse(struct options *options, int argc, char **argv);

#endif
