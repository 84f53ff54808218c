/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's console: lines, prefixed with who wrote them, so that VMs never mix within a line.
 */
#ifndef DEV_VIRTUAL_CONSOLE_H
#define DEV_VIRTUAL_CONSOLE_H

#include "core/base/types.h"

#define CONSOLE_LINE_MAX 100 /* longer lines are broken */

struct console {
    uint8_t used;
    char line[CONSOLE_LINE_MAX];
};

/* Whose console it is. */
struct console_owner {
    const char *name;
    uint32_t instance;
    uint32_t number; /* of the VM */
};

/* Where whole lines go, without their newline; to be shown as "[name/instance] text". */
typedef void (*console_line_fn)(const struct console_owner *owner, const char *line, size_t n);
void console_set_output(console_line_fn out);

/* Takes text; all but printable ASCII, newline and tab is shown as '?'. */
void console_write(struct console *c, const struct console_owner *owner, const char *text,
                   size_t n);

/* Puts out what is left of a line, as when the VM ends. */
void console_flush(struct console *c, const struct console_owner *owner);

#endif
