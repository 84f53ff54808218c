/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables that fit the terminal: cells are kept until the widths are known, then the columns that
 * may be cut give way, the widest first, and an ellipsis shows where. Cells are cleaned (clean.h),
 * so that a column is a byte.
 */
#ifndef TOKLAT_TABLE_H
#define TOKLAT_TABLE_H

#include <stdio.h>

#include "core/base/types.h"

#define TABLE_COLUMNS_MAX 12
#define TABLE_CUT_LEAST 8u /* a column that may be cut keeps this many characters */

enum table_kind { TABLE_TEXT, TABLE_NUMBER, TABLE_CUT, TABLE_STATE };

struct table_column {
    const char *head;
    enum table_kind kind; /* NUMBER: to the right; CUT: text that may be cut; STATE: in colour */
};

struct table {
    const struct table_column *columns;
    unsigned count;
    size_t width[TABLE_COLUMNS_MAX];
    char *cells; /* each ends with a NUL */
    size_t used, room, rows;
    bool no_memory;
};

void table_begin(struct table *t, const struct table_column *columns, unsigned count);
void table_row(struct table *t, const char *const *cells);
/* Prints and frees it. False: there was not the memory for it. */
bool table_end(struct table *t, FILE *to, size_t width, bool colour);

/* Columns of the terminal: what it says, else COLUMNS, else 80. */
size_t terminal_width(void);
/* Colour is wanted: stdout is a terminal that is not dumb, and NO_COLOR is not set. */
bool terminal_colour(void);
/* The ellipsis, and the columns that it takes, of the locale's character set. */
const char *terminal_ellipsis(size_t *columns);

/* 512, 24K, 1.5M: powers of 1,024. */
#define SIZE_BYTES 24
char *size_text(uint64_t bytes, char *text);
/* 0.012, 75.300, 1:02:03: from thousandths of a second. */
char *seconds_text(uint64_t thousandths, char *text);
char *number_text(uint64_t n, char *text);

#endif
