/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm_control: what the supervisor asks for (abi/control.h). All of it runs on the keeper.
 */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

#include "core/vm.h"

/* Carries out what the supervisor's x1 to x5 ask for. OK with `*value`, its result; the caller may
 * wait now for a VM of another CPU, and is told when that has come. ERR_AWAY: nothing has changed,
 * and a page of the caller's memory is to be read first. Other errors: nothing has changed. */
enum err control(struct vm *caller, uint64_t *value) MUST_USE;

/* The VM that `caller` waits for is here: does what it asked for. */
void control_finish(struct vm *caller, struct stub *s);

/* --- inside: core/control_read.c ------------------------------------------------------------ */

enum err control_read_vms(struct vm *caller, uint64_t *value);
enum err control_read_group(struct vm *caller, uint64_t *value);
enum err control_read_machine(struct vm *caller, uint64_t *value);
enum err control_read_journal(struct vm *caller, uint64_t *value);

#endif
