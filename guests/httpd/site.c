/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The site: the VM's own page in HTML and in JSON, and static files. A query is ignored.
 */
#include "guests/httpd/site.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guests/rt/hypercall.h"
#include "guests/rt/random.h"
#include "guests/rt/time.h"

#define HTML "text/html; charset=utf-8"
#define JSON "application/json"
#define PAGE_BYTES_MAX 1280 /* with its head it fits one segment */

extern const struct site_file site_files[];

static uint64_t requests_served;

/* Formats into a new block; a 503 without a body if there is no memory. */
static void compose(struct document *document, const char *type, const char *format, ...)
{
    char *body = malloc(PAGE_BYTES_MAX);
    if (body == NULL) {
        *document = (struct document){.status = 503, .type = HTML, .body = ""};
        return;
    }
    va_list args;
    va_start(args, format);
    size_t length = (size_t)vsnprintf(body, PAGE_BYTES_MAX, format, args);
    va_end(args);
    document->type = type;
    document->body = body;
    document->length = length < PAGE_BYTES_MAX ? length : PAGE_BYTES_MAX - 1;
}

static size_t bytes_of(uint32_t pages)
{
    return (size_t)pages * TOKLAT_PAGE_BYTES;
}

static void status_page(struct document *document)
{
    const struct toklat_system_page *page = system_page();
    char wall[TIME_ISO8601_BYTES] = "unknown";
    uint64_t wall_ns = time_wall_ns();
    if (wall_ns != 0) {
        time_format_iso8601(wall, wall_ns);
    }
    uint64_t virtual_us = time_virtual_ns() / 1000;
    compose(document, HTML,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<title>%s %u</title><link rel=\"stylesheet\" href=\"style.css\"></head>\n"
            "<body><h1><img src=\"toklat.svg\" alt=\"\"> %s %u</h1>\n"
            "<p>A virtual machine of its own, cloned from a template that booted once.</p>\n<table>"
            "<tr><th>VM number<td>%u\n<tr><th>Instance<td>%u\n<tr><th>Generation<td>%016lx\n"
            "<tr><th>Wall time<td>%s\n<tr><th>Virtual time<td>%lu.%06lu s\n"
            "<tr><th>Requests served<td>%lu\n"
            "<tr><th>Private memory<td>%zu bytes\n<tr><th>Shared with its template<td>%zu bytes\n"
            "<tr><th>Translation tables<td>%zu bytes\n<tr><th>Descriptor<td>%u bytes\n"
            "</table>\n<p><a href=\"status.json\">The same as JSON</a>, "
            "<a href=\"about.html\">what this is</a>.</p></body></html>\n",
            page->name, page->instance, page->name, page->instance, page->vm_number, page->instance,
            page->generation, wall, virtual_us / 1000000, virtual_us % 1000000, requests_served,
            bytes_of(page->private_pages), bytes_of(page->shared_pages),
            bytes_of(page->table_pages), page->descriptor_bytes);
}

static void status_json(struct document *document)
{
    const struct toklat_system_page *page = system_page();
    const uint8_t *ip = page->ipv4;
    const uint8_t *mac = page->mac;
    compose(document, JSON,
            "{\"vm\": %u, \"instance\": %u, \"image\": \"%s\", \"generation\": \"%016lx\", "
            "\"wall_ns\": %lu, \"virtual_ns\": %lu, \"requests\": %lu, \"private_bytes\": %zu, "
            "\"shared_bytes\": %zu, \"stage2_bytes\": %zu, \"descriptor_bytes\": %u, "
            "\"ipv4\": \"%u.%u.%u.%u\", \"mac\": \"%02x:%02x:%02x:%02x:%02x:%02x\", "
            "\"random\": \"%016lx\"}\n",
            page->vm_number, page->instance, page->name, page->generation, time_wall_ns(),
            time_virtual_ns(), requests_served, bytes_of(page->private_pages),
            bytes_of(page->shared_pages), bytes_of(page->table_pages), page->descriptor_bytes,
            ip[0], ip[1], ip[2], ip[3], mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
            random_u64());
}

void site_refuse(struct document *document, unsigned status)
{
    document->status = status;
    compose(document, HTML,
            "<!DOCTYPE html>\n<html lang=\"en\"><title>%u %s</title><h1>%u %s</h1></html>\n",
            status, http_reason(status), status, http_reason(status));
}

static struct http_text path_of(const struct http_request *request)
{
    struct http_text path = request->target;
    const char *query = memchr(path.at, '?', path.length);
    if (query != NULL) {
        path.length = (size_t)(query - path.at);
    }
    return path;
}

static const struct site_file *find_file(struct http_text path)
{
    for (const struct site_file *file = site_files; file->path != NULL; file++) {
        if (http_is(path, file->path)) {
            return file;
        }
    }
    return NULL;
}

void site_answer(struct document *document, const struct http_request *request)
{
    struct http_text path = path_of(request);
    const struct site_file *file = find_file(path);
    requests_served++;
    *document = (struct document){.status = HTTP_OK};
    if (!http_is(request->method, "GET") && !http_is(request->method, "HEAD")) {
        site_refuse(document, 405);
    } else if (http_is(path, "/")) {
        status_page(document);
    } else if (http_is(path, "/status.json")) {
        status_json(document);
    } else if (file != NULL) {
        document->type = file->type;
        document->body = file->data;
        document->length = file->length;
    } else {
        site_refuse(document, 404);
    }
}
