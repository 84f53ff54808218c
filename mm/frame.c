/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame table, a cache of free frames for each CPU, and the buddy system that they share.
 *
 *      frame_alloc <-> cache of this CPU <-- batches, under the lock --> buddy lists, by order
 *
 * Invariants: a free frame is in one cache, or in one block on the buddy list of its order; two
 * buddies of an order below the largest are never both on its list. Only the first frame of a
 * listed block is marked BUDDY_HEAD. The counts of all CPUs, added up, say how many frames of
 * each kind there are; one CPU's alone may be negative, and wraps.
 */
#include "mm/frame.h"
#include "arch/cpu.h"
#include "arch/lock.h"
#include "arch/memory.h"
#include "core/base/list.h"
#include "core/base/log.h"
#include "core/base/string.h"

/* `use`: kind in the upper 4 bits, owner in the lower 28. */
struct frame {
    uint32_t refs;
    uint32_t use;
} __attribute__((aligned(8))); /* both are set by one store */

#define OWNER_BITS 28
#define OWNER_MASK ((1u << OWNER_BITS) - 1)
#define KIND_HOLE 15u     /* inside the table's span, but not RAM */
#define BUDDY_HEAD 0x100u /* as owner of a free frame, with the order */
#define ORDERS (FRAME_ORDER_MAX + 1)
#define NO_FRAME UINT32_MAX

/* Out of line, so that the fast path saves no registers for it. */
#define SLOW __attribute__((noinline))

#define CACHE_FRAMES 96
#define CACHE_BATCH 32 /* frames that move between a cache and the buddy system at a time */

struct cache {
    uint32_t used;
    uint32_t frames[CACHE_FRAMES];
    uint64_t counts[FRAME_KINDS];
} __attribute__((aligned(64)));

static struct {
    struct frame *table;
    uint64_t base; /* address of the table's first frame, aligned to the largest block */
    uint32_t count;
    uint64_t total;
    struct cache *caches[CPUS_MAX]; /* those below */
} map;

static struct cache caches[CPUS_MAX];

static struct lock buddy_lock;
static struct list buddy[ORDERS];

static inline uint32_t use_of(uint32_t kind, uint32_t owner)
{
    return kind << OWNER_BITS | (owner & OWNER_MASK);
}

/* Other CPUs look at the use of a frame while they look for a buddy. */
static inline uint32_t use_get(uint32_t i)
{
    return __atomic_load_n(&map.table[i].use, __ATOMIC_RELAXED);
}

static inline void use_set(uint32_t i, uint32_t use)
{
    __atomic_store_n(&map.table[i].use, use, __ATOMIC_RELAXED);
}

static inline void entry_set(uint32_t i, uint32_t refs, uint32_t use)
{
    struct frame f = {refs, use};
    __atomic_store(&map.table[i], &f, __ATOMIC_RELAXED);
}

static inline pa_t frame_pa(uint32_t i)
{
    return PA(map.base + ((uint64_t)i << PAGE_SHIFT));
}

static inline uint32_t frame_index(pa_t pa)
{
    uint64_t i = (pa.v - map.base) >> PAGE_SHIFT;
    CHECK(i < map.count);
    return (uint32_t)i;
}

/* Only this CPU writes its counts; others may read them at any time. */
static inline void count_add(struct cache *c, enum frame_kind kind, uint64_t n)
{
    uint64_t *count = &c->counts[kind];
    __atomic_store_n(count, *count + n, __ATOMIC_RELAXED);
}

static inline void count_move(struct cache *c, enum frame_kind from, enum frame_kind to, uint64_t n)
{
    count_add(c, from, -n);
    count_add(c, to, n);
}

/* The buddy system: all with buddy_lock held, or at boot. */

static void buddy_list(uint32_t i, unsigned order)
{
    use_set(i, use_of(FRAME_FREE, BUDDY_HEAD | order));
    list_push_front(&buddy[order], arch_ptr(frame_pa(i)));
}

static void buddy_unlist(uint32_t i)
{
    use_set(i, use_of(FRAME_FREE, 0));
    list_remove(arch_ptr(frame_pa(i)));
}

/* The frames are marked free already. */
static void buddy_give(uint32_t i, unsigned order)
{
    for (; order < FRAME_ORDER_MAX; order++) {
        uint32_t other = i ^ 1u << order;
        if (other >= map.count || use_get(other) != use_of(FRAME_FREE, BUDDY_HEAD | order)) {
            break;
        }
        buddy_unlist(other);
        i &= ~(1u << order);
    }
    buddy_list(i, order);
}

static uint32_t buddy_take(unsigned order)
{
    unsigned have = order;
    while (have < ORDERS && list_empty(&buddy[have])) {
        have++;
    }
    if (have == ORDERS) {
        return NO_FRAME;
    }
    uint32_t i = frame_index(arch_pa(buddy[have].next));
    buddy_unlist(i);
    while (have > order) {
        have--;
        buddy_list(i + (1u << have), have);
    }
    return i;
}

/* Caches. */

static SLOW void cache_spill(struct cache *c, uint32_t n)
{
    lock_take(&buddy_lock);
    for (uint32_t i = 0; i < n; i++) {
        buddy_give(c->frames[i], 0);
    }
    lock_release(&buddy_lock);
    c->used -= n;
    memmove(c->frames, c->frames + n, c->used * sizeof(c->frames[0]));
}

static SLOW bool cache_fill(struct cache *c)
{
    lock_take(&buddy_lock);
    while (c->used < CACHE_BATCH) {
        uint32_t i = buddy_take(0);
        if (i == NO_FRAME) {
            break;
        }
        c->frames[c->used++] = i;
    }
    lock_release(&buddy_lock);
    return c->used > 0;
}

static void frame_free(uint32_t i)
{
    struct cache *c = map.caches[cpu_index()];
    count_move(c, (enum frame_kind)(use_get(i) >> OWNER_BITS), FRAME_FREE, 1);
    entry_set(i, 0, use_of(FRAME_FREE, 0));
    if (unlikely(c->used == CACHE_FRAMES)) {
        cache_spill(c, CACHE_BATCH);
    }
    c->frames[c->used++] = i;
}

enum err frame_alloc(enum frame_kind kind, uint32_t owner, pa_t *out)
{
    struct cache *c = map.caches[cpu_index()];
    if (unlikely(c->used == 0) && !cache_fill(c)) {
        return ERR_NO_MEMORY;
    }
    uint32_t i = c->frames[--c->used];
    entry_set(i, 1, use_of(kind, owner));
    count_move(c, FRAME_FREE, kind, 1);
    *out = frame_pa(i);
    return OK;
}

static uint32_t block_take(unsigned order)
{
    lock_take(&buddy_lock);
    uint32_t i = buddy_take(order);
    lock_release(&buddy_lock);
    return i;
}

enum err frame_alloc_block(enum frame_kind kind, uint32_t owner, unsigned order, pa_t *out)
{
    CHECK(order <= FRAME_ORDER_MAX);
    struct cache *c = map.caches[cpu_index()];
    uint32_t first = block_take(order);
    if (first == NO_FRAME && c->used > 0) {
        cache_spill(c, c->used);
        first = block_take(order);
    }
    if (first == NO_FRAME) {
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = first; i < first + (1u << order); i++) {
        entry_set(i, 1, use_of(kind, owner));
    }
    count_move(c, FRAME_FREE, kind, 1u << order);
    *out = frame_pa(first);
    return OK;
}

/* References. */

void frame_ref(pa_t pa)
{
    __atomic_fetch_add(&map.table[frame_index(pa)].refs, 1, __ATOMIC_RELAXED);
}

bool frame_unref(pa_t pa)
{
    uint32_t i = frame_index(pa);
    uint32_t refs =
        __atomic_load_n(&map.table[i].refs, __ATOMIC_ACQUIRE); /* partner: the release */
    CHECK(refs != 0);
    /* Nobody can add to a single reference that is the caller's. */
    if (refs > 1 && __atomic_sub_fetch(&map.table[i].refs, 1, __ATOMIC_ACQ_REL) != 0) {
        return false;
    }
    frame_free(i);
    return true;
}

bool frame_unref_unless_last(pa_t pa)
{
    uint32_t *refs = &map.table[frame_index(pa)].refs;
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
    return __atomic_load_n(&map.table[frame_index(pa)].refs, __ATOMIC_ACQUIRE);
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
    count_move(map.caches[cpu_index()], old, kind, 1);
    use_set(i, use_of(kind, owner));
}

bool frame_is_ram(pa_t pa)
{
    uint64_t i = (pa.v - map.base) >> PAGE_SHIFT;
    return i < map.count && use_get((uint32_t)i) >> OWNER_BITS != KIND_HOLE;
}

uint64_t frame_count(enum frame_kind kind)
{
    uint64_t n = 0;
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        n += __atomic_load_n(&caches[cpu].counts[kind], __ATOMIC_RELAXED);
    }
    return n;
}

uint64_t frame_total(void)
{
    return map.total;
}

/* Start-up. */

static enum err check_ram(const struct frame_range *ram, unsigned count)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t bytes = ram[i].bytes;
        if (!IS_ALIGNED(ram[i].base.v | bytes, PAGE_SIZE) || bytes == 0 || ram[i].base.v < end ||
            ram[i].base.v + bytes < bytes) {
            return ERR_INVALID;
        }
        end = ram[i].base.v + bytes;
    }
    return count > 0 && (end - ram[0].base.v) >> PAGE_SHIFT < NO_FRAME / 2 ? OK : ERR_INVALID;
}

/* The end of a used range that touches [at, at + bytes), or 0. */
static uint64_t used_end(const struct frame_range *used, unsigned count, uint64_t at,
                         uint64_t bytes)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t start = used[i].base.v;
        if (used[i].bytes > 0 && start < at + bytes && at < start + used[i].bytes) {
            return start + used[i].bytes;
        }
    }
    return 0;
}

/* A place of `bytes` in RAM that nothing uses. */
static enum err find_place(const struct frame_range *ram, unsigned ram_count,
                           const struct frame_range *used, unsigned used_count, uint64_t bytes,
                           pa_t *out)
{
    for (unsigned i = 0; i < ram_count; i++) {
        uint64_t at = ram[i].base.v == 0 ? PAGE_SIZE : ram[i].base.v;
        uint64_t end = ram[i].base.v + ram[i].bytes;
        while (at < end && end - at >= bytes) {
            uint64_t next = used_end(used, used_count, at, bytes);
            if (next == 0) {
                *out = PA(at);
                return OK;
            }
            at = ALIGN_UP(next, PAGE_SIZE);
        }
    }
    return ERR_NO_MEMORY;
}

/* Marks the RAM among the pages that `range` touches as EL2's; refuses nothing. */
static void mark_used(struct frame_range range)
{
    uint64_t end = range.base.v + range.bytes;
    for (uint64_t at = ALIGN_DOWN(range.base.v, PAGE_SIZE); at < end; at += PAGE_SIZE) {
        uint64_t i = (at - map.base) >> PAGE_SHIFT;
        if (i < map.count && use_get((uint32_t)i) == use_of(FRAME_FREE, 0)) {
            entry_set((uint32_t)i, 1, use_of(FRAME_EL2, FRAME_OWNER_NONE));
            count_move(map.caches[cpu_index()], FRAME_FREE, FRAME_EL2, 1);
        }
    }
}

/* Lists the free frames from `first` to `end` in the largest aligned blocks. */
static void list_run(uint32_t first, uint32_t end)
{
    while (first < end) {
        unsigned order = FRAME_ORDER_MAX;
        while (!IS_ALIGNED(first, 1u << order) || end - first < 1u << order) {
            order--;
        }
        buddy_list(first, order);
        first += 1u << order;
    }
}

static void list_free(void)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < map.count; i++) {
        if (use_get(i) != use_of(FRAME_FREE, 0)) {
            list_run(first, i);
            first = i + 1;
        }
    }
    list_run(first, map.count);
}

static void table_init(const struct frame_range *ram, unsigned ram_count)
{
    struct cache *c = map.caches[cpu_index()];
    for (uint32_t i = 0; i < map.count; i++) {
        entry_set(i, 0, use_of(KIND_HOLE, 0));
    }
    for (unsigned r = 0; r < ram_count; r++) {
        uint32_t first = (uint32_t)((ram[r].base.v - map.base) >> PAGE_SHIFT);
        uint32_t n = (uint32_t)(ram[r].bytes >> PAGE_SHIFT);
        for (uint32_t i = first; i < first + n; i++) {
            use_set(i, use_of(FRAME_FREE, 0));
        }
        map.total += n;
    }
    count_add(c, FRAME_FREE, map.total);
}

enum err frame_init(const struct frame_range *ram, unsigned ram_count,
                    const struct frame_range *used, unsigned used_count)
{
    enum err e = check_ram(ram, ram_count);
    if (e != OK) {
        return e;
    }
    uint64_t first = ALIGN_DOWN(ram[0].base.v, PAGE_SIZE << FRAME_ORDER_MAX);
    uint64_t end = ram[ram_count - 1].base.v + ram[ram_count - 1].bytes;
    uint32_t n = (uint32_t)((end - first) >> PAGE_SHIFT);
    struct frame_range place = {.bytes = ALIGN_UP(n * sizeof(struct frame), PAGE_SIZE)};
    e = find_place(ram, ram_count, used, used_count, place.bytes, &place.base);
    if (e != OK) {
        return e;
    }
    memset(caches, 0, sizeof(caches));
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        map.caches[cpu] = &caches[cpu];
    }
    for (unsigned order = 0; order < ORDERS; order++) {
        list_init(&buddy[order]);
    }
    map.base = first;
    map.count = n;
    map.total = 0;
    map.table = arch_ptr(place.base);
    table_init(ram, ram_count);
    mark_used(place);
    mark_used((struct frame_range){PA(0), PAGE_SIZE}); /* NULL stays nobody's, should it be RAM */
    for (unsigned i = 0; i < used_count; i++) {
        mark_used(used[i]);
    }
    list_free();
    return OK;
}

void frame_release_range(struct frame_range range)
{
    uint64_t end = ALIGN_DOWN(range.base.v + range.bytes, PAGE_SIZE);
    lock_take(&buddy_lock);
    for (uint64_t at = ALIGN_UP(range.base.v, PAGE_SIZE); at < end; at += PAGE_SIZE) {
        uint64_t i = (at - map.base) >> PAGE_SHIFT;
        if (i < map.count && use_get((uint32_t)i) == use_of(FRAME_EL2, FRAME_OWNER_NONE)) {
            entry_set((uint32_t)i, 0, use_of(FRAME_FREE, 0));
            count_move(map.caches[cpu_index()], FRAME_EL2, FRAME_FREE, 1);
            buddy_give((uint32_t)i, 0);
        }
    }
    lock_release(&buddy_lock);
}
