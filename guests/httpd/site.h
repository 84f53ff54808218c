/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What there is to see: documents for requests.
 */
#ifndef GUESTS_HTTPD_SITE_H
#define GUESTS_HTTPD_SITE_H

#include <stddef.h>

#include "guests/rt/http.h"

/* A static file; files.S lays the table out. */
struct site_file {
    const char *path;
    const char *type;
    const char *data;
    size_t length;
};

_Static_assert(sizeof(struct site_file) == 32, "as in files.S");

/* An answer. The body is constant (guests/rt/image.h) or else from malloc and the receiver's. */
struct document {
    unsigned status;
    const char *type;
    const char *body;
    size_t length;
};

/* Finds or makes the answer to a sound request. Without memory it is a constant 503. */
void site_answer(struct document *document, const struct http_request *request);

/* The answer to a request that is refused with `status`. */
void site_refuse(struct document *document, unsigned status);

#endif
