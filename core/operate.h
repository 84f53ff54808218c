/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done to one VM from outside. The stub is this CPU's, the keeper's.
 *
 * ERR_BUSY throughout: it is not in a state for this, or just on its way; the call may be repeated
 * later. On an error nothing has changed.
 */
#ifndef CORE_OPERATE_H
#define CORE_OPERATE_H

#include "core/vm.h"

enum err operate_pause(struct stub *s) MUST_USE;
enum err operate_resume(struct stub *s) MUST_USE;

/* A paused VM is as if it had not been paused, but does not run: as the machine stops, or before
 * the VM ends. */
void operate_unpause(struct stub *s);

/* It begins anew from its template, whatever it was. */
enum err operate_restart(struct stub *s) MUST_USE;

/* Has its state written to the store as it is now; its place changes when that is durable.
 * ERR_UNSUPPORTED: there is no store. */
enum err operate_checkpoint(struct stub *s) MUST_USE;

/* Makes a VM of the group's reserve that goes on from where this one is, by a record of its own; it
 * is CLONING until that is durable. Errors of vm_create and snapshot_write as well. */
enum err operate_clone(struct stub *s, uint32_t *number) MUST_USE;

/* The record of a CLONING VM is durable, or is not and will not be. */
void operate_cloned(struct stub *s, enum err e);

/* Gives its console as much of `text` as there is room for; `*taken` bytes. One that is out comes
 * in, for the next try. */
enum err operate_input(struct stub *s, const char *text, size_t n, size_t *taken) MUST_USE;

#endif
