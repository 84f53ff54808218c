/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buddy system, with batches of single frames before it.
 *
 *      caches  <-- batches: constant time -->  [batch] -> [batch] -> ...
 *                                                  |  when a block is wanted, and there is none
 *                                                  v
 *                                    order 0: [frame] ...   order 9: [512 frames] ...
 *
 * Frames come and go one by one nearly always, so uniting them is put off until somebody wants a
 * block. A batch is listed in the memory of its first frame, a block in that of its own first.
 *
 * Invariants: a frame here is in one batch or in one listed block; two buddies of an order below
 * the largest are never both listed; only the first frame of a listed block is marked BUDDY_HEAD.
 */
#include "mm/buddy.h"
#include "arch/lock.h"
#include "arch/memory.h"
#include "core/base/list.h"
#include "core/base/string.h"

#define BUDDY_HEAD 0x100u /* as owner of a free frame, with the order */
#define ORDERS (FRAME_ORDER_MAX + 1)

/* Batches that are united for one block: bounds the time that one request takes. */
#define UNITE_MAX 128

struct batch {
    struct batch *next;
    uint32_t frames[BATCH_FRAMES]; /* frames[0] holds this */
};

static struct lock lock;
static struct batch *batches;
static struct list blocks[ORDERS];

static void block_list(uint32_t i, unsigned order)
{
    use_set(i, use_of(FRAME_FREE, BUDDY_HEAD | order));
    list_push_front(&blocks[order], arch_ptr(frame_pa(i)));
}

static void block_unlist(uint32_t i)
{
    use_set(i, use_of(FRAME_FREE, 0));
    list_remove(arch_ptr(frame_pa(i)));
}

static void unite(uint32_t i)
{
    unsigned order = 0;
    for (; order < FRAME_ORDER_MAX; order++) {
        uint32_t other = i ^ 1u << order;
        if (other >= frame_map.count || use_get(other) != use_of(FRAME_FREE, BUDDY_HEAD | order)) {
            break;
        }
        block_unlist(other);
        i &= ~(1u << order);
    }
    block_list(i, order);
}

/* The smallest order, from `order` on, that has a block; ORDERS when none has. */
static unsigned order_with_block(unsigned order)
{
    while (order < ORDERS && list_empty(&blocks[order])) {
        order++;
    }
    return order;
}

/* Takes a block of `have`, which has one, and gives back what is not of `order`. */
static uint32_t block_split(unsigned have, unsigned order)
{
    uint32_t i = frame_index(arch_pa(blocks[have].next));
    block_unlist(i);
    while (have > order) {
        have--;
        block_list(i + (1u << have), have);
    }
    return i;
}

static struct batch *batch_pop(void)
{
    struct batch *b = batches;
    if (b) {
        batches = b->next;
    }
    return b;
}

const struct lock *buddy_lock(void)
{
    return &lock;
}

BOOT void buddy_init(void)
{
    lock = (struct lock){0};
    batches = NULL;
    for (unsigned order = 0; order < ORDERS; order++) {
        list_init(&blocks[order]);
    }
}

BOOT void buddy_give_run(uint32_t first, uint32_t end)
{
    while (first < end) {
        unsigned order = FRAME_ORDER_MAX;
        while (!IS_ALIGNED(first, 1u << order) || end - first < 1u << order) {
            order--;
        }
        block_list(first, order);
        first += 1u << order;
    }
}

void buddy_give(const uint32_t *frames, uint32_t n)
{
    lock_take(&lock);
    for (uint32_t i = 0; i < n; i++) {
        unite(frames[i]);
    }
    lock_release(&lock);
}

void buddy_give_batch(const uint32_t frames[BATCH_FRAMES])
{
    struct batch *b = arch_ptr(frame_pa(frames[0]));
    memcpy(b->frames, frames, sizeof(b->frames));
    lock_take(&lock);
    b->next = batches;
    batches = b;
    lock_release(&lock);
}

/* From the smallest blocks, so that the large ones stay whole. */
static uint32_t take_from_blocks(uint32_t frames[BATCH_FRAMES])
{
    uint32_t n = 0;
    unsigned have = order_with_block(0);
    while (n < BATCH_FRAMES && have < ORDERS) {
        unsigned order = have;
        while (1u << order > BATCH_FRAMES - n) {
            order--;
        }
        uint32_t first = block_split(have, order);
        for (uint32_t i = 0; i < 1u << order; i++) {
            frames[n++] = first + i;
        }
        have = order_with_block(0);
    }
    return n;
}

uint32_t buddy_take_batch(uint32_t frames[BATCH_FRAMES])
{
    lock_take(&lock);
    struct batch *b = batch_pop();
    uint32_t n = b ? BATCH_FRAMES : take_from_blocks(frames);
    lock_release(&lock);
    if (b) {
        memcpy(frames, b->frames, sizeof(b->frames));
    }
    return n;
}

static void unite_batches(void)
{
    uint32_t frames[BATCH_FRAMES]; /* uniting writes to the memory of the batch */
    for (unsigned i = 0; i < UNITE_MAX; i++) {
        struct batch *b = batch_pop();
        if (!b) {
            break;
        }
        memcpy(frames, b->frames, sizeof(frames));
        for (unsigned k = 0; k < BATCH_FRAMES; k++) {
            unite(frames[k]);
        }
    }
}

uint32_t buddy_take_block(unsigned order)
{
    lock_take(&lock);
    unsigned have = order_with_block(order);
    if (have == ORDERS) {
        unite_batches();
        have = order_with_block(order);
    }
    uint32_t i = have < ORDERS ? block_split(have, order) : NO_FRAME;
    lock_release(&lock);
    return i;
}
