/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LZ4 as it is built here, for who calls it and for lz4.c itself (el2.mk, unit.mk): without a C
 * library, and with the smallest table, which is also the quickest for a page.
 */
#ifndef MM_LZ4_H
#define MM_LZ4_H

#define LZ4_FREESTANDING 1
#define LZ4_MEMORY_USAGE 10
#define LZ4_memcpy(dst, src, n) __builtin_memcpy(dst, src, n)
#define LZ4_memmove(dst, src, n) __builtin_memmove(dst, src, n)
#define LZ4_memset(dst, c, n) __builtin_memset(dst, c, n)

#include <lz4.h>

#endif
