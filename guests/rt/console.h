/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM's console: lines, which EL2 buffers and prefixes with the VM's name.
 */
#ifndef GUESTS_RT_CONSOLE_H
#define GUESTS_RT_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>

/* Writes all of it, in as many calls as it takes. False if EL2 refused. */
bool console_write(const char *text, size_t length);

/* Formats as snprintf (guests/rt/libc/stdio.h); cuts after CONSOLE_LINE_MAX characters. */
#define CONSOLE_LINE_MAX 200
void console_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints the condition that does not hold and ends the VM with RT_EXIT_ASSERT. */
_Noreturn void rt_assert_failed(const char *what, const char *file, int line);

#endif
