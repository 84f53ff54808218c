/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls.
 */
#ifndef CORE_HYPERCALL_H
#define CORE_HYPERCALL_H

#include "arch/context.h"

/* struct trap_ops: carries out the call that `c` made. */
struct context *hypercall(struct context *c);

#endif
