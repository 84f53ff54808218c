/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of the load generator.
 */
#include "tests/bench/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VMS_MAX 0xFFFFFEu /* what the switch can number */
#define CONCURRENCY_DEFAULT 64
#define CONCURRENCY_MAX 1000000
#define RATE_MAX 1e7
#define SECONDS_MAX 86400
#define ZIPF_MAX 100
#define PATH_MAX_BYTES 200

static const char help_text[] =
    "usage: load --rate N (--seconds N | --requests N) [OPTION...]      open loop\n"
    "       load --closed N (--seconds N | --requests N) [OPTION...]    N at a time\n"
    "       load --touch FIRST-LAST [--closed N] [OPTION...]            each VM once\n"
    "\n"
    "Asks many VMs for a page, each at its own address, with a new connection for each request.\n"
    "In an open loop, requests are due at times that were drawn beforehand, and latency counts\n"
    "from then to the last byte. Percentiles include those that timed out, at that time.\n"
    "\n"
    "  --vms FIRST-LAST   VM numbers (default 1-1)\n"
    "  --zipf S           popularity of the VM of rank k is k^-S (default 0, uniform)\n"
    "  --rate N           requests a second\n"
    "  --constant         at equal distances (default: Poisson)\n"
    "  --seconds N        for so long (with --touch: then stops, whoever is left)\n"
    "  --requests N       so many in all\n"
    "  --closed N         N at a time, each followed by the next (with --touch: default 64)\n"
    "  --timeout N        seconds from when a request is due until it has failed (default 10)\n"
    "  --open-max N       connections at a time (default: what RLIMIT_NOFILE allows)\n"
    "  --base ADDRESS     VM n is at ADDRESS + n (default 10.64.0.0)\n"
    "  --port N           (default 80)\n"
    "  --via ADDRESS      a portal at ADDRESS is asked for /vm/N and the path\n"
    "  --path PATH        (default /status.json)\n"
    "  --check-instance   the answer is JSON whose \"vm\" (--via: \"instance\") is the VM asked\n"
    "  --seed N           of the random numbers (default 1)\n"
    "  --json FILE        writes the result there as well\n"
    "  --help\n"
    "\n"
    "The exit status is 0 when something was answered, 1 when nothing was, 2 for a wrong option.\n";

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "load: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "; --help explains\n");
    va_end(args);
    exit(2);
}

static double number(const char *name, const char *text, double low, double high)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !(value >= low && value <= high)) {
        wrong("--%s: \"%s\": from %g to %g", name, text, low, high);
    }
    return value;
}

static uint64_t whole(const char *name, const char *text, double low, double high)
{
    double value = number(name, text, low, high);
    if (value != floor(value)) {
        wrong("--%s: \"%s\" is no whole number", name, text);
    }
    return (uint64_t)value;
}

static uint32_t address(const char *name, const char *text)
{
    struct in_addr in;
    if (inet_pton(AF_INET, text, &in) != 1) {
        wrong("--%s: \"%s\" is no IPv4 address", name, text);
    }
    return ntohl(in.s_addr);
}

static void range(struct options *o, const char *name, const char *text)
{
    unsigned first, last;
    int end = 0;
    if (sscanf(text, "%8u-%8u%n", &first, &last, &end) != 2 || text[end] || first < 1 ||
        first > last || last > VMS_MAX) {
        wrong("--%s: \"%s\": FIRST-LAST, from 1 to %u", name, text, VMS_MAX);
    }
    o->first = first;
    o->last = last;
}

static const char *path(const char *text)
{
    if (text[0] != '/' || strlen(text) > PATH_MAX_BYTES || strpbrk(text, " \r\n\t")) {
        wrong("--path: \"%s\": begins with /, without spaces, to %d characters", text,
              PATH_MAX_BYTES);
    }
    return text;
}

static const struct option names[] = {
    {"vms", required_argument, NULL, 'v'},
    {"zipf", required_argument, NULL, 'z'},
    {"rate", required_argument, NULL, 'r'},
    {"constant", no_argument, NULL, 'C'},
    {"seconds", required_argument, NULL, 's'},
    {"requests", required_argument, NULL, 'n'},
    {"closed", required_argument, NULL, 'c'},
    {"touch", required_argument, NULL, 't'},
    {"timeout", required_argument, NULL, 'T'},
    {"open-max", required_argument, NULL, 'o'},
    {"base", required_argument, NULL, 'b'},
    {"port", required_argument, NULL, 'p'},
    {"via", required_argument, NULL, 'V'},
    {"path", required_argument, NULL, 'P'},
    {"check-instance", no_argument, NULL, 'i'},
    {"seed", required_argument, NULL, 'S'},
    {"json", required_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* What says how much is asked, and when. False: it is none of these. */
static bool take_load(struct options *o, int option, const char *name, const char *text)
{
    switch (option) {
    case 'v':
        range(o, name, text);
        return true;
    case 't':
        range(o, name, text);
        o->mode = LOAD_TOUCH;
        return true;
    case 'z':
        o->zipf = number(name, text, 0, ZIPF_MAX);
        return true;
    case 'r':
        o->rate = number(name, text, 1e-3, RATE_MAX);
        return true;
    case 'C':
        o->constant = true;
        return true;
    case 's':
        o->seconds = number(name, text, 1e-3, SECONDS_MAX);
        return true;
    case 'n':
        o->requests = whole(name, text, 1, 1e15);
        return true;
    case 'c':
        o->concurrency = (uint32_t)whole(name, text, 1, CONCURRENCY_MAX);
        return true;
    default:
        return false;
    }
}

static void take(struct options *o, int option, const char *name, const char *text)
{
    switch (option) {
    case 'T':
        o->timeout = number(name, text, 1e-3, SECONDS_MAX);
        break;
    case 'o':
        o->open_max = (uint32_t)whole(name, text, 1, CONCURRENCY_MAX);
        break;
    case 'b':
        o->base = address(name, text);
        break;
    case 'p':
        o->port = (uint16_t)whole(name, text, 1, UINT16_MAX);
        break;
    case 'V':
        o->via = address(name, text);
        break;
    case 'P':
        o->path = path(text);
        break;
    case 'i':
        o->check_instance = true;
        break;
    case 'S':
        o->seed = whole(name, text, 0, 0x1p53);
        break;
    case 'j':
        o->json = text;
        break;
    case 'h':
        fputs(help_text, stdout);
        exit(0);
    default:
        wrong("that is no option");
    }
}

static void agree(struct options *o)
{
    if (o->mode == LOAD_TOUCH) {
        if (o->rate > 0 || o->requests) {
            wrong("--touch goes with neither --rate nor --requests");
        }
        o->concurrency = o->concurrency ? o->concurrency : CONCURRENCY_DEFAULT;
        return;
    }
    if ((o->rate > 0) == (o->concurrency > 0)) {
        wrong("one of --rate, --closed and --touch is needed");
    }
    if ((o->seconds > 0) == (o->requests > 0)) {
        wrong("one of --seconds and --requests is needed");
    }
    o->mode = o->rate > 0 ? LOAD_OPEN : LOAD_CLOSED;
}

void options_parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){.mode = LOAD_OPEN,
                          .first = 1,
                          .last = 1,
                          .timeout = 10,
                          .seed = 1,
                          .base = 0x0A400000,
                          .port = 80,
                          .path = "/status.json"};
    int option, at = 0;
    while ((option = getopt_long(argc, argv, "", names, &at)) != -1) {
        if (option == '?') {
            exit(2);
        }
        if (!take_load(o, option, names[at].name, optarg)) {
            take(o, option, names[at].name, optarg);
        }
    }
    if (optind < argc) {
        wrong("\"%s\" is no option", argv[optind]);
    }
    agree(o);
}
