/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images that the supervisor brings while the machine runs (abi/control.h): a file, written in
 * pieces, becomes a group whose VMs have numbers that the deployment left spare.
 *
 * Context: the keeper.
 */
#ifndef CORE_LOAD_H
#define CORE_LOAD_H

#include "abi/control.h"
#include "core/vm.h"

/* Loaded groups are described where the deployment has room for groups. Boot CPU. */
void load_init(struct deployment *d);

/* Memory for a file of `bytes`; what was there of an earlier one is forgotten. ERR_RANGE: none, or
 * more than TOKLAT_IMAGE_BYTES_MAX; ERR_NO_MEMORY. */
enum err load_begin(uint64_t bytes) MUST_USE;

/* Appends `bytes` at `from` of the supervisor's memory, all or as much as can be read; how many of
 * the file are there then is in `*so_far`. ERR_RANGE: more than was announced. Otherwise errors of
 * guest_read, only when nothing was taken. */
enum err load_write(struct vm *supervisor, ipa_t from, uint64_t bytes, uint64_t *so_far) MUST_USE;

/* Makes a group of the file, which is forgotten in any case. `l` is a copy, whose strings need not
 * be sound. On any error, l->problem says which field, its value and the limit, and nothing has
 * changed: ERR_INVALID, ERR_RANGE, ERR_UNSUPPORTED: the file, or what is said of it; ERR_BUSY: a
 * group has this name; ERR_NO_MEMORY: no index, numbers or frames are free; ERR_NOT_FOUND: there is
 * no file. */
enum err load_commit(struct toklat_load *l, unsigned *group) MUST_USE;

/* The supervisor begins anew: what it has written is forgotten. */
void load_forget(void);

/* VMs that one more group may have: the longest run of spare numbers. */
uint32_t load_spare(void);

#endif
