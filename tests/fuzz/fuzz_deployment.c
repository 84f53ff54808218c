/* SPDX-License-Identifier: BSD-2-Clause */
// sources: core/deployment.c core/deployment_node.c core/deployment_group.c core/base/fmt.c
// sources: core/deployment_check.c
/*
 * Any bytes as a deployment: what is accepted keeps every limit, what is refused is said.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/deployment.h"
#include "sched/mux.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static unsigned lines;

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void count_line(const char *text)
{
    must(strlen(text) < 256);
    for (; *text != '\0'; text++) {
        must(*text >= 0x20 && *text <= 0x7e);
    }
    lines++;
}

static void check_group(const struct deployment *d, const struct deployment_group *g)
{
    must(memchr(g->name, '\0', sizeof(g->name)) && g->name[0] != '\0');
    must(memchr(g->image, '\0', sizeof(g->image)) && g->image[0] != '\0');
    must(memchr(g->args, '\0', sizeof(g->args)));
    must(g->first_vm >= 1 && g->count + g->reserve >= 1);
    must(g->first_vm + g->count + g->reserve - 1 <= d->vm_count - d->spare);
    must(g->memory_bytes <= TOKLAT_MEMORY_MAX && g->memory_bytes % TOKLAT_PAGE_BYTES == 0);
    must(g->weight >= SCHED_WEIGHT_MIN && g->reach <= NIC_UPLINK);
    must(g->peer_count <= TOKLAT_PEERS_MAX);
    for (uint32_t i = 0; i < g->peer_count; i++) {
        must(g->peers[i] < d->group_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct deployment d;

    lines = 0;
    if (deployment_parse(bytes, n, &d, count_line) != OK) {
        must(lines > 0);
        return 0;
    }
    must(d.group_count <= DEPLOYMENT_GROUPS_MAX && d.vm_count <= DEPLOYMENT_VMS_MAX);
    must(d.spare <= d.vm_count);
    for (uint32_t i = 0; i < d.group_count; i++) {
        check_group(&d, &d.groups[i]);
    }
    return 0;
}
