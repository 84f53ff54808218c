/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls.
 */
#ifndef CORE_HYPERCALL_H
#define CORE_HYPERCALL_H

#include "arch/context.h"
#include "core/base/error.h"

/* struct trap_ops: carries out the call that `c` made. */
struct context *hypercall(struct context *c);

/* What x0 says: the value, or the error. */
int64_t hypercall_result(enum err e, uint64_t value);

#endif
