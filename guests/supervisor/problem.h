/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Refusals: what becomes a problem document (RFC 9457) that names field, value and limit.
 */
#ifndef GUESTS_SUPERVISOR_PROBLEM_H
#define GUESTS_SUPERVISOR_PROBLEM_H

#include "guests/rt/http.h"
#include "guests/supervisor/out.h"

struct problem {
    uint16_t status;   /* 0: there is none */
    uint16_t retry_s;  /* Retry-After; 0: none */
    const char *allow; /* of a 405 */
    char field[48];    /* "": `limit` is the whole detail */
    char value[48];    /* cut when it is longer */
    char limit[144];
};

/* A refusal without a field. Those of HTTP itself (411, 431, ...) are of this kind. Both return
 * false, for a caller that does the same. */
bool problem_plain(struct problem *p, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool problem_field(struct problem *p, unsigned status, const char *field, struct http_text value,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same for a value that is a number. */
bool problem_number(struct problem *p, unsigned status, const char *field, uint64_t value,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* What EL2 says of an image: "field: value: limit", or "where: field: value: limit N". */
void problem_from_text(struct problem *p, unsigned status, const char *text, size_t length);

void problem_write(const struct problem *p, struct out *out);

static inline struct http_text text_of(const char *text)
{
    return (struct http_text){text, strlen(text)};
}

#endif
