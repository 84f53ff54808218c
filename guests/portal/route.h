/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a path to a VM. Pure functions of the path and of the groups in the system page.
 *
 *   /vm/N/REST         instance N, from 1, of the first group
 *   /vm/GROUP/N/REST   instance N of a named group; a name of digits cannot be used here
 *   /vm/number/N/REST  VM N of the machine, of whatever group, where the portal's arguments
 *                      (deployment property "args") are "numbers": also of images that were loaded
 */
#ifndef GUESTS_PORTAL_ROUTE_H
#define GUESTS_PORTAL_ROUTE_H

#include <stdint.h>

#include "abi/system_page.h"
#include "guests/rt/http.h"

enum route_kind {
    ROUTE_INDEX,      /* "/" */
    ROUTE_DEPLOYMENT, /* "/deployment.json" */
    ROUTE_FORM,       /* "/go?...": the form of the index */
    ROUTE_SLASH,      /* a VM, but its path lacks the slash at the end */
    ROUTE_VM,
    ROUTE_NO_GROUP,    /* no group of this name, or none at all */
    ROUTE_NO_INSTANCE, /* not a number, or none of this group's */
    ROUTE_NOWHERE,
};

struct route {
    enum route_kind kind;
    const struct toklat_peer *group; /* with SLASH, VM and NO_INSTANCE */
    uint32_t instance;               /* with VM */
    uint8_t ipv4[4];                 /* with VM */
    struct http_text rest;           /* with VM: the target that the VM sees, from its '/' */
};

#define ROUTE_GROUPS_MAX (TOKLAT_PEERS_MAX + 1)

/* Lists the groups that requests lead to: the peers, and "number". Returns how many. */
uint32_t route_groups(struct toklat_peer groups[ROUTE_GROUPS_MAX],
                      const struct toklat_system_page *page);

/* Finds where a request's target leads. `groups` must outlive the result. */
struct route route_find(struct http_text target, const struct toklat_peer *groups, uint32_t count);

/* Address of an instance, from 1, of a group. */
void route_address(uint8_t ipv4[4], const struct toklat_peer *group, uint32_t instance);

/* The group with this name, or the first if the name is empty; NULL if there is none. */
const struct toklat_peer *route_group(struct http_text name, const struct toklat_peer *groups,
                                      uint32_t count);

/* Value of a field in a query ("a=1&b=2"), as it stands there; empty if it is not there. */
struct http_text route_query(struct http_text target, const char *field);

#endif
