/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine and its groups (which the API calls images) as they were when they were last read.
 */
#ifndef GUESTS_SUPERVISOR_GROUPS_H
#define GUESTS_SUPERVISOR_GROUPS_H

#include "guests/rt/http.h"
#include "guests/supervisor/control.h"

struct groups {
    struct toklat_machine machine;
    struct toklat_group at[TOKLAT_GROUPS_MAX];
    uint32_t count; /* indices in use, ABSENT ones among them */
};

extern struct groups groups;

void groups_read(void);
void groups_read_machine(void);

static inline bool groups_exists(uint32_t group)
{
    return group < groups.count && groups.at[group].state != TOKLAT_GROUP_ABSENT;
}

/* By name, and by a VM's number; -1 if there is none. */
int groups_find(struct http_text name);
int groups_of_vm(uint32_t number);

/* The number behind the group's last VM. */
static inline uint32_t groups_end(const struct toklat_group *g)
{
    return g->first_vm + g->count + g->reserve;
}

/* VMs that exist, and how many more may be created. */
uint32_t groups_existing(const struct toklat_group *g);
uint32_t groups_free(const struct toklat_group *g);

#endif
