/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log and panic. A line is formatted whole and given to the sink in one call, so lines of
 * several CPUs mix only if the sink lets them. Lines longer than LINE_BYTES are cut, visibly.
 */
#include "core/base/log.h"
#include "core/base/string.h"

#define LINE_BYTES 512
#define EARLY_BYTES 2048

static log_sink_fn sink;
static void (*halt_machine)(void);

/* What was said before there was a sink; boot CPU only. What does not fit is lost. */
static char early[EARLY_BYTES];
static size_t early_used;

static void keep(const char *text, size_t n)
{
    size_t kept = MIN(n, EARLY_BYTES - early_used);
    memcpy(early + early_used, text, kept);
    early_used += kept;
}

static void emit(const char *text, size_t n)
{
    if (sink) {
        sink(text, n);
    } else {
        keep(text, n);
    }
}

void log_set_sink(log_sink_fn new_sink)
{
    sink = new_sink;
    if (sink && early_used > 0) {
        size_t n = early_used;
        early_used = 0;
        sink(early, n);
    }
}

/* Formats after `used` bytes of `line`; returns how many are there then. */
static size_t append(char line[LINE_BYTES], size_t used, const char *fmt, va_list args)
{
    static const char cut[] = "...";
    size_t room = LINE_BYTES - 1 - used; /* one is kept for the newline */
    size_t n = (size_t)fmt_vsnprintf(line + used, room, fmt, args);
    if (n < room) {
        return used + n;
    }
    size_t end = LINE_BYTES - 2;
    memcpy(line + end - (sizeof(cut) - 1), cut, sizeof(cut) - 1);
    return end;
}

static void say(const char *prefix, const char *fmt, va_list args)
{
    char line[LINE_BYTES];
    size_t n = (size_t)fmt_snprintf(line, sizeof(line), "%s", prefix);
    n = append(line, n, fmt, args);
    line[n] = '\n';
    emit(line, n + 1);
}

void log_raw(const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, fmt);
    size_t n = append(line, 0, fmt, args);
    va_end(args);
    emit(line, n);
}

void log_info(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say("toklat: ", fmt, args);
    va_end(args);
}

void log_warn(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say("toklat: warning: ", fmt, args);
    va_end(args);
}

void log_error(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say("toklat: error: ", fmt, args);
    va_end(args);
}

void panic_set_halt(void (*halt)(void))
{
    halt_machine = halt;
}

void panic(const char *file, int line, const char *what)
{
    static bool panicking; /* a second one, from the sink perhaps, prints nothing */
    if (!__atomic_exchange_n(&panicking, true, __ATOMIC_RELAXED)) {
        log_error("panic: %s:%d: %s", file, line, what);
        __atomic_store_n(&panicking, false, __ATOMIC_RELAXED);
    }
    if (halt_machine) {
        halt_machine();
    }
    __builtin_trap();
}
