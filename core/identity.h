/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system page: who a VM is.
 */
#ifndef CORE_IDENTITY_H
#define CORE_IDENTITY_H

#include "core/vm.h"

/* Unix time at which the physical counter was 0, in ns; 0 if the board has no clock. */
void identity_set_wall_base(uint64_t ns);

/* Writes the whole system page of a template that is about to boot: it is nobody yet. */
enum err identity_first(struct vm *vm) MUST_USE;

/* Gives a clone the page of its own and an identity: number, addresses, generation, randomness.
 * ERR_NO_MEMORY: no frame for the page. */
enum err identity_clone(struct vm *vm) MUST_USE;

#endif
