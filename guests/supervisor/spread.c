/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The median by narrowing.
 */
#include "guests/supervisor/spread.h"

#include <string.h>

void spread_begin(struct spread *s)
{
    memset(s, 0, sizeof(*s));
    s->min = UINT64_MAX;
}

static uint64_t width_of(const struct spread *s)
{
    return (s->high - s->low) / SPREAD_BINS + 1;
}

static void add_to_bin(struct spread *s, uint64_t value)
{
    if (value < s->low) {
        s->below++;
        return;
    }
    if (value > s->high) {
        return;
    }
    uint32_t i = (uint32_t)((value - s->low) / width_of(s));
    if (s->bin[i].count++ == 0) {
        s->bin[i].least = value;
        s->bin[i].most = value;
    }
    s->bin[i].least = value < s->bin[i].least ? value : s->bin[i].least;
    s->bin[i].most = value > s->bin[i].most ? value : s->bin[i].most;
}

void spread_add(struct spread *s, uint64_t value)
{
    if (s->pass > 0) {
        add_to_bin(s, value);
        return;
    }
    s->count++;
    s->sum += value;
    s->min = value < s->min ? value : s->min;
    s->max = value > s->max ? value : s->max;
}

static void narrow(struct spread *s)
{
    uint32_t wanted = (s->count + 1) / 2;
    uint32_t seen = s->below;
    uint64_t low = s->high;
    uint64_t high = s->high;
    for (uint32_t i = 0; i < SPREAD_BINS; i++) {
        seen += s->bin[i].count;
        if (s->bin[i].count > 0 && seen >= wanted) {
            low = s->bin[i].least;
            high = s->bin[i].most;
            break;
        }
    }
    s->low = low;
    s->high = high;
}

bool spread_again(struct spread *s)
{
    if (s->count == 0) {
        s->min = 0;
    }
    if (s->pass == 0) {
        s->low = s->min;
        s->high = s->max;
    } else if (s->low < s->high) {
        narrow(s);
    }
    s->pass++;
    s->below = 0;
    memset(s->bin, 0, sizeof(s->bin));
    s->median = s->low;
    return s->low < s->high && s->pass < SPREAD_PASSES;
}
