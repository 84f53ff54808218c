/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What came of a load: as a table, and as JSON for whoever goes on with it.
 */
#ifndef TESTS_BENCH_REPORT_H
#define TESTS_BENCH_REPORT_H

#include "tests/bench/client.h"

void report_print(const struct options *options, const struct result *result);

/* False, with a line that says why on stderr: the file could not be written. */
bool report_write(const struct options *options, const struct result *result);

/* A line on stderr of how far it is: rewritten on a terminal, otherwise a new one now and then. */
void report_progress(const struct result *result, uint64_t total, uint64_t now_ns, bool last);

#endif
