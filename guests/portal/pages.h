/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the portal itself answers. Each function returns a whole HTTP response, head and body, in
 * one block from malloc that becomes the caller's; `at` is NULL if there is no memory. `close`
 * puts "Connection: close" into it, `head_only` leaves the body out.
 */
#ifndef GUESTS_PORTAL_PAGES_H
#define GUESTS_PORTAL_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "guests/portal/route.h"

struct page {
    char *at;
    size_t length;
};

struct page_options {
    bool close;
    bool head_only;
};

/* The list of what is deployed, in HTML and as JSON. */
struct page pages_index(struct page_options options);
struct page pages_deployment(struct page_options options);

/* A status with a sentence that says why. */
struct page pages_error(unsigned status, const char *reason, struct page_options options);

/* A redirect to `path`, a slash, and `query`, which is empty or begins with its question mark.
 * Together they are shorter than SESSION_LINE_MAX. */
struct page pages_redirect(unsigned status, struct http_text path, struct http_text query,
                           struct page_options options);

#endif
