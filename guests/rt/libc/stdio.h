/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatting. Conversions: d i u x X c s p %, with the flags 0 and -, width and precision (also
 * as *), and the lengths h, hh, l, ll and z. No floating point: guests stay free of FP registers.
 */
#ifndef GUESTS_RT_LIBC_STDIO_H
#define GUESTS_RT_LIBC_STDIO_H

#include <stdarg.h>
#include <stddef.h>

/* As the standard says: writes at most size - 1 characters and a NUL, returns the full length. */
int vsnprintf(char *to, size_t size, const char *format, va_list args);
int snprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
