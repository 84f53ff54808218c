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

/* This boot is the `boots`th with its store, and machine time goes on from `machine_ns`. */
void identity_continue(uint64_t boots, uint64_t machine_ns);

/* Whether Unix time is known. */
bool identity_has_wall(void);

/* Unix time in ns at a tick of the physical counter; machine time on a board without a clock. */
uint64_t identity_wall_ns(uint64_t ticks);

/* A VM is back from the store. `fresh`: on a later boot, so it gets a new generation, randomness
 * and clock, and is told. */
enum err identity_return(struct vm *vm, bool fresh) MUST_USE;

/* Points vm->page to the VM's own system page. */
enum err identity_own_page(struct vm *vm) MUST_USE;

#endif
