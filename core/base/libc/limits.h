/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <limits.h> as libfdt needs it. The compiler's own would go on to that of the build machine.
 */
#ifndef CORE_BASE_LIBC_LIMITS_H
#define CORE_BASE_LIBC_LIMITS_H

#define INT_MAX __INT_MAX__
#define UINT_MAX (2u * INT_MAX + 1u)

#endif
