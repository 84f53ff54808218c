/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The portal's own pages, composed into a buffer of fixed size and then copied into a block that
 * is as long as it has to be.
 */
#include "guests/portal/pages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guests/portal/session.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/time.h"

#define BODY_BYTES_MAX 8192 /* eight groups need at most 7 KiB */
#define LOCATION_BYTES_MAX (SESSION_LINE_MAX + 16)
#define HEAD_BYTES_MAX (LOCATION_BYTES_MAX + 256)
#define LINKS_PER_GROUP 12
#define HTML "text/html; charset=utf-8"

static struct {
    char text[BODY_BYTES_MAX];
    size_t length;
} body;

static void begin(void)
{
    body.length = 0;
}

static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = sizeof(body.text) - body.length;
    size_t length = (size_t)vsnprintf(&body.text[body.length], room, format, args);
    va_end(args);
    body.length += length < room ? length : room - 1;
}

/* `extra` is further header lines, each with its CRLF. */
static struct page finish(unsigned status, const char *type, const char *extra,
                          struct page_options options)
{
    char date[TIME_HTTP_BYTES + 8] = "";
    char head[HEAD_BYTES_MAX];
    uint64_t wall_ns = time_wall_ns();
    if (wall_ns != 0) {
        memcpy(date, "Date: ", 6);
        time_format_http(&date[6], wall_ns);
        memcpy(&date[strlen(date)], "\r\n", 3);
    }
    size_t length =
        (size_t)snprintf(head, sizeof(head),
                         "HTTP/1.1 %u %s\r\n%s%sContent-Type: %s\r\nContent-Length: %zu\r\n"
                         "Cache-Control: no-store\r\nConnection: %s\r\n\r\n",
                         status, http_reason(status), date, extra, type, body.length,
                         options.close ? "close" : "keep-alive");
    size_t body_length = options.head_only ? 0 : body.length;
    struct page page = {malloc(length + body_length), length + body_length};
    if (page.at != NULL) {
        memcpy(page.at, head, length);
        memcpy(&page.at[length], body.text, body_length);
    }
    return page;
}

static void add_top(const char *title)
{
    add("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:44em;margin:2em auto;"
        "padding:0 1em;color:#1c2b33;background:#fbfaf7}a{color:#16607a}"
        "table{border-collapse:collapse}th,td{text-align:left;padding:.25em 1.5em .25em 0;"
        "border-bottom:1px solid #d8d4c8}</style></head>\n<body><h1>%s</h1>\n",
        title, title);
}

static const struct toklat_peer *groups(uint32_t *count)
{
    const struct toklat_system_page *page = system_page();
    *count = page->peer_count < TOKLAT_PEERS_MAX ? page->peer_count : TOKLAT_PEERS_MAX;
    return page->peers;
}

static void add_group(const struct toklat_peer *group)
{
    uint8_t last[4];
    const uint8_t *first = group->ipv4_first;
    route_address(last, group, group->count);
    add("<tr><td>%s<td>%u<td>%u.%u.%u.%u to %u.%u.%u.%u<td>", group->name, group->count, first[0],
        first[1], first[2], first[3], last[0], last[1], last[2], last[3]);
    for (uint32_t n = 1; n <= group->count && n <= LINKS_PER_GROUP; n++) {
        add("<a href=\"/vm/%s/%u/\">%u</a> ", group->name, n, n);
    }
    add("%s\n", group->count > LINKS_PER_GROUP ? "&hellip;" : "");
}

struct page pages_index(struct page_options options)
{
    uint32_t count;
    const struct toklat_peer *group = groups(&count);
    begin();
    add_top("Toklat");
    add("<p>Virtual machines on this board, by group.</p>\n"
        "<table><tr><th>Group<th>Instances<th>Addresses<th>Open\n");
    for (uint32_t i = 0; i < count; i++) {
        add_group(&group[i]);
    }
    add("</table>\n<form action=\"/go\"><p>Go to instance <input name=\"n\" size=\"8\" "
        "inputmode=\"numeric\" required> of <select name=\"group\">");
    for (uint32_t i = 0; i < count; i++) {
        add("<option>%s</option>", group[i].name);
    }
    add("</select> <button>Open</button></p></form>\n"
        "<p>Addresses: <code>/vm/N/</code> for instance N of the first group, "
        "<code>/vm/GROUP/N/</code> for any. <a href=\"/deployment.json\">This list as "
        "JSON</a>.</p></body></html>\n");
    return finish(200, HTML, "", options);
}

struct page pages_deployment(struct page_options options)
{
    uint32_t count;
    const struct toklat_peer *group = groups(&count);
    begin();
    add("{\"groups\": [");
    for (uint32_t i = 0; i < count; i++) {
        uint8_t last[4];
        const uint8_t *first = group[i].ipv4_first;
        route_address(last, &group[i], group[i].count);
        add("%s{\"name\": \"%s\", \"count\": %u, \"first_ipv4\": \"%u.%u.%u.%u\", "
            "\"last_ipv4\": \"%u.%u.%u.%u\", \"path\": \"/vm/%s/\"}",
            i > 0 ? ", " : "", group[i].name, group[i].count, first[0], first[1], first[2],
            first[3], last[0], last[1], last[2], last[3], group[i].name);
    }
    add("]}\n");
    return finish(200, "application/json", "", options);
}

struct page pages_error(unsigned status, const char *reason, struct page_options options)
{
    char title[64];
    snprintf(title, sizeof(title), "%u %s", status, http_reason(status));
    begin();
    add_top(title);
    add("<p>%s</p>\n<p><a href=\"/\">What is deployed</a></p></body></html>\n", reason);
    return finish(status, HTML, status == 405 ? "Allow: GET, HEAD\r\n" : "", options);
}

struct page pages_redirect(unsigned status, struct http_text path, struct http_text query,
                           struct page_options options)
{
    char location[LOCATION_BYTES_MAX];
    snprintf(location, sizeof(location), "Location: %.*s/%.*s\r\n", (int)path.length, path.at,
             (int)query.length, query.at);
    begin();
    return finish(status, HTML, location, options);
}
