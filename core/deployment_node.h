/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Properties of a deployment's node, each checked as it is read. A function that returns false has
 * said why, in one line that names node, property, value and limit.
 */
#ifndef CORE_DEPLOYMENT_NODE_H
#define CORE_DEPLOYMENT_NODE_H

#include <libfdt.h>

#include "core/base/types.h"
#include "core/deployment.h"

struct node {
    const void *blob; /* sound, 8-byte aligned */
    int offset;
    const char *name;
    deployment_refuse_fn refuse;
};

/* Says "NAME: PROPERTY: TEXT"; what does not print is shown as '?'. */
void node_refuse(const struct node *n, const char *property, const char *fmt, ...) PRINTF(3, 4);

bool node_has(const struct node *n, const char *property);

/* Reads one 32-bit cell from `min` to `max`; leaves `*out` as it is when there is none. */
bool node_cell(const struct node *n, const char *property, uint32_t min, uint32_t max,
               uint32_t *out) MUST_USE;

/* Reads one string of printable ASCII into `out` of `size` bytes; leaves it when there is none. */
bool node_text(const struct node *n, const char *property, char *out, size_t size) MUST_USE;

/* Reads one string that is one of `count` words; leaves `*index` as it is when there is none. */
bool node_word(const struct node *n, const char *property, const char *const words[],
               unsigned count, unsigned *index) MUST_USE;

/* Whether all properties are in the NULL-terminated list and there is no node below. */
bool node_properties_known(const struct node *n, const char *const known[]) MUST_USE;

/* Reads a group, all but its peers and its place among the others. */
bool deployment_group_read(const struct node *n, struct deployment_group *g) MUST_USE;

#endif
