/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the commands of `toklat` share: exit codes, messages, options, progress, interruption.
 * Results go to stdout, everything else to stderr.
 */
#ifndef TOKLAT_H
#define TOKLAT_H

#include <getopt.h>

#include "core/base/types.h"

#define TOKLAT_VERSION "0.3"

/* Those of e2fsck, and between them what a machine can answer (docs/toklat.1). */
enum {
    EXIT_CLEAN = 0,
    EXIT_REFUSED = 1,   /* by the machine, or it failed there */
    EXIT_UNREACHED = 3, /* no machine is found, or it does not answer */
    EXIT_ERRORS = 4,    /* in a store */
    EXIT_NOT_FOUND = 5, /* a VM or an image */
    EXIT_NOT_AUTHORISED = 6,
    EXIT_OPERATIONAL = 8, /* a file or memory of this host; an answer that makes no sense */
    EXIT_USAGE = 16,
    EXIT_CANCELLED = 32,
};

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
    const char *usage;                 /* what its --help says; NULL: it has commands of its own */
};

/* Runs that of `commands` (the last has no name) which argv[1] names; `title` is the head of the
 * list that --help shows. */
int command_dispatch(const struct command *commands, const char *title, int argc, char **argv);

int store_command(int argc, char **argv);

/* Those of `toklat` itself. */
extern const struct command toklat_commands[];

/* "toklat: ..." on stderr. */
void complain(const char *format, ...) PRINTF(1, 2);

/* For a command whose usage is `usage`: shows it and returns EXIT_CLEAN for --help (`c` is 'h'),
 * else says that --help shows it, after getopt_long's own message, and returns EXIT_USAGE. */
int usage_exit(int c, const char *usage);

/* "wrong: what", EXIT_USAGE. */
int usage_error(const char *usage, const char *wrong, const char *value);

/* A size with K, M, G or T, powers of 1,024; a plain number. False: it is none, or out of range. */
bool parse_size(const char *text, uint64_t *bytes);
bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number);

/* Unix time as `2001-09-09 01:46:40Z`, "-" for 0. `text` has TIME_BYTES. */
#define TIME_BYTES 40
const char *time_text(uint64_t ns, char *text);
uint64_t time_now_ns(void);

/* SIGINT: cancelled() becomes true. Long work asks, and ends with EXIT_CANCELLED. */
void cancel_prepare(void);
bool cancelled(void);

/* A bar on stderr, if that is a terminal and nobody said --no-progress. */
struct progress {
    const char *label;
    uint64_t total, shown_ns;
    bool on;
};
extern bool progress_wanted;
void progress_begin(struct progress *p, const char *label, uint64_t total);
void progress_show(struct progress *p, uint64_t done);
void progress_end(struct progress *p);
/* Before a message is printed while a bar may be there. */
void progress_clear(void);

#endif
