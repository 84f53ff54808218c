/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a deployment: the tree, its network, its groups and who is told about whom. What one
 * group says is read in core/deployment_group.c.
 *
 * The blob is copied first, because an archive aligns it to 4 bytes and a device tree wants 8, and
 * walked to its end once, so that later walks meet no broken structure.
 */
#include "core/deployment.h"

#include "core/base/string.h"
#include "core/deployment_node.h"

#define BLOB_BYTES_MAX (32 * 1024u)
#define BLOB_VERSION 17
#define ROOT_COMPATIBLE "toklat,deployment-v1"
#define GROUP_COMPATIBLE "toklat,group"
#define NETWORK_NODE "network"

#define IPV4(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define PREFIX_MAX 30u

/* Deployments are read one at a time, by the boot CPU. */
static uint8_t blob_copy[BLOB_BYTES_MAX] __attribute__((aligned(8)));

static const struct switch_config network_default = {
    .base = IPV4(10, 64, 0, 0),
    .netmask = 0xFF000000,
    .gateway = IPV4(10, 0, 0, 2),
    .address = IPV4(10, 0, 0, 1),
};

/* Whether every tag up to FDT_END is whole and nodes nest. A property whose length makes the next
 * offset wrap would send a later walk in circles: each tag must lead on by its own size. */
static bool structure_is_sound(const void *blob)
{
    int offset = 0, next = 0, depth = 0;
    uint32_t tag;

    if (!IS_ALIGNED(fdt_off_dt_struct(blob), FDT_TAGSIZE)) {
        return false;
    }

    do {
        offset = next;
        tag = fdt_next_tag(blob, offset, &next);
        int bytes = tag == FDT_PROP ? (int)sizeof(struct fdt_property) : FDT_TAGSIZE;
        if (next < offset + bytes) {
            return false;
        }
        depth += tag == FDT_BEGIN_NODE ? 1 : tag == FDT_END_NODE ? -1 : 0;
        if (depth < 0) {
            return false;
        }
    } while (tag != FDT_END);
    return depth == 0;
}

static enum err check_blob(struct node *root, const void *blob, size_t bytes)
{
    if (bytes > BLOB_BYTES_MAX || bytes < sizeof(struct fdt_header)) {
        node_refuse(root, DEPLOYMENT_FILE, "%zu bytes: from %zu to %u", bytes,
                    sizeof(struct fdt_header), BLOB_BYTES_MAX);
        return ERR_INVALID;
    }
    memcpy(blob_copy, blob, bytes);
    int result = fdt_check_header(blob_copy);
    if (result != 0 || fdt_version(blob_copy) < BLOB_VERSION) {
        node_refuse(root, DEPLOYMENT_FILE, "header: libfdt result %d, wanted 0 and version %d",
                    result, BLOB_VERSION);
        return ERR_INVALID;
    }
    if (fdt_totalsize(blob_copy) > bytes) {
        node_refuse(root, DEPLOYMENT_FILE, "totalsize %u: at most %zu, the size of the file",
                    fdt_totalsize(blob_copy), bytes);
        return ERR_INVALID;
    }
    if (!structure_is_sound(blob_copy)) {
        node_refuse(root, DEPLOYMENT_FILE, "structure block of %u bytes: broken or cut off",
                    fdt_size_dt_struct(blob_copy));
        return ERR_INVALID;
    }
    return OK;
}

/* ---- network ---------------------------------------------------------------------------- */

/* Reads one decimal number of at most 255 and the '.' or end after it. */
static bool read_octet(const char **text, char end, uint32_t *out)
{
    const char *p = *text;
    uint32_t value = 0;

    while (*p >= '0' && *p <= '9' && p - *text < 3) {
        value = value * 10 + (uint32_t)(*p++ - '0');
    }
    if (p == *text || value > 255 || *p != end) {
        return false;
    }
    *text = p + 1;
    *out = *out << 8 | value;
    return true;
}

static bool read_address(const struct node *n, const char *property, uint32_t *address)
{
    char text[16] = "";
    const char *p = text;
    uint32_t value = 0;

    if (!node_has(n, property)) {
        return true;
    }
    if (!node_text(n, property, text, sizeof(text))) {
        return false;
    }
    if (!read_octet(&p, '.', &value) || !read_octet(&p, '.', &value) ||
        !read_octet(&p, '.', &value) || !read_octet(&p, '\0', &value)) {
        node_refuse(n, property, "\"%s\": four numbers from 0 to 255 between dots", text);
        return false;
    }
    *address = value;
    return true;
}

static bool in_network(const struct node *n, const struct switch_config *c, const char *property,
                       uint32_t address)
{
    uint32_t host = address & ~c->netmask;

    if (((address ^ c->base) & c->netmask) != 0 || host == 0 || host == ~c->netmask) {
        node_refuse(n, property, "0x%08x: no host of the network of base 0x%08x, netmask 0x%08x",
                    address, c->base, c->netmask);
        return false;
    }
    return true;
}

static bool read_network(const struct node *n, struct switch_config *c)
{
    static const char *const known[] = {"base", "prefix", "gateway", "address", NULL};
    uint32_t prefix = 8;

    if (!node_properties_known(n, known) || !node_cell(n, "prefix", 1, PREFIX_MAX, &prefix) ||
        !read_address(n, "base", &c->base) || !read_address(n, "gateway", &c->gateway) ||
        !read_address(n, "address", &c->address)) {
        return false;
    }
    c->netmask = ~0u << (32 - prefix);
    if (c->gateway == c->address) {
        node_refuse(n, "gateway", "0x%08x: not the switch's own address 0x%08x", c->gateway,
                    c->address);
        return false;
    }
    return in_network(n, c, "gateway", c->gateway) && in_network(n, c, "address", c->address);
}

/* Whether VMs `first` to `last` have addresses that are nobody else's. */
static bool addresses_are_free(const struct node *n, const char *property,
                               const struct switch_config *c, uint32_t first, uint32_t last)
{
    uint64_t low = (uint64_t)c->base + first;
    uint64_t high = (uint64_t)c->base + last;
    uint64_t end = c->base | ~c->netmask; /* the broadcast address */

    if (high >= end) {
        node_refuse(n, property, "address of VM %u is past the network's end: limit VM %u", last,
                    (uint32_t)(end - c->base - 1));
        return false;
    }
    if ((c->gateway >= low && c->gateway <= high) || (c->address >= low && c->address <= high)) {
        node_refuse(n, property, "addresses of VMs %u to %u meet gateway 0x%08x or switch 0x%08x",
                    first, last, c->gateway, c->address);
        return false;
    }
    return true;
}

/* ---- groups ----------------------------------------------------------------------------- */

/* What must be remembered of accepted groups' nodes until peers are looked up. */
struct nodes {
    int offset[DEPLOYMENT_GROUPS_MAX];
    uint32_t phandle[DEPLOYMENT_GROUPS_MAX]; /* 0: none */
};

/* Whether `g` fits beside the groups that were accepted before it. */
static bool fits_deployment(const struct node *n, const struct deployment *d,
                            const struct deployment_group *g)
{
    uint64_t vms = (uint64_t)d->vm_count + g->count + g->reserve;

    if (d->group_count == DEPLOYMENT_GROUPS_MAX) {
        node_refuse(n, "compatible", "group %u: at most %u groups", d->group_count + 1,
                    DEPLOYMENT_GROUPS_MAX);
        return false;
    }
    if (vms > DEPLOYMENT_VMS_MAX) {
        node_refuse(n, "instances", "%u and %u in reserve make %llu VMs: at most %u", g->count,
                    g->reserve, (unsigned long long)vms, DEPLOYMENT_VMS_MAX);
        return false;
    }
    for (uint32_t i = 0; i < d->group_count; i++) {
        if (strcmp(d->groups[i].name, g->name) == 0) {
            node_refuse(n, "name", "\"%s\": a group of this name exists: limit 1", g->name);
            return false;
        }
        if (d->groups[i].supervisor && g->supervisor) {
            node_refuse(n, "supervisor", "group %s is it already: limit 1", d->groups[i].name);
            return false;
        }
    }
    return addresses_are_free(n, "instances", &d->network, d->vm_count + 1, (uint32_t)vms);
}

static void add_group(const struct node *n, struct deployment *d, struct nodes *nodes)
{
    struct deployment_group g;

    if (!deployment_group_read(n, &g) || !fits_deployment(n, d, &g)) {
        return;
    }
    g.first_vm = d->vm_count + 1;
    d->vm_count += g.count + g.reserve;
    nodes->offset[d->group_count] = n->offset;
    nodes->phandle[d->group_count] = fdt_get_phandle(n->blob, n->offset);
    d->groups[d->group_count++] = g;
}

/* A peer that is missing, because it was refused or never there, is said and left out: the group
 * that names it can still serve. */
static void read_peers(struct node *n, struct deployment *d, const struct nodes *nodes,
                       struct deployment_group *g)
{
    int bytes = 0;
    const fdt32_t *cells = fdt_getprop(n->blob, n->offset, "peers", &bytes);

    for (int i = 0; i < bytes / 4; i++) {
        uint32_t phandle = fdt32_to_cpu(cells[i]);
        uint32_t peer = 0;
        while (peer < d->group_count && nodes->phandle[peer] != phandle) {
            peer++;
        }
        if (peer == d->group_count || phandle == 0) {
            node_refuse(n, "peers", "phandle %u: no accepted group has it; left out", phandle);
        } else {
            g->peers[g->peer_count++] = (uint8_t)peer;
        }
    }
}

static void add_node(const struct node *n, struct deployment *d, struct nodes *nodes)
{
    if (fdt_node_check_compatible(n->blob, n->offset, GROUP_COMPATIBLE) == 0) {
        add_group(n, d, nodes);
    } else if (strcmp(n->name, NETWORK_NODE) != 0) {
        node_refuse(n, "compatible", "missing or unknown: \"" GROUP_COMPATIBLE "\" expected");
    }
}

static struct node node_at(const struct node *root, int offset)
{
    struct node n = {root->blob, offset, fdt_get_name(root->blob, offset, NULL), root->refuse};

    return n;
}

static enum err read_root(const struct node *root, struct deployment *d)
{
    static const char *const known[] = {"compatible", "#address-cells", "#size-cells", "spare",
                                        NULL};
    int network = fdt_subnode_offset(root->blob, root->offset, NETWORK_NODE);

    if (fdt_node_check_compatible(root->blob, root->offset, ROOT_COMPATIBLE) != 0) {
        node_refuse(root, "compatible", "missing or unknown: \"" ROOT_COMPATIBLE "\" expected");
        return ERR_INVALID;
    }
    if (!node_properties_known(root, known)) {
        return ERR_INVALID;
    }
    if (network >= 0) {
        struct node n = node_at(root, network);
        if (!read_network(&n, &d->network)) {
            node_refuse(&n, NETWORK_NODE, "refused as a whole: the defaults hold");
            d->network = network_default;
        }
    }
    return OK;
}

/* Numbers behind those of all groups, or none. */
static void add_spare(const struct node *root, struct deployment *d)
{
    uint32_t spare = 0;

    if (node_cell(root, "spare", 0, DEPLOYMENT_VMS_MAX - d->vm_count, &spare) && spare > 0 &&
        addresses_are_free(root, "spare", &d->network, d->vm_count + 1, d->vm_count + spare)) {
        d->spare = spare;
        d->vm_count += spare;
    }
}

enum err deployment_parse(const void *blob, size_t bytes, struct deployment *out,
                          deployment_refuse_fn refuse)
{
    struct node root = {blob_copy, 0, "/", refuse};
    struct nodes nodes = {0};

    memset(out, 0, sizeof(*out));
    out->network = network_default;
    enum err e = check_blob(&root, blob, bytes);
    if (e == OK) {
        e = read_root(&root, out);
    }
    if (e != OK) {
        return e;
    }
    int offset;
    fdt_for_each_subnode(offset, root.blob, root.offset)
    {
        struct node n = node_at(&root, offset);
        add_node(&n, out, &nodes);
    }
    for (uint32_t i = 0; i < out->group_count; i++) {
        struct node n = node_at(&root, nodes.offset[i]);
        read_peers(&n, out, &nodes, &out->groups[i]);
    }
    add_spare(&root, out);
    return OK;
}
