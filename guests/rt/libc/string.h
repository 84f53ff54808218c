/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of <string.h> that guests use, with the standard's contracts.
 */
#ifndef GUESTS_RT_LIBC_STRING_H
#define GUESTS_RT_LIBC_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *a, const void *b, size_t length);
void *memchr(const void *in, int value, size_t length);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strchr(const char *text, int wanted);
char *strstr(const char *text, const char *wanted);

#endif
