/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the arguments of a command to VM numbers.
 */
#ifndef TOKLAT_VMS_H
#define TOKLAT_VMS_H

#include "tools/toklat/client/api.h"
#include "tools/toklat/client/vmlist.h"

#define VMS_STATES_MAX 8

/* What is asked for. */
struct vms_wanted {
    char *const *arguments;
    int count;
    const char *image; /* --image, with --all; NULL */
    bool all;
};

struct vms_spans {
    struct vmlist_image *images;
    struct vmlist_span *spans;
    size_t image_count, count;
};

/* Spans as they were asked for, checked against the images. The exit code; vms_free() in any case.
 */
int vms_spans(struct api *a, const struct vms_wanted *wanted, const char *usage,
              struct vms_spans *spans);
void vms_free(struct vms_spans *spans);

struct vms_numbers {
    uint32_t *numbers;
    size_t count, room;
};

/* The VMs of the spans: every number of those that were named, and of a whole image the VMs whose
 * state is one of `states` (NULL at its end; NULL: any). */
int vms_numbers(struct api *a, const struct vms_spans *spans, const char *const *states,
                struct vms_numbers *numbers);

/* Exactly one. */
int vms_one(struct api *a, const char *argument, const char *usage, uint32_t *number);

#endif
