/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Least, median, most and sum of very many values in little memory, in a few passes over them. The
 * first pass finds all but the median; each further one counts values in SPREAD_BINS parts of the
 * range that the median is in, until a part holds one value only. The median is the lower one: the
 * least value that at least half of them do not exceed.
 *
 * Values may change between passes, as those of VMs do. Then the median is of the range that was
 * found; the number of passes is bounded.
 */
#ifndef GUESTS_SUPERVISOR_SPREAD_H
#define GUESTS_SUPERVISOR_SPREAD_H

#include <stdbool.h>
#include <stdint.h>

#define SPREAD_BINS 64
#define SPREAD_PASSES 8 /* 64^6 parts are more than there are values of 32 bits */

struct spread {
    uint64_t min, median, max, sum;
    uint32_t count;
    uint32_t pass;
    uint64_t low, high; /* the median is one of these or between them */
    uint32_t below;     /* values below `low` */
    struct {
        uint32_t count;
        uint64_t least, most;
    } bin[SPREAD_BINS];
};

void spread_begin(struct spread *s);

/* A value of this pass. */
void spread_add(struct spread *s, uint64_t value);

/* Ends a pass. True if another is needed. */
bool spread_again(struct spread *s);

/* Whether values are still wanted. */
static inline bool spread_open(const struct spread *s)
{
    return s->pass == 0 || s->low < s->high;
}

#endif
