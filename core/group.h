/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups: an image is loaded once, boots once, and is frozen into the template of its clones.
 */
#ifndef CORE_GROUP_H
#define CORE_GROUP_H

#include "core/vm.h"

/* Sets `groups` up for a deployment, and the stubs of all VMs. ERR_NO_MEMORY: they do not fit in
 * memory; nothing runs. Boot CPU. */
enum err group_define_all(const struct deployment *d) MUST_USE;

/* Gives each group its template: from the store; or its image from the archive, loaded and, if it
 * checkpoints, runnable. A group whose image is refused or does not fit is FAILED, which is said on
 * the console; its VMs answer nobody. Boot CPU. */
void group_prepare_all(const void *archive, size_t bytes);

/* Writes templates to the store that are not there yet, as far as it takes them now; returns
 * whether it took any. */
bool group_save_templates(void);

/* The template called checkpoint(): it is frozen, and its clones may start. Not before the VM is
 * off its multiplexer. */
void group_freeze(struct group *g);

/* The template ended before its checkpoint. */
void group_fail(struct group *g);

/* Groups that have instances left to start at boot. */
extern uint32_t group_starts_due;
void group_start_batch(void);

/* Starts a few of the instances that are to start at boot; returns whether it did. */
static inline bool group_start_some(void)
{
    if (likely(group_starts_due == 0)) {
        return false;
    }
    group_start_batch();
    return true;
}

#endif
