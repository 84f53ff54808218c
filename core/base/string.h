/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The freestanding part of <string.h>, plus copies that always terminate.
 */
#ifndef CORE_BASE_STRING_H
#define CORE_BASE_STRING_H

#include "core/base/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);

/* Copies at most size - 1 bytes and terminates; returns false when `src` did not fit. */
bool string_copy(char *dst, size_t size, const char *src);

#endif
