/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one group's node says by itself (docs/deployment.md).
 */
#include "core/base/string.h"
#include "core/deployment_node.h"
#include "sched/mux.h"

/* Words of "network" in the order of enum nic_reach, and of "start". */
static const char *const network_words[] = {"none", "internal", "uplink", "control"};
static const char *const start_words[] = {"demand", "boot"};
static const char *const recovery_words[] = {"resume", "restart"};

static bool read_name(const struct node *n, struct deployment_group *g)
{
    size_t length = strlen(n->name);

    if (length == 0 || length >= sizeof(g->name)) {
        node_refuse(n, "name", "%zu characters: from 1 to %zu", length, sizeof(g->name) - 1);
        return false;
    }
    if (!deployment_is_name(n->name)) {
        node_refuse(n, "name", "\"%s\": letters, digits and " DEPLOYMENT_NAME_CHARS " only",
                    n->name);
        return false;
    }
    memcpy(g->name, n->name, length + 1);
    return true;
}

static bool read_image(const struct node *n, struct deployment_group *g)
{
    if (!node_text(n, "image", g->image, sizeof(g->image))) {
        return false;
    }
    if (g->image[0] == '\0') {
        node_refuse(n, "image", "\"\": missing or empty, from 1 to %u characters",
                    DEPLOYMENT_IMAGE_NAME_BYTES - 1);
        return false;
    }
    return true;
}

static bool read_numbers(const struct node *n, struct deployment_group *g)
{
    uint32_t memory = 0, weight = SCHED_WEIGHT_NORMAL;

    g->count = 1;
    if (!node_cell(n, "instances", 0, DEPLOYMENT_VMS_MAX, &g->count) ||
        !node_cell(n, "reserve", 0, DEPLOYMENT_VMS_MAX, &g->reserve) ||
        !node_cell(n, "memory", TOKLAT_IMAGE_BASE, TOKLAT_MEMORY_MAX, &memory) ||
        !node_cell(n, "weight", SCHED_WEIGHT_MIN, SCHED_WEIGHT_MAX, &weight)) {
        return false;
    }
    if (g->count == 0 && g->reserve == 0) {
        node_refuse(n, "instances", "0 with reserve 0: together at least 1");
        return false;
    }
    if (!IS_ALIGNED(memory, TOKLAT_PAGE_BYTES)) {
        node_refuse(n, "memory", "%u: a multiple of %u", memory, TOKLAT_PAGE_BYTES);
        return false;
    }
    g->memory_bytes = memory;
    g->weight = (uint16_t)weight;
    return true;
}

static bool read_words(const struct node *n, struct deployment_group *g)
{
    unsigned reach = NIC_NONE, start = 0, recovery = 0;

    if (!node_word(n, "network", network_words, ARRAY_SIZE(network_words), &reach) ||
        !node_word(n, "start", start_words, ARRAY_SIZE(start_words), &start) ||
        !node_word(n, "recovery", recovery_words, ARRAY_SIZE(recovery_words), &recovery)) {
        return false;
    }
    g->reach = (enum nic_reach)reach;
    g->start_at_boot = start == 1;
    g->restart = recovery == 1;
    return true;
}

/* Only the shape; which groups they are is known when all have been read. */
static bool check_peers(const struct node *n)
{
    int bytes = 0;
    const void *cells = fdt_getprop(n->blob, n->offset, "peers", &bytes);

    if (cells && (bytes % 4 != 0 || bytes > 4 * TOKLAT_PEERS_MAX)) {
        node_refuse(n, "peers", "%d bytes: up to %d phandles of 4 bytes", bytes, TOKLAT_PEERS_MAX);
        return false;
    }
    return true;
}

static bool read_flag(const struct node *n, const char *name, bool *flag)
{
    int bytes = 0;

    *flag = fdt_getprop(n->blob, n->offset, name, &bytes);
    if (*flag && bytes != 0) {
        node_refuse(n, name, "%d bytes: a flag has 0", bytes);
        return false;
    }
    return true;
}

static bool read_supervisor(const struct node *n, struct deployment_group *g)
{
    if (!read_flag(n, "background", &g->background) ||
        !read_flag(n, "supervisor", &g->supervisor)) {
        return false;
    }
    if (g->supervisor && (g->count != 1 || g->reserve != 0)) {
        node_refuse(n, "supervisor", "%u instances, %u in reserve: exactly 1 and 0", g->count,
                    g->reserve);
        return false;
    }
    return true;
}

static bool has_no_children(const struct node *n)
{
    int child = fdt_first_subnode(n->blob, n->offset);

    if (child >= 0) {
        node_refuse(n, fdt_get_name(n->blob, child, NULL), "a node in a group: limit 0");
        return false;
    }
    return true;
}

bool deployment_group_read(const struct node *n, struct deployment_group *g)
{
    static const char *const known[] = {"compatible", "image",   "instances",     "reserve",
                                        "memory",     "weight",  "network",       "args",
                                        "peers",      "start",   "recovery",      "supervisor",
                                        "background", "phandle", "linux,phandle", NULL};

    _Static_assert(NIC_NONE == 0 && NIC_INTERNAL == 1 && NIC_UPLINK == 2 && NIC_CONTROL == 3,
                   "network_words");
    memset(g, 0, sizeof(*g));
    if (!read_name(n, g) || !node_properties_known(n, known) || !has_no_children(n) ||
        !read_image(n, g) || !read_numbers(n, g) || !read_words(n, g) ||
        !node_text(n, "args", g->args, sizeof(g->args)) || !check_peers(n) ||
        !read_supervisor(n, g)) {
        return false;
    }
    if (g->reach == NIC_NONE && !g->start_at_boot && !g->supervisor) {
        node_refuse(n, "start", "\"demand\" with network \"none\": only the supervisor starts it");
    }
    return true;
}
