/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reports. Throughput is what was answered while requests were still being made, by that time: what
 * trickles in later says nothing of it.
 */
#include "tests/bench/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TERMINAL_NS (NS_PER_S / 4)
#define LOG_NS (10 * NS_PER_S)

static const char *const mode_names[] = {"open", "closed", "touch"};

static const struct {
    const char *name;
    double percent;
} percentiles[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}};

static uint64_t total_of(const struct result *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < OUTCOMES; i++) {
        sum += r->outcomes[i];
    }
    return sum;
}

static double throughput(const struct options *o, const struct result *r)
{
    bool timed = o->seconds > 0 && o->mode != LOAD_TOUCH;
    uint64_t answered = timed ? r->answered_in_time : r->outcomes[ANSWERED];
    double seconds = timed ? o->seconds : (double)r->end_ns / 1e9;
    return seconds > 0 ? (double)answered / seconds : 0;
}

void report_print(const struct options *o, const struct result *r)
{
    printf("%s loop, VMs %u to %u, Zipf %g: %" PRIu64 " requests in %.2f s\n", mode_names[o->mode],
           o->first, o->last, o->zipf, total_of(r), (double)r->end_ns / 1e9);
    for (unsigned i = 0; i < OUTCOMES; i++) {
        if (r->outcomes[i] || i == ANSWERED) {
            printf("  %-12s %12" PRIu64 "\n", outcome_names[i], r->outcomes[i]);
        }
    }
    printf("  %-12s %14.1f /s\n", "throughput", throughput(o, r));
    for (unsigned i = 0; i < ARRAY_SIZE(percentiles); i++) {
        uint64_t us = histogram_percentile(&r->latency_us, percentiles[i].percent);
        printf("  %-12s %16.3f ms\n", percentiles[i].name, (double)us / 1e3);
    }
    printf("  %-12s %16.3f ms\n", "max", (double)r->latency_us.max / 1e3);
}

static void write_latency(FILE *file, const struct histogram *h)
{
    fprintf(file, "  \"latency_us\": {\"count\": %" PRIu64 ", \"mean\": %.1f", h->count,
            histogram_mean(h));
    for (unsigned i = 0; i < ARRAY_SIZE(percentiles); i++) {
        fprintf(file, ", \"%s\": %" PRIu64, percentiles[i].name,
                histogram_percentile(h, percentiles[i].percent));
    }
    fprintf(file, ", \"max\": %" PRIu64 "}\n", h->max);
}

bool report_write(const struct options *o, const struct result *r)
{
    FILE *file = fopen(o->json, "w");
    if (!file) {
        fprintf(stderr, "load: %s: %s\n", o->json, strerror(errno));
        return false;
    }
    fprintf(file, "{\n  \"mode\": \"%s\", \"first\": %u, \"last\": %u, \"zipf\": %g,\n",
            mode_names[o->mode], o->first, o->last, o->zipf);
    fprintf(file, "  \"rate\": %g, \"concurrency\": %u, \"seed\": %" PRIu64 ",\n", o->rate,
            o->concurrency, o->seed);
    fprintf(file, "  \"requests\": %" PRIu64 ", \"seconds\": %.6f, \"open_peak\": %u,\n",
            total_of(r), (double)r->end_ns / 1e9, r->open_peak);
    fprintf(file, "  \"requests_per_s\": %.3f,\n  \"outcomes\": {", throughput(o, r));
    for (unsigned i = 0; i < OUTCOMES; i++) {
        fprintf(file, "%s\"%s\": %" PRIu64, i ? ", " : "", outcome_names[i], r->outcomes[i]);
    }
    fprintf(file, "},\n");
    write_latency(file, &r->latency_us);
    fprintf(file, "}\n");
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        fprintf(stderr, "load: %s: cannot be written\n", o->json);
        return false;
    }
    return true;
}

void report_progress(const struct result *r, uint64_t total, uint64_t now_ns, bool last)
{
    static uint64_t said_ns;
    static bool said;
    bool terminal = isatty(STDERR_FILENO);
    if (now_ns - said_ns < (terminal ? TERMINAL_NS : LOG_NS) && !(last && said)) {
        return;
    }
    said_ns = now_ns;
    said = true;
    uint64_t done = total_of(r);
    fprintf(stderr, "%s  %.0f s: %" PRIu64, terminal ? "\r" : "", (double)now_ns / 1e9, done);
    if (total) {
        fprintf(stderr, " of %" PRIu64, total);
    }
    fprintf(stderr, " requests, %" PRIu64 " failed%s", done - r->outcomes[ANSWERED],
            terminal && !last ? "   " : "\n");
}
