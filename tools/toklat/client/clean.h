/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text of the machine on its way to a terminal. What a guest, a network or a server sent is not
 * trusted: no control character leaves here but line feed and tab, no part of UTF-8 that is not
 * whole, and nothing that turns the direction of what follows. A `?` stands for what was left out.
 */
#ifndef TOKLAT_CLEAN_H
#define TOKLAT_CLEAN_H

#include <stdio.h>

#include "core/base/types.h"

/* A stream of text. All zero to begin with: a character may be cut where a packet was. */
struct clean {
    uint32_t point, least;
    uint8_t bytes[4], have, want;
};

void clean_write(struct clean *c, const char *text, size_t n, FILE *to);
/* No more comes. */
void clean_end(struct clean *c, FILE *to);

/* One text, whole. */
void clean_put(const char *text, FILE *to);

/* Printable ASCII alone, at most size - 1 characters, for a cell of a table: returns `to`. */
char *clean_cell(char *to, size_t size, const char *text);

#endif
