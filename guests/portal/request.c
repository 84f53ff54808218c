/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a client's request to an own page, or to a request for a VM. The VM gets the client's
 * request with the path shortened and without the headers that concern one connection only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guests/portal/session.h"
#include "guests/rt/hypercall.h"

#define REWRITE_ROOM 128 /* what a rewritten head may be longer by */

/* Headers that end with a connection (RFC 9110, 7.6.1), and Expect, which the portal settles. */
static bool is_hop_by_hop(struct http_text name)
{
    static const char *const names[] = {"connection", "keep-alive",        "proxy-connection",
                                        "te",         "transfer-encoding", "upgrade",
                                        "expect"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (http_is_word(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* The request for the VM. It is asked to keep the connection, so that the portal closes first and
 * a VM that served has nothing left to wait for. */
static bool rewrite(struct session *s, const struct http_request *request,
                    const struct route *route)
{
    size_t room = request->head.bytes + REWRITE_ROOM;
    char *text = malloc(room);
    if (text == NULL) {
        return false;
    }
    size_t length = (size_t)snprintf(text, room, "%.*s %.*s HTTP/1.1\r\nConnection: keep-alive\r\n",
                                     (int)request->method.length, request->method.at,
                                     (int)route->rest.length, route->rest.at);
    struct http_text rest = request->head.headers;
    struct http_text line = rest;
    struct http_header header;
    while (http_next_header(&rest, &header)) {
        line.length -= rest.length;
        if (!is_hop_by_hop(header.name)) {
            memcpy(&text[length], line.at, line.length);
            length += line.length;
        }
        line = rest;
    }
    length += (size_t)snprintf(&text[length], room - length, "%s\r\n",
                               request->head.hosts == 0 ? "Host: vm\r\n" : "");
    s->to_server = (struct outgoing){text, length, 0};
    return true;
}

static void forward(struct session *s, const struct http_request *request,
                    const struct route *route)
{
    s->group = route->group;
    s->instance = route->instance;
    if (request->head.has_coding) {
        s->keep_alive = false;
        session_error(s, 411, "The portal passes on bodies with a Content-Length only.");
        return;
    }
    if (!rewrite(s, request, route)) {
        session_error(s, 503, "The portal has no memory left.");
        return;
    }
    session_connect(s, route->ipv4);
}

static struct page_options options_of(const struct session *s)
{
    return (struct page_options){.close = !s->keep_alive, .head_only = s->head_only};
}

/* Always the same, as sessions keep one. */
static const struct toklat_peer *groups(uint32_t *count)
{
    static struct toklat_peer all[ROUTE_GROUPS_MAX];
    *count = route_groups(all, system_page());
    return all;
}

/* The form of the index leads to the path that it means. */
static void follow_form(struct session *s, struct http_text target)
{
    char path[64];
    uint32_t count;
    const struct toklat_peer *all = groups(&count);
    const struct toklat_peer *group = route_group(route_query(target, "group"), all, count);
    uint64_t instance = 0;
    if (group == NULL || !http_number(route_query(target, "n"), &instance)) {
        session_error(s, 404, "The form asks for a number and for a group that is deployed.");
        return;
    }
    int length = snprintf(path, sizeof(path), "/vm/%s/%lu", group->name, instance);
    struct http_text location = {path, (size_t)length};
    session_answer(s, pages_redirect(303, location, (struct http_text){"", 0}, options_of(s)));
}

static void answer_own(struct session *s, const struct http_request *request,
                       const struct route *route)
{
    if (!http_is(request->method, "GET") && !http_is(request->method, "HEAD")) {
        session_error(s, 405, "The portal's own pages can only be read.");
    } else if (route->kind == ROUTE_INDEX) {
        session_answer(s, pages_index(options_of(s)));
    } else if (route->kind == ROUTE_DEPLOYMENT) {
        session_answer(s, pages_deployment(options_of(s)));
    } else {
        follow_form(s, request->target);
    }
}

/* Redirects to the same path with its slash; the query stays. */
static void add_slash(struct session *s, struct http_text target)
{
    struct http_text query = {target.at + target.length, 0};
    const char *mark = memchr(target.at, '?', target.length);
    if (mark != NULL) {
        query.at = mark;
        query.length = target.length - (size_t)(mark - target.at);
        target.length -= query.length;
    }
    session_answer(s, pages_redirect(301, target, query, options_of(s)));
}

static void dispatch(struct session *s, const struct http_request *request)
{
    uint32_t count;
    const struct toklat_peer *all = groups(&count);
    struct route route = route_find(request->target, all, count);
    switch (route.kind) {
    case ROUTE_VM:
        forward(s, request, &route);
        break;
    case ROUTE_SLASH:
        add_slash(s, request->target);
        break;
    case ROUTE_NO_GROUP:
        session_error(s, 404, "%s",
                      count == 0 ? "No group of VMs was given to this portal."
                                 : "There is no group of this name.");
        break;
    case ROUTE_NO_INSTANCE:
        session_error(s, 404, "The group %s has the instances 1 to %u.", route.group->name,
                      route.group->count);
        break;
    case ROUTE_NOWHERE:
        session_error(s, 404, "Nothing is here; VMs are at /vm/N/.");
        break;
    default:
        answer_own(s, request, &route);
        break;
    }
}

static void refuse(struct session *s, int status)
{
    s->keep_alive = false;
    s->head_only = false;
    switch (status) {
    case 414:
        session_error(s, 414, "A request line has at most %u bytes.", SESSION_LINE_MAX);
        break;
    case 431:
        session_error(s, 431, "A request's head has at most %u bytes.", SESSION_HEAD_MAX);
        break;
    case 505:
        session_error(s, 505, "The portal speaks HTTP/1.0 and HTTP/1.1.");
        break;
    default:
        session_error(s, 400, "This is no HTTP request.");
        break;
    }
}

bool request_step(struct session *s)
{
    struct http_request request;
    if (s->from_client == NULL) {
        return false;
    }
    if (s->idle) {
        s->idle = false;
        session_deadline(s, SESSION_HEAD_MS);
    }
    struct http_text data = relay_peek(s->from_client);
    int status =
        http_parse_request(&request, data.at, data.length, SESSION_LINE_MAX, SESSION_HEAD_MAX);
    if (status == HTTP_INCOMPLETE) {
        return false;
    }
    if (status != HTTP_OK) {
        refuse(s, status);
        return true;
    }
    relay_consume(s->client, &s->from_client, request.head.bytes);
    s->keep_alive = request.head.keep_alive && !s->refused;
    s->head_only = http_is(request.method, "HEAD");
    s->request_left = request.head.has_length ? request.head.length : 0;
    if (s->refused) {
        session_error(s, 503, "The portal serves %u connections at once.", PORTAL_SESSIONS);
    } else {
        dispatch(s, &request);
    }
    return true;
}
