/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Routing. Nothing is decoded: the paths that exist have no character that would need it.
 */
#include "guests/portal/route.h"

#include <string.h>

#define VMS_MAX 1048576 /* on one machine */

/* Takes the path's next segment, up to '/' or the query; the rest begins with that mark. */
static struct http_text take_segment(struct http_text *path)
{
    struct http_text segment = {path->at, 0};
    while (segment.length < path->length && path->at[segment.length] != '/' &&
           path->at[segment.length] != '?') {
        segment.length++;
    }
    path->at += segment.length;
    path->length -= segment.length;
    return segment;
}

static bool take_prefix(struct http_text *path, const char *prefix)
{
    size_t length = strlen(prefix);
    if (path->length < length || memcmp(path->at, prefix, length) != 0) {
        return false;
    }
    path->at += length;
    path->length -= length;
    return true;
}

/* The address that is `distance` behind another. */
static void move_address(uint8_t to[4], const uint8_t from[4], uint32_t distance)
{
    uint32_t address =
        (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
    address += distance;
    to[0] = (uint8_t)(address >> 24);
    to[1] = (uint8_t)(address >> 16);
    to[2] = (uint8_t)(address >> 8);
    to[3] = (uint8_t)address;
}

void route_address(uint8_t ipv4[4], const struct toklat_peer *group, uint32_t instance)
{
    move_address(ipv4, group->ipv4_first, instance - 1);
}

/* Addresses follow from numbers (the virtual architecture, "The switch"). */
uint32_t route_groups(struct toklat_peer groups[ROUTE_GROUPS_MAX],
                      const struct toklat_system_page *page)
{
    uint32_t count = page->peer_count < TOKLAT_PEERS_MAX ? page->peer_count : TOKLAT_PEERS_MAX;
    memcpy(groups, page->peers, count * sizeof(*groups));
    if (strcmp(page->args, "numbers") == 0) {
        groups[count] = (struct toklat_peer){.name = "number", .count = VMS_MAX};
        move_address(groups[count].ipv4_first, page->ipv4, 1 - page->vm_number);
        count++;
    }
    return count;
}

const struct toklat_peer *route_group(struct http_text name, const struct toklat_peer *groups,
                                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (name.length == 0 || http_is(name, groups[i].name)) {
            return &groups[i];
        }
    }
    return NULL;
}

static void find_instance(struct route *route, struct http_text number, struct http_text rest)
{
    uint64_t instance = 0;
    if (!http_number(number, &instance) || instance == 0 || instance > route->group->count) {
        route->kind = ROUTE_NO_INSTANCE;
        return;
    }
    route->instance = (uint32_t)instance;
    route->rest = rest;
    route->kind = rest.length > 0 && *rest.at == '/' ? ROUTE_VM : ROUTE_SLASH;
    route_address(route->ipv4, route->group, route->instance);
}

static struct route find_vm(struct http_text path, const struct toklat_peer *groups, uint32_t count)
{
    struct route route = {.kind = ROUTE_NO_GROUP};
    struct http_text number = take_segment(&path);
    bool named = number.length > 0 && (*number.at < '0' || *number.at > '9');
    struct http_text name = {number.at, named ? number.length : 0};
    route.group = route_group(name, groups, count);
    if (route.group == NULL) {
        return route;
    }
    if (named) {
        take_prefix(&path, "/");
        number = take_segment(&path);
    }
    find_instance(&route, number, path);
    return route;
}

static bool is_path(struct http_text target, const char *path)
{
    return take_prefix(&target, path) && (target.length == 0 || *target.at == '?');
}

struct route route_find(struct http_text target, const struct toklat_peer *groups, uint32_t count)
{
    struct http_text path = target;
    if (take_prefix(&path, "/vm/")) {
        return find_vm(path, groups, count);
    }
    if (is_path(target, "/")) {
        return (struct route){.kind = ROUTE_INDEX};
    }
    if (is_path(target, "/deployment.json")) {
        return (struct route){.kind = ROUTE_DEPLOYMENT};
    }
    if (is_path(target, "/go")) {
        return (struct route){.kind = ROUTE_FORM};
    }
    return (struct route){.kind = ROUTE_NOWHERE};
}

struct http_text route_query(struct http_text target, const char *field)
{
    const char *mark = memchr(target.at, '?', target.length);
    size_t name = strlen(field);
    while (mark != NULL) {
        struct http_text rest = {mark + 1, target.length - (size_t)(mark + 1 - target.at)};
        const char *end = memchr(rest.at, '&', rest.length);
        size_t length = end != NULL ? (size_t)(end - rest.at) : rest.length;
        if (length > name && rest.at[name] == '=' && memcmp(rest.at, field, name) == 0) {
            return (struct http_text){rest.at + name + 1, length - name - 1};
        }
        mark = end;
    }
    return (struct http_text){"", 0};
}
