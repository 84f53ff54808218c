/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Consoles of VMs. Invariant: what a VM writes reaches the terminal as printable text only, one
 * whole line at a time, so it can neither pass for another's nor drive the terminal.
 */
#include "dev/virtual/console.h"

static console_line_fn output;

_Static_assert(CONSOLE_LINE_MAX <= UINT8_MAX, "struct console counts in 8 bits");

void console_set_output(console_line_fn out)
{
    output = out;
}

static void emit(struct console *c, const struct console_owner *owner)
{
    if (output) {
        output(owner, c->line, c->used);
    }
    c->used = 0;
}

static char shown(char c)
{
    return c == '\t' || (c >= ' ' && c <= '~') ? c : '?';
}

void console_write(struct console *c, const struct console_owner *owner, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n') {
            emit(c, owner);
            continue;
        }
        if (c->used == CONSOLE_LINE_MAX) {
            emit(c, owner);
        }
        c->line[c->used++] = shown(text[i]);
    }
}

void console_flush(struct console *c, const struct console_owner *owner)
{
    if (c->used) {
        emit(c, owner);
    }
}
