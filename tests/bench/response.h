/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Responses of HTTP/1.1, as far as the load generator has to understand them: the status, where the
 * body is, and when it is complete. Nothing in them is trusted.
 */
#ifndef TESTS_BENCH_RESPONSE_H
#define TESTS_BENCH_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum response_state { RESPONSE_MORE, RESPONSE_COMPLETE, RESPONSE_MALFORMED };

struct response {
    unsigned status;
    size_t body;   /* offset */
    size_t length; /* of the body */
};

/* Looks at the first `bytes` of a response, of which `room` fit; `ended`: no more will come. The
 * length of a body is Content-Length's, or that of all that comes. */
enum response_state response_parse(const char *text, size_t bytes, size_t room, bool ended,
                                   struct response *response);

/* Whether the body, JSON, has the member `name` with the number `value`. */
bool response_has(const char *body, size_t bytes, const char *name, uint32_t value);

#endif
