/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ranges of VM numbers.
 */
#include "guests/supervisor/ranges.h"

static struct http_text take_until(struct http_text *rest, char mark, bool *found)
{
    struct http_text taken = *rest;
    const char *at = memchr(rest->at, mark, rest->length);
    *found = at != NULL;
    if (at != NULL) {
        taken.length = (size_t)(at - rest->at);
        rest->at = at + 1;
        rest->length -= taken.length + 1;
    }
    return taken;
}

static bool parse_number(struct http_text text, uint32_t *number)
{
    uint64_t value;
    if (!http_number(text, &value) || value < 1 || value > RANGES_NUMBER_MAX) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

bool ranges_parse(struct ranges *r, struct http_text text)
{
    bool more = true;
    uint64_t least = 1;
    for (r->count = 0; more; r->count++) {
        bool pair;
        struct range range;
        struct http_text last = take_until(&text, ',', &more);
        struct http_text first = take_until(&last, '-', &pair);
        if (r->count == RANGES_MAX || !parse_number(first, &range.first) ||
            !parse_number(pair ? last : first, &range.last) || range.first < least ||
            range.last < range.first) {
            return false;
        }
        r->at[r->count] = range;
        least = (uint64_t)range.last + 1;
    }
    return true;
}

static void remove_range(struct ranges *r, uint32_t i)
{
    r->count--;
    memmove(&r->at[i], &r->at[i + 1], (r->count - i) * sizeof(r->at[0]));
}

bool ranges_add(struct ranges *r, uint32_t number)
{
    uint32_t i = 0; /* of the first range that begins behind the number */
    while (i < r->count && r->at[i].first < number) {
        i++;
    }
    bool before = i > 0 && r->at[i - 1].last + 1 == number;
    bool behind = i < r->count && number + 1 == r->at[i].first;
    if (before && behind) {
        r->at[i - 1].last = r->at[i].last;
        remove_range(r, i);
    } else if (before) {
        r->at[i - 1].last = number;
    } else if (behind) {
        r->at[i].first = number;
    } else if (r->count == RANGES_MAX) {
        return false;
    } else {
        memmove(&r->at[i + 1], &r->at[i], (r->count - i) * sizeof(r->at[0]));
        r->at[i] = (struct range){number, number};
        r->count++;
    }
    return true;
}

uint64_t ranges_total(const struct ranges *r)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        total += (uint64_t)r->at[i].last - r->at[i].first + 1;
    }
    return total;
}

bool ranges_hold(const struct ranges *r, uint32_t number)
{
    for (uint32_t i = 0; i < r->count; i++) {
        if (number >= r->at[i].first && number <= r->at[i].last) {
            return true;
        }
    }
    return false;
}

void ranges_write(const struct ranges *r, struct out *out)
{
    out_char(out, '[');
    for (uint32_t i = 0; i < r->count; i++) {
        out_field(out, i > 0 ? ",[" : "[", r->at[i].first);
        out_field(out, ",", r->at[i].last);
        out_char(out, ']');
    }
    out_char(out, ']');
}
