/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bearer token (RFC 6750), and how often one may guess.
 */
#ifndef GUESTS_SUPERVISOR_TOKEN_H
#define GUESTS_SUPERVISOR_TOKEN_H

#include "guests/rt/http.h"

#define TOKEN_CHARACTERS 64

/* Finds "token=" and 64 hexadecimal digits among the words of `args`. False if they are not there
 * or not as they should be. */
bool token_from_args(char token[TOKEN_CHARACTERS], const char *args);

/* Whether the value of an Authorization header is "Bearer " and `token`. Takes the same time
 * wherever they differ. */
bool token_matches(const char token[TOKEN_CHARACTERS], struct http_text authorization);

/* Requests with a wrong token: so many at once, and as many a second. */
#define BUCKET_SIZE 20

struct bucket {
    uint64_t level_ns; /* when it was, or will be, full again */
};

/* Takes one; false if there is none left. */
bool bucket_take(struct bucket *bucket, uint64_t now_ns);

#endif
