/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's own messages, formatting, and the end of everything.
 *
 * The log knows no device: whoever owns the console gives it a function. Until then, lines are
 * kept in a small buffer that the new sink is given first.
 */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include <stdarg.h>

#include "core/base/types.h"

/* Takes `n` bytes of output; must not block for ever, allocate, or log. */
typedef void (*log_sink_fn)(const char *text, size_t n);

void log_set_sink(log_sink_fn sink);

/* Writes formatted text as it is: no prefix, no newline. */
void log_raw(const char *fmt, ...) PRINTF(1, 2);

/* One line each, prefixed "toklat: ", "toklat: warning: " or "toklat: error: "; newline added. */
void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_warn(const char *fmt, ...) PRINTF(1, 2);
void log_error(const char *fmt, ...) PRINTF(1, 2);

/*
 * Formats into `buf` of `size` bytes, always terminated; returns the length that the whole text
 * has, as C's vsnprintf does. Knows %% %c %s %.*s %d %i %u %x %X %p, the lengths h hh l ll z, the
 * flags 0 - and widths (also *). No floating point.
 */
int fmt_vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
int fmt_snprintf(char *buf, size_t size, const char *fmt, ...) PRINTF(3, 4);

/*
 * Panic: only for a broken invariant of the hypervisor itself, never for anything that came from
 * a guest, a packet, a device tree, an archive or a store. Prints and stops the machine.
 */
void panic(const char *file, int line, const char *what) NORETURN;

/* What stops the machine after a panic; given by arch at start-up. */
void panic_set_halt(void (*halt)(void));

#define CHECK(x) (likely(x) ? (void)0 : panic(__FILE__, __LINE__, #x))
#ifdef DEBUG
#define ASSERT(x) CHECK(x)
#else
#define ASSERT(x) ((void)sizeof(x))
#endif

#endif
