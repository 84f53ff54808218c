/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of VM numbers as a few ranges: "2-100,105".
 */
#ifndef GUESTS_SUPERVISOR_RANGES_H
#define GUESTS_SUPERVISOR_RANGES_H

#include "guests/rt/http.h"
#include "guests/supervisor/out.h"

#define RANGES_MAX 64
#define RANGES_NUMBER_MAX UINT32_MAX

struct ranges {
    uint32_t count;
    struct range {
        uint32_t first;
        uint32_t last;
    } at[RANGES_MAX];
};

/* Ranges in ascending order that do not overlap, each with numbers from 1 to RANGES_NUMBER_MAX.
 * False if it is anything else, or more than RANGES_MAX. */
bool ranges_parse(struct ranges *r, struct http_text text);

/* Adds a number that is not there yet; false if that would be one range too many. */
bool ranges_add(struct ranges *r, uint32_t number);

uint64_t ranges_total(const struct ranges *r);
bool ranges_hold(const struct ranges *r, uint32_t number);

/* [[first,last],...] */
void ranges_write(const struct ranges *r, struct out *out);

#endif
