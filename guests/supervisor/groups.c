/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine and its groups.
 */
#include "guests/supervisor/groups.h"

#include <string.h>

struct groups groups __attribute__((aligned(8)));

void groups_read_machine(void)
{
    if (control_simple(TOKLAT_MACHINE_READ, (uintptr_t)&groups.machine, 0, 0) < 0) {
        memset(&groups.machine, 0, sizeof(groups.machine));
    }
    struct toklat_machine *m = &groups.machine;
    m->cpus = m->cpus < TOKLAT_CPUS_MAX ? m->cpus : TOKLAT_CPUS_MAX;
    m->groups = m->groups < TOKLAT_GROUPS_MAX ? m->groups : TOKLAT_GROUPS_MAX;
}

void groups_read(void)
{
    groups_read_machine();
    groups.count = groups.machine.groups;
    for (uint32_t i = 0; i < groups.count; i++) {
        if (control_simple(TOKLAT_GROUP_READ, i, (uintptr_t)&groups.at[i], 0) < 0) {
            groups.at[i].state = TOKLAT_GROUP_ABSENT;
        }
    }
}

int groups_find(struct http_text name)
{
    for (uint32_t i = 0; i < groups.count; i++) {
        const char *own = groups.at[i].name;
        if (groups_exists(i) && strnlen(own, TOKLAT_NAME_BYTES) == name.length &&
            memcmp(own, name.at, name.length) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int groups_of_vm(uint32_t number)
{
    for (uint32_t i = 0; i < groups.count; i++) {
        if (groups_exists(i) && number >= groups.at[i].first_vm &&
            number < groups_end(&groups.at[i])) {
            return (int)i;
        }
    }
    return -1;
}

uint32_t groups_existing(const struct toklat_group *g)
{
    return g->defined + g->live + g->stored + g->paused + g->dead;
}

uint32_t groups_free(const struct toklat_group *g)
{
    uint32_t all = g->count + g->reserve;
    uint32_t existing = groups_existing(g);
    return existing < all ? all - existing : 0;
}
