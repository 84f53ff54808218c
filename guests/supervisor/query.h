/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Percent-encoding (RFC 3986, section 2.1) and queries. A plus is a plus.
 */
#ifndef GUESTS_SUPERVISOR_QUERY_H
#define GUESTS_SUPERVISOR_QUERY_H

#include "guests/rt/http.h"

/* Decodes into `to`, a NUL behind it. False if it is longer than size - 1 bytes, if a '%' is not
 * followed by two hexadecimal digits, or if the result is no UTF-8 or has control characters. */
bool query_decode(struct http_text text, char *to, size_t size, size_t *length);

/* Splits "a=1&b=2" at the first '&': the piece before it, its name and its value, both encoded. */
bool query_next(struct http_text *rest, struct http_text *name, struct http_text *value);

#endif
