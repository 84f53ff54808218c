/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages, numbers, interruption and progress of all commands.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/toklat/toklat.h"

#define BAR_COLUMNS 40u
#define REDRAW_NS (100 * NS_PER_MS)

bool progress_wanted = true;

static volatile sig_atomic_t interrupted;
static bool bar_drawn;

int command_dispatch(const struct command *commands, const char *title, int argc, char **argv)
{
    bool help = argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"));
    for (const struct command *c = commands; argc > 1 && c->name; c++) {
        if (!strcmp(c->name, argv[1])) {
            return c->run(argc - 1, argv + 1);
        }
    }
    FILE *to = help ? stdout : stderr;
    if (argc > 1 && !help) {
        complain("unknown command: %s", argv[1]);
    }
    fprintf(to, "%s\n\n", title);
    for (const struct command *c = commands; c->name; c++) {
        fprintf(to, "  %-10s %s\n", c->name, c->summary);
    }
    return help ? EXIT_CLEAN : EXIT_USAGE;
}

void complain(const char *format, ...)
{
    va_list args;
    progress_clear();
    fflush(stdout);
    fputs("toklat: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int usage_exit(int c, const char *usage)
{
    if (c == 'h') {
        fputs(usage, stdout);
        return EXIT_CLEAN;
    }
    fprintf(stderr, "%.*s\n", (int)strcspn(usage, "\n"), usage);
    return EXIT_USAGE;
}

int usage_error(const char *usage, const char *wrong, const char *value)
{
    complain("%s: %s", wrong, value);
    return usage_exit('?', usage);
}

bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && *end == 0 && *number >= least && *number <= most;
}

bool parse_size(const char *text, uint64_t *bytes)
{
    static const char suffixes[] = "KMGT";
    char digits[24];
    size_t n = strlen(text);
    unsigned shift = 0;
    const char *suffix = n ? strchr(suffixes, text[n - 1]) : NULL;
    if (suffix) {
        shift = 10 * (unsigned)(suffix - suffixes + 1);
        n--;
    }
    if (n >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text, n);
    digits[n] = 0;
    if (!parse_number(digits, 1, (uint64_t)INT64_MAX >> shift, bytes)) {
        return false;
    }
    *bytes <<= shift;
    return true;
}

const char *time_text(uint64_t ns, char *text)
{
    time_t seconds = (time_t)(ns / NS_PER_S);
    struct tm parts;
    if (ns == 0 || !gmtime_r(&seconds, &parts) ||
        strftime(text, TIME_BYTES, "%Y-%m-%d %H:%M:%SZ", &parts) == 0) {
        memcpy(text, "-", 2);
    }
    return text;
}

uint64_t time_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

void cancel_prepare(void)
{
    struct sigaction action = {.sa_handler = interrupt};
    action.sa_flags = (int)SA_RESETHAND; /* the second one ends it at once */
    sigaction(SIGINT, &action, NULL);
}

bool cancelled(void)
{
    return interrupted;
}

void progress_begin(struct progress *p, const char *label, uint64_t total)
{
    *p = (struct progress){.label = label, .total = total ? total : 1};
    p->on = progress_wanted && isatty(STDERR_FILENO);
}

void progress_show(struct progress *p, uint64_t done)
{
    char bar[BAR_COLUMNS + 1];
    if (!p->on) {
        return;
    }
    uint64_t now = time_now_ns();
    if (now - p->shown_ns < REDRAW_NS) {
        return;
    }
    p->shown_ns = now;
    done = MIN(done, p->total);
    double share = (double)done / (double)p->total;
    size_t full = (size_t)(share * BAR_COLUMNS);
    memset(bar, '#', full);
    memset(bar + full, ' ', BAR_COLUMNS - full);
    bar[BAR_COLUMNS] = 0;
    fprintf(stderr, "\r%-12s [%s] %3.0f %%", p->label, bar, share * 100);
    bar_drawn = true;
}

void progress_end(struct progress *p)
{
    p->on = false;
    progress_clear();
}

void progress_clear(void)
{
    if (bar_drawn) {
        fprintf(stderr, "\r%*s\r", (int)BAR_COLUMNS + 24, "");
        bar_drawn = false;
    }
}
