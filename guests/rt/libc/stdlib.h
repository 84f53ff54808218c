/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of <stdlib.h> that guests use. The heap is guests/rt/heap.c.
 */
#ifndef GUESTS_RT_LIBC_STDLIB_H
#define GUESTS_RT_LIBC_STDLIB_H

#include <stddef.h>

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *block);
int atoi(const char *text);

#endif
