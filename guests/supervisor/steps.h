/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each request does, step by step, and what its steps share. A step writes items as long as
 * there is room, or does a bounded piece of work. Before it has written anything it may set
 * exchange.problem instead.
 */
#ifndef GUESTS_SUPERVISOR_STEPS_H
#define GUESTS_SUPERVISOR_STEPS_H

#include "guests/supervisor/exchange.h"
#include "guests/supervisor/groups.h"

typedef enum step (*step_fn)(struct exchange *x, struct out *out);

enum step step_page(struct exchange *x, struct out *out);
enum step step_health(struct exchange *x, struct out *out);
enum step step_version(struct exchange *x, struct out *out);
enum step step_machine(struct exchange *x, struct out *out);
enum step step_images(struct exchange *x, struct out *out);
enum step step_image(struct exchange *x, struct out *out);
enum step step_image_load(struct exchange *x, struct out *out);
enum step step_image_patch(struct exchange *x, struct out *out);
enum step step_image_delete(struct exchange *x, struct out *out);
enum step step_list(struct exchange *x, struct out *out);
enum step step_create(struct exchange *x, struct out *out);
enum step step_clone(struct exchange *x, struct out *out);
enum step step_delete_ranges(struct exchange *x, struct out *out);
enum step step_vm(struct exchange *x, struct out *out);
enum step step_vm_delete(struct exchange *x, struct out *out);
enum step step_change(struct exchange *x, struct out *out); /* start, pause, resume, restart */
enum step step_checkpoint(struct exchange *x, struct out *out);
enum step step_console(struct exchange *x, struct out *out);
enum step step_console_write(struct exchange *x, struct out *out);
enum step step_footprint(struct exchange *x, struct out *out);
enum step step_map(struct exchange *x, struct out *out);
enum step step_histogram(struct exchange *x, struct out *out);
enum step step_events(struct exchange *x, struct out *out);
enum step step_metrics(struct exchange *x, struct out *out);

/* One batch of VMs, for whichever step runs. */
extern struct toklat_vm vm_batch[TOKLAT_VM_READ_MAX];

/* --- parts of answers --- */

extern const char *const vm_state_names[TOKLAT_VM_STATES];
uint64_t vm_uss_bytes(const struct toklat_vm *vm);
uint64_t vm_rss_bytes(const struct toklat_vm *vm);
uint64_t vm_pss_bytes(const struct toklat_vm *vm);
static inline bool vm_in_memory(const struct toklat_vm *vm)
{
    return vm->descriptor_bytes != 0;
}

/* The VM object with the fields that were asked for; pss_bytes too, if with_pss. */
void vm_write(struct out *out, const struct toklat_vm *vm, enum list_fields fields, bool with_pss);
/* "web/7" with its quotation marks; for a VM of no group: "/7". */
void vm_write_name(struct out *out, uint32_t number);
void image_write(struct out *out, uint32_t group);
void machine_write(struct out *out);
void memory_write(struct out *out); /* the object "memory" of it */

/* Reads request.number into vm_batch[0]. False, with a problem, if there is no such VM. */
bool vm_find(struct exchange *x, uint64_t flags);
/* That, and whether it is in a state in which the request makes sense (409). */
bool vm_may_change(struct exchange *x);
/* The problem for a group of the request's name, or its index. */
int image_find(struct exchange *x, const char *name);

/* --- waiting --- */

/* What to make of the result of an operation on a VM: STEP_LATER while it is to be tried again,
 * STEP_MORE when it is done, STEP_DONE with a problem. */
enum step judge(struct exchange *x, int64_t result, uint32_t number);
enum step wait_until(struct exchange *x, uint64_t wake_ns);

#endif
