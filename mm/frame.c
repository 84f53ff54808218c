/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame table, and a cache of free frames for each CPU.
 *
 *      frame_alloc <-> cache of this CPU <-- batches, under a lock --> mm/buddy.c
 *
 * Invariants: a free frame is in one cache or in the buddy system. The counts of all CPUs, added
 * up, say how many frames of each kind there are; one CPU's alone may be negative, and wraps.
 */
#include "arch/cpu.h"
#include "core/base/string.h"
#include "mm/buddy.h"

struct frame_map frame_map;

/* Out of line, so that the fast path saves no registers for it. */
#define SLOW __attribute__((noinline))

/* The frames that were freed last, and so are in the CPU's cache, stay. */
static SLOW void cache_spill(struct frame_cache *c)
{
    buddy_give_batch(c->frames);
    c->used -= BATCH_FRAMES;
    memmove(c->frames, c->frames + BATCH_FRAMES, c->used * sizeof(c->frames[0]));
}

static SLOW bool cache_fill(struct frame_cache *c)
{
    c->used = buddy_take_batch(c->frames);
    return c->used > 0;
}

void frame_free(uint32_t i)
{
    struct frame_cache *c = frame_map.caches[cpu_index()];
    count_add(c, (enum frame_kind)(use_get(i) >> OWNER_BITS), -1ull);
    entry_set(i, 0, use_of(FRAME_FREE, 0));
    if (unlikely(c->used == CACHE_FRAMES)) {
        cache_spill(c);
    }
    c->frames[c->used++] = i;
}

enum err frame_alloc(enum frame_kind kind, uint32_t owner, pa_t *out)
{
    struct frame_cache *c = frame_map.caches[cpu_index()];
    if (unlikely(c->used == 0) && !cache_fill(c)) {
        return ERR_NO_MEMORY;
    }
    uint32_t i = c->frames[--c->used];
    entry_set(i, 1, use_of(kind, owner));
    count_add(c, kind, 1);
    *out = frame_pa(i);
    return OK;
}

void frame_spill(void)
{
    struct frame_cache *c = frame_map.caches[cpu_index()];
    buddy_give(c->frames, c->used);
    c->used = 0;
}

enum err frame_alloc_block(enum frame_kind kind, uint32_t owner, unsigned order, pa_t *out)
{
    CHECK(order <= FRAME_ORDER_MAX);
    struct frame_cache *c = frame_map.caches[cpu_index()];
    uint32_t first = buddy_take_block(order);
    if (first == NO_FRAME && c->used > 0) {
        frame_spill();
        first = buddy_take_block(order);
    }
    if (first == NO_FRAME) {
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = first; i < first + (1u << order); i++) {
        entry_set(i, 1, use_of(kind, owner));
    }
    count_add(c, kind, 1u << order);
    *out = frame_pa(first);
    return OK;
}

/* References. */

void frame_ref(pa_t pa)
{
    frame_ref_now(pa);
}

bool frame_unref(pa_t pa)
{
    return frame_unref_now(pa);
}

void frame_unref_block(pa_t pa, unsigned order)
{
    for (uint64_t i = 0; i < 1ull << order; i++) {
        (void)frame_unref_now(PA(pa.v + i * PAGE_SIZE));
    }
}

bool frame_unref_unless_last(pa_t pa)
{
    uint32_t *refs = &frame_map.table[frame_index(pa)].refs;
    uint32_t seen = __atomic_load_n(refs, __ATOMIC_ACQUIRE); /* partner: the release below */
    while (seen > 1) {
        if (__atomic_compare_exchange_n(refs, &seen, seen - 1, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            return true;
        }
    }
    CHECK(seen == 1);
    return false;
}

uint32_t frame_refs(pa_t pa)
{
    return __atomic_load_n(&frame_map.table[frame_index(pa)].refs, __ATOMIC_ACQUIRE);
}

enum frame_kind frame_kind(pa_t pa)
{
    return (enum frame_kind)(use_get(frame_index(pa)) >> OWNER_BITS);
}

uint32_t frame_owner(pa_t pa)
{
    uint32_t use = use_get(frame_index(pa));
    return use >> OWNER_BITS == FRAME_FREE ? FRAME_OWNER_NONE : use & OWNER_MASK;
}

void frame_assign(pa_t pa, enum frame_kind kind, uint32_t owner)
{
    uint32_t i = frame_index(pa);
    enum frame_kind old = (enum frame_kind)(use_get(i) >> OWNER_BITS);
    CHECK(old != FRAME_FREE && old < FRAME_KINDS && kind != FRAME_FREE);
    struct frame_cache *c = frame_map.caches[cpu_index()];
    count_add(c, old, -1ull);
    count_add(c, kind, 1);
    use_set(i, use_of(kind, owner));
}

bool frame_is_ram(pa_t pa)
{
    uint64_t i = (pa.v - frame_map.base) >> PAGE_SHIFT;
    return i < frame_map.count && use_get((uint32_t)i) >> OWNER_BITS != KIND_HOLE;
}

void frame_release_range(struct frame_range range)
{
    uint64_t at, end;
    frame_clip(range, &at, &end);
    end = ALIGN_DOWN(end, PAGE_SIZE);
    for (at = ALIGN_UP(at, PAGE_SIZE); at < end; at += PAGE_SIZE) {
        uint32_t i = frame_index(PA(at));
        if (use_get(i) == use_of(FRAME_EL2, FRAME_OWNER_NONE)) {
            entry_set(i, 0, use_of(FRAME_FREE, 0));
            count_add(frame_map.caches[cpu_index()], FRAME_EL2, -1ull);
            buddy_give(&i, 1);
        }
    }
}

static uint64_t count_of(const struct frame_cache *c, unsigned kind)
{
    return __atomic_load_n(&c->counts[kind], __ATOMIC_RELAXED);
}

/* What is free is counted as the rest, so that taking a frame moves one counter, not two. */
static uint64_t count_free(void)
{
    uint64_t used = 0;
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        const struct frame_cache *c = frame_map.caches[cpu];
        for (unsigned k = FRAME_FREE + 1; k < FRAME_KINDS; k++) {
            used += count_of(c, k);
        }
    }
    return frame_map.total - used;
}

uint64_t frame_count(enum frame_kind kind)
{
    if (kind == FRAME_FREE) {
        return count_free();
    }
    uint64_t n = 0;
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        n += count_of(frame_map.caches[cpu], kind);
    }
    return n;
}

uint64_t frame_total(void)
{
    return frame_map.total;
}
