/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups: an image is loaded once, boots once, and is frozen into the template of its clones.
 *
 *   BOOTING --checkpoint--> READY
 *      |                      |        those that were loaded while the machine runs
 *      +----ends---> FAILED --+--group_delete--> ABSENT --group_load--> BOOTING
 *
 * Other CPUs ask a group what VMs of it may do as soon as a VM is there to be seen, and may look a
 * little late: what `config` points to stays readable when the group is deleted.
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

/* The group of an index, or NULL: there is none. */
static inline struct group *group_find(uint64_t index)
{
    bool exists = index < group_count && groups[index].state != GROUP_ABSENT;
    return exists ? &groups[index] : NULL;
}

/* Whether a group is none of the deployment's: only such are ABSENT, and can be deleted. */
bool group_is_loaded(unsigned index);

/* Makes group `index`, of which there is none, of a guest image and of what `config` says, whose
 * numbers are nobody's; its template boots afterwards, or is ready. `config` is kept, the file is
 * not. Errors of image_parse, with `why`; ERR_NO_MEMORY: there are too few frames; nothing has
 * changed then. The keeper. */
enum err group_load(unsigned index, const struct deployment_group *config, const void *file,
                    size_t bytes, struct refusal *why) MUST_USE;

/* Takes a group away that was loaded, with its template. ERR_NOT_FOUND: there is none; ERR_DENIED:
 * it is of the deployment; ERR_BUSY: there are VMs of it. The keeper. */
enum err group_delete(unsigned index) MUST_USE;

/* Why an image was refused: "WHERE: FIELD: VALUE: limit LIMIT". */
void group_refusal_text(const struct refusal *why, char *out, size_t size);

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
