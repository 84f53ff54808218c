/* SPDX-License-Identifier: BSD-2-Clause */
// sources: guests/rt/http.c guests/portal/route.c
/*
 * Any bytes as the head of a request and of a response: what is found lies inside it, a head that
 * is taken stays the same when more bytes follow, and its target leads somewhere without harm.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "guests/portal/route.h"
#include "guests/rt/http.h"

#define LINE_MAX 64
#define HEAD_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_inside(struct http_text text, const char *data, size_t n)
{
    if (text.at < data || text.length > n || (size_t)(text.at - data) > n - text.length) {
        abort();
    }
}

static void check_headers(const struct http_head *head, const char *data, size_t n)
{
    struct http_text rest = head->headers;
    struct http_header header;
    check_inside(rest, data, n);
    while (http_next_header(&rest, &header)) {
        check_inside(header.name, data, n);
        check_inside(header.value, data, n);
    }
    if (rest.length != 0 || head->bytes > n) {
        abort();
    }
}

static void check_request(const char *data, size_t n)
{
    static const struct toklat_peer groups[] = {{.name = "web", .count = 10}};
    struct http_request request;
    struct http_request again;
    if (http_parse_request(&request, data, n, LINE_MAX, HEAD_MAX) != HTTP_OK) {
        return;
    }
    check_headers(&request.head, data, n);
    if (request.target.length > 1) { /* the target of http://host is the constant "/" */
        check_inside(request.target, data, n);
    }
    if (http_parse_request(&again, data, request.head.bytes, LINE_MAX, HEAD_MAX) != HTTP_OK ||
        again.head.bytes != request.head.bytes) {
        abort();
    }
    struct route route = route_find(request.target, groups, 1);
    if (route.kind == ROUTE_VM && (route.instance < 1 || route.instance > 10)) {
        abort();
    }
    (void)route_query(request.target, "n");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct http_response response;
    const char *data = (const char *)bytes;
    check_request(data, n);
    if (http_parse_response(&response, data, n, HEAD_MAX) == HTTP_OK) {
        check_headers(&response.head, data, n);
    }
    return 0;
}
