/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM as a record, and back: its memory is mm/record.h's, the rest is here.
 */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H

#include "core/vm.h"

/* Appends a record of a VM, as it is between two traps, to the store under the number `slot`; that
 * is its own, or a new clone's. store_ops.written says when it is
 * durable. Errors of store_reserve; ERR_RANGE: it is too large for a record; ERR_AWAY: some of its
 * pages are not in memory. Nothing has changed then. */
enum err snapshot_write(struct vm *vm, uint32_t slot) MUST_USE;

/* The same for a group's frozen template. */
enum err snapshot_write_template(struct group *g) MUST_USE;

/* Gives the stub a descriptor and makes it the VM that the record was made from; `bytes` of it are
 * at hand. It is in no queue yet. ERR_INVALID: the record is damaged or makes no sense;
 * ERR_NOT_FOUND: it is a change of another template; ERR_NO_MEMORY. */
enum err snapshot_read(struct stub *s, const struct store_record *r, size_t bytes,
                       bool only_first) MUST_USE;

/* Fills a space and a context with a template's record, all of it. Errors as above. */
enum err snapshot_read_template(struct group *g, struct vm *vm, const struct store_record *r,
                                size_t bytes) MUST_USE;

#endif
