/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints back each line that its console is given. "exit N" ends it with status N; a longer line
 * than LINE_BYTES is printed in parts.
 */
#include <stdlib.h>
#include <string.h>

#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"

#define LINE_BYTES 96

TOKLAT_IMAGE(64 * 1024, 4096, TOKLAT_IMAGE_CHECKPOINT);

static struct {
    char text[LINE_BYTES + 1];
    size_t length;
} line;

/* Adds what was typed, up to the end of a line. True when the line is complete. */
static bool read_line(void)
{
    char *next = &line.text[line.length];
    while (line.length < LINE_BYTES && console_read(next, 1) == 1) {
        if (*next == '\n') {
            *next = '\0';
            return true;
        }
        next = &line.text[++line.length];
    }
    *next = '\0';
    return line.length == LINE_BYTES;
}

int guest_main(void)
{
    uint64_t events = 0;
    checkpoint();
    while ((events & TOKLAT_EVENT_SHUTDOWN) == 0) {
        while (read_line()) {
            if (strncmp(line.text, "exit ", 5) == 0) {
                return atoi(&line.text[5]);
            }
            console_printf("%s\n", line.text);
            line.length = 0;
        }
        events = console_wait(TOKLAT_IDLE_FOREVER);
    }
    return RT_EXIT_OK;
}
