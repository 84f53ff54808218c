/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a machine finds in its store when it boots: its VMs, as they were.
 */
#ifndef CORE_BRINGBACK_H
#define CORE_BRINGBACK_H

#include "core/vm.h"
#include "mm/block.h"

/* Opens the store on `d`, NULL: there is none, and makes every VM that has a record STORED. After
 * the VMs are defined, before templates are. Boot CPU. */
void bringback(struct block_device *d, const struct deployment *deployment);

/* Reads a group's template into `vm`, whose space is empty. ERR_NOT_FOUND: the store has none of
 * this image as it is now; other errors are said. */
enum err bringback_template(struct group *g, struct vm *vm) MUST_USE;

/* Whether the store has a template of the group, perhaps of another image. */
bool bringback_template_is_stored(const struct group *g);

#endif
