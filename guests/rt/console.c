/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Console output by hypercall, input from the system page.
 */
#include "guests/rt/console.h"

#include <stdarg.h>
#include <stdio.h>

#include "guests/rt/events.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/input.h"

bool console_write(const char *text, size_t length)
{
    while (length > 0) {
        size_t part = length < TOKLAT_CONSOLE_MAX ? length : TOKLAT_CONSOLE_MAX;
        int64_t taken = hypercall(TOKLAT_CONSOLE_WRITE, (uintptr_t)text, part, 0, 0, 0);
        if (taken <= 0) {
            return false;
        }
        text += taken;
        length -= (size_t)taken;
    }
    return true;
}

void console_printf(const char *format, ...)
{
    char line[CONSOLE_LINE_MAX + 1];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    console_write(line, length < CONSOLE_LINE_MAX ? (size_t)length : CONSOLE_LINE_MAX);
}

size_t console_read(char *out, size_t n)
{
    return input_take(system_page(), out, n);
}

/* What comes after the look has its event pending, which ends idle(). */
uint64_t console_wait(uint64_t timeout_ns)
{
    const struct toklat_system_page *page = system_page();
    if (input_waits(page)) {
        return events_take(~page->events_masked) | TOKLAT_EVENT_CONSOLE;
    }
    return idle(timeout_ns);
}
