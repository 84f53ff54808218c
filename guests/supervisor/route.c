/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of paths. A path is decoded as a whole, so that an encoded slash is a slash, and then
 * compared segment by segment: "..", "." and empty segments are no names of anything.
 */
#include "guests/supervisor/route.h"

#include "guests/supervisor/query.h"

#define PATH_MAX_BYTES 128

/* In a pattern '#' stands for a VM's number and '@' for an image's name. */
struct route {
    const char *pattern;
    const char *method;
    enum endpoint endpoint;
};

static const struct route routes[] = {
    {"/", "GET", API_DASHBOARD},
    {"/metrics", "GET", API_METRICS},
    {"/v1/health", "GET", API_HEALTH},
    {"/v1/version", "GET", API_VERSION},
    {"/v1/machine", "GET", API_MACHINE},
    {"/v1/images", "GET", API_IMAGES},
    {"/v1/images", "POST", API_IMAGE_UPLOAD},
    {"/v1/images/@", "GET", API_IMAGE},
    {"/v1/images/@", "PATCH", API_IMAGE_PATCH},
    {"/v1/images/@", "DELETE", API_IMAGE_DELETE},
    {"/v1/vms", "GET", API_VMS},
    {"/v1/vms", "POST", API_VMS_CREATE},
    {"/v1/vms", "DELETE", API_VMS_DELETE},
    {"/v1/vms/#", "GET", API_VM},
    {"/v1/vms/#", "DELETE", API_VM_DELETE},
    {"/v1/vms/#/start", "POST", API_VM_START},
    {"/v1/vms/#/pause", "POST", API_VM_PAUSE},
    {"/v1/vms/#/resume", "POST", API_VM_RESUME},
    {"/v1/vms/#/restart", "POST", API_VM_RESTART},
    {"/v1/vms/#/checkpoint", "POST", API_VM_CHECKPOINT},
    {"/v1/vms/#/clone", "POST", API_VM_CLONE},
    {"/v1/vms/#/console", "GET", API_CONSOLE},
    {"/v1/vms/#/console", "POST", API_CONSOLE_WRITE},
    {"/v1/footprint", "GET", API_FOOTPRINT},
    {"/v1/map", "GET", API_MAP},
    {"/v1/histogram", "GET", API_HISTOGRAM},
    {"/v1/events", "GET", API_EVENTS},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* What 405 names; by which of the methods a path has. */
enum { HAS_GET = 1, HAS_POST = 2, HAS_PATCH = 4, HAS_DELETE = 8 };
static const struct {
    unsigned methods;
    const char *allow;
} allows[] = {
    {HAS_GET, "GET, HEAD"},
    {HAS_POST, "POST"},
    {HAS_GET | HAS_POST, "GET, HEAD, POST"},
    {HAS_GET | HAS_DELETE, "GET, HEAD, DELETE"},
    {HAS_GET | HAS_POST | HAS_DELETE, "GET, HEAD, POST, DELETE"},
    {HAS_GET | HAS_PATCH | HAS_DELETE, "GET, HEAD, PATCH, DELETE"},
};

static unsigned method_bit(const char *method)
{
    switch (method[0]) {
    case 'G':
        return HAS_GET;
    case 'D':
        return HAS_DELETE;
    default:
        return method[1] == 'O' ? HAS_POST : HAS_PATCH;
    }
}

static const char *allow_of(unsigned methods)
{
    for (size_t i = 0; i < sizeof(allows) / sizeof(allows[0]); i++) {
        if (allows[i].methods == methods) {
            return allows[i].allow;
        }
    }
    return "GET, HEAD";
}

/* Takes a segment, without its slash, from the front of a path that begins with one. */
static struct http_text take_segment(struct http_text *path)
{
    const char *begin = path->at + 1;
    size_t left = path->length - 1;
    const char *end = memchr(begin, '/', left);
    struct http_text segment = {begin, end != NULL ? (size_t)(end - begin) : left};
    path->at = begin + segment.length;
    path->length = left - segment.length;
    return segment;
}

static bool fits(const char *pattern, struct http_text path, struct http_text *variable)
{
    struct http_text rest = {pattern, strlen(pattern)};
    while (rest.length > 0 && path.length > 0) {
        struct http_text wanted = take_segment(&rest);
        struct http_text given = take_segment(&path);
        bool any = wanted.length == 1 && (*wanted.at == '#' || *wanted.at == '@');
        if (any) {
            *variable = given;
        }
        bool same = given.length == wanted.length && memcmp(given.at, wanted.at, given.length) == 0;
        if (any ? given.length == 0 : !same) {
            return false;
        }
    }
    return rest.length == 0 && path.length == 0;
}

bool request_name(char to[TOKLAT_NAME_BYTES], struct http_text text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        char small = (char)(c | 0x20);
        bool mark = c == '-' || c == '_' || c == '.';
        if (!mark && (c < '0' || c > '9') && (small < 'a' || small > 'z')) {
            return false;
        }
    }
    if (text.length == 0 || text.length >= TOKLAT_NAME_BYTES || text.at[0] == '.') {
        return false;
    }
    memset(to, 0, TOKLAT_NAME_BYTES);
    memcpy(to, text.at, text.length);
    return true;
}

static bool take_variable(struct request *r, const char *pattern, struct http_text text,
                          struct problem *p)
{
    if (strchr(pattern, '#') != NULL) {
        uint64_t number;
        if (!http_number(text, &number) || number < 1 || number > RANGES_NUMBER_MAX) {
            return problem_field(p, 404, "number", text, "from 1 to %u", RANGES_NUMBER_MAX);
        }
        r->number = (uint32_t)number;
    }
    if (strchr(pattern, '@') != NULL && !request_name(r->name, text)) {
        return problem_field(p, 404, "name", text, "a name of 1 to %u letters, digits, '-', '_'",
                             TOKLAT_NAME_BYTES - 1);
    }
    return true;
}

bool route_find(struct request *r, struct http_text method, struct http_text path,
                struct problem *p)
{
    char decoded[PATH_MAX_BYTES];
    size_t length;
    unsigned methods = 0;
    if (path.length >= PATH_MAX_BYTES) {
        return problem_field(p, 404, "path", path, "no path is longer than %u bytes",
                             PATH_MAX_BYTES - 1);
    }
    if (!query_decode(path, decoded, sizeof(decoded), &length) || decoded[0] != '/') {
        return problem_field(p, 400, "path", path, "UTF-8, percent-encoded, from '/' on");
    }
    for (size_t i = 0; i < ROUTES; i++) {
        struct http_text variable = {"", 0};
        if (!fits(routes[i].pattern, (struct http_text){decoded, length}, &variable)) {
            continue;
        }
        bool head = http_is(method, "HEAD") && routes[i].method[0] == 'G';
        if (head || http_is(method, routes[i].method)) {
            r->endpoint = (uint8_t)routes[i].endpoint;
            return take_variable(r, routes[i].pattern, variable, p);
        }
        methods |= method_bit(routes[i].method);
    }
    if (methods == 0) {
        return problem_field(p, 404, "path", path, "nothing is here; docs/api.yaml says what is");
    }
    problem_field(p, 405, "method", method, "%s", allow_of(methods));
    p->allow = allow_of(methods);
    return false;
}
