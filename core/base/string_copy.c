/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies that always terminate. Apart from string.c, so that host programs, which have a libc, can
 * have these alone.
 */
#include "core/base/string.h"

bool string_copy(char *dst, size_t size, const char *src)
{
    if (size == 0) {
        return false;
    }
    size_t n = strnlen(src, size);
    bool fits = n < size;
    if (!fits) {
        n = size - 1;
    }
    memcpy(dst, src, n);
    dst[n] = '\0';
    return fits;
}
