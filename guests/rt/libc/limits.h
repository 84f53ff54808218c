/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of <limits.h> that guests and lwIP use.
 */
#ifndef GUESTS_RT_LIBC_LIMITS_H
#define GUESTS_RT_LIBC_LIMITS_H

#define INT_MAX __INT_MAX__
#define UINT_MAX (__INT_MAX__ * 2u + 1)
#define LONG_MAX __LONG_MAX__

#endif
