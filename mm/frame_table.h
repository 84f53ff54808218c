/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of the frame table, for the files that make it up. Frames are called by their index
 * in the table here.
 */
#ifndef MM_FRAME_TABLE_H
#define MM_FRAME_TABLE_H

#include "core/base/log.h"
#include "mm/frame.h"

/* `use`: kind in the upper 4 bits, owner in the lower 28. */
struct frame {
    uint32_t refs;
    uint32_t use;
} __attribute__((aligned(8))); /* both are set by one store */

#define OWNER_BITS 28
#define OWNER_MASK ((1u << OWNER_BITS) - 1)
#define KIND_HOLE 15u /* inside the table's span, but not RAM */
#define NO_FRAME UINT32_MAX

/* Frames that move between the CPUs' caches and what they share, at a time. */
#define BATCH_FRAMES 32
#define CACHE_FRAMES (3 * BATCH_FRAMES)

struct frame_cache {
    uint32_t used;
    uint32_t frames[CACHE_FRAMES];
    uint64_t counts[FRAME_KINDS];
} __attribute__((aligned(64)));

struct frame_map {
    struct frame *table;
    uint64_t base; /* address of the table's first frame, aligned to the largest block */
    uint32_t count;
    uint64_t total;
    struct frame_cache *caches[CPUS_MAX];
};

extern struct frame_map frame_map;

static inline uint32_t use_of(uint32_t kind, uint32_t owner)
{
    return kind << OWNER_BITS | (owner & OWNER_MASK);
}

/* Other CPUs look at the use of a frame while they look for a buddy. */
static inline uint32_t use_get(uint32_t i)
{
    return __atomic_load_n(&frame_map.table[i].use, __ATOMIC_RELAXED);
}

static inline void use_set(uint32_t i, uint32_t use)
{
    __atomic_store_n(&frame_map.table[i].use, use, __ATOMIC_RELAXED);
}

static inline void entry_set(uint32_t i, uint32_t refs, uint32_t use)
{
    struct frame f = {refs, use};
    __atomic_store(&frame_map.table[i], &f, __ATOMIC_RELAXED);
}

static inline pa_t frame_pa(uint32_t i)
{
    return PA(frame_map.base + ((uint64_t)i << PAGE_SHIFT));
}

static inline uint32_t frame_index(pa_t pa)
{
    uint64_t i = (pa.v - frame_map.base) >> PAGE_SHIFT;
    CHECK(i < frame_map.count);
    return (uint32_t)i;
}

/* What firmware says is used may end anywhere, or wrap. */
static inline uint64_t frame_range_end(struct frame_range range)
{
    uint64_t end = range.base.v + range.bytes;
    return end < range.base.v ? UINT64_MAX : end;
}

/* The part of a range that the table spans, [*at, *end); empty if *at >= *end. */
static inline void frame_clip(struct frame_range range, uint64_t *at, uint64_t *end)
{
    uint64_t table_end = frame_map.base + ((uint64_t)frame_map.count << PAGE_SHIFT);
    *at = MIN(MAX(range.base.v, frame_map.base), table_end);
    *end = MIN(frame_range_end(range), table_end);
}

/* Only this CPU writes its counts; others may read them at any time. Free frames are not counted:
 * they are the rest. */
static inline void count_add(struct frame_cache *c, enum frame_kind kind, uint64_t n)
{
    uint64_t *count = &c->counts[kind];
    __atomic_store_n(count, *count + n, __ATOMIC_RELAXED);
}

/* References, in line: for walks over whole tables. */

static inline void frame_ref_now(pa_t pa)
{
    __atomic_fetch_add(&frame_map.table[frame_index(pa)].refs, 1, __ATOMIC_RELAXED);
}

/* Frees a frame that nobody refers to any more. */
void frame_free(uint32_t i);

static inline bool frame_unref_now(pa_t pa)
{
    uint32_t i = frame_index(pa);
    uint32_t *refs = &frame_map.table[i].refs;
    uint32_t seen = __atomic_load_n(refs, __ATOMIC_ACQUIRE); /* partner: the release below */
    CHECK(seen != 0);
    /* Nobody can add to a single reference that is the caller's. */
    if (seen > 1 && __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL) != 0) {
        return false;
    }
    frame_free(i);
    return true;
}

#endif
