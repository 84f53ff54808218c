/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <string.h> as libraries spell it, for code that runs without a C library. The functions are
 * EL2's own.
 */
#ifndef CORE_BASE_LIBC_STRING_H
#define CORE_BASE_LIBC_STRING_H

#include "core/base/string.h"

#endif
