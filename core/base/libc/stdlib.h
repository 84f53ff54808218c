/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <stdlib.h> as libfdt includes it: it uses the types alone.
 */
#ifndef CORE_BASE_LIBC_STDLIB_H
#define CORE_BASE_LIBC_STDLIB_H

#include <stddef.h>

#endif
