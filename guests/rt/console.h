/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM's console: lines, which EL2 buffers and prefixes with the VM's name, and what is typed for
 * this VM (abi/control.h, INPUT).
 */
#ifndef GUESTS_RT_CONSOLE_H
#define GUESTS_RT_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes all of it, in as many calls as it takes. False if EL2 refused. */
bool console_write(const char *text, size_t length);

/* Formats as snprintf (guests/rt/libc/stdio.h); cuts after CONSOLE_LINE_MAX characters. */
#define CONSOLE_LINE_MAX 200
void console_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Takes at most `n` bytes of what was typed, as it was sent: not necessarily whole lines. Returns
 * how many; 0 when there is nothing. Never waits. */
size_t console_read(char *out, size_t n);

/* As idle(): waits for events or until `timeout_ns` have passed, and returns the events, cleared.
 * While there is input that was not read it does not wait, and TOKLAT_EVENT_CONSOLE is among them.
 */
uint64_t console_wait(uint64_t timeout_ns);

/* Prints the condition that does not hold and ends the VM with RT_EXIT_ASSERT. */
_Noreturn void rt_assert_failed(const char *what, const char *file, int line);

#endif
