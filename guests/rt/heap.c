/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First-fit heap over an address-ordered list of free blocks.
 *
 *   rt_image_end | used | free | used | free ........ top |  never touched  | guard, stack
 *
 * Invariant: free blocks are in ascending order, never adjacent, and never reach `top`; memory
 * from `top` on was never handed out, so that it costs nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/memory.h"

#define UNIT 16 /* alignment of a block and its size */

/* Before each block. `next` is valid while the block is free; used blocks begin there. */
struct block {
    size_t size; /* of the whole block, this word included */
    struct block *next;
};

#define HEADER sizeof(size_t)

static struct {
    struct block *free;
    uintptr_t top; /* 0 before first use */
    size_t used;
    size_t peak;
} heap;

extern char rt_image_end[];

/* The first block lies so that what malloc returns is a multiple of UNIT. */
static uintptr_t heap_start(void)
{
    return (uintptr_t)rt_image_end + UNIT - HEADER;
}

static uintptr_t heap_end(void)
{
    return system_page()->memory_bytes - rt_stack_bytes - TOKLAT_PAGE_BYTES;
}

static struct block *block_at(uintptr_t address)
{
    return (struct block *)address;
}

/* Takes `size` bytes from the front of a free block; the rest stays in the list. */
static struct block *carve(struct block **link, size_t size)
{
    struct block *block = *link;
    if (block->size == size) {
        *link = block->next;
        return block;
    }
    struct block *rest = block_at((uintptr_t)block + size);
    rest->size = block->size - size;
    rest->next = block->next;
    *link = rest;
    block->size = size;
    return block;
}

static struct block *extend(size_t size)
{
    if (heap.top == 0) {
        heap.top = heap_start();
    }
    if (size > heap_end() - heap.top) {
        return NULL;
    }
    struct block *block = block_at(heap.top);
    block->size = size;
    heap.top += size;
    if (heap.top - heap_start() > heap.peak) {
        heap.peak = heap.top - heap_start();
    }
    return block;
}

void *malloc(size_t size)
{
    if (size > TOKLAT_MEMORY_MAX) {
        return NULL;
    }
    size_t whole = (size + HEADER + UNIT - 1) / UNIT * UNIT;
    struct block **link = &heap.free;
    while (*link != NULL && (*link)->size < whole) {
        link = &(*link)->next;
    }
    struct block *block = *link != NULL ? carve(link, whole) : extend(whole);
    if (block == NULL) {
        return NULL;
    }
    heap.used += block->size;
    return &block->next;
}

void *calloc(size_t count, size_t size)
{
    if (size != 0 && count > TOKLAT_MEMORY_MAX / size) {
        return NULL;
    }
    void *memory = malloc(count * size);
    if (memory != NULL) {
        memset(memory, 0, count * size);
    }
    return memory;
}

/* Joins a free block with the free block behind it, if they touch. */
static void join(struct block *block)
{
    if (block->next != NULL && (uintptr_t)block + block->size == (uintptr_t)block->next) {
        block->size += block->next->size;
        block->next = block->next->next;
    }
}

void free(void *memory)
{
    if (memory == NULL) {
        return;
    }
    struct block *block = block_at((uintptr_t)memory - HEADER);
    heap.used -= block->size;
    struct block *before = NULL;
    struct block **link = &heap.free;
    while (*link != NULL && *link < block) {
        before = *link;
        link = &before->next;
    }
    block->next = *link;
    *link = block;
    join(block);
    if (before != NULL && (uintptr_t)before + before->size == (uintptr_t)block) {
        join(before);
        block = before;
    }
    if ((uintptr_t)block + block->size == heap.top) {
        heap.top = (uintptr_t)block;
        link = &heap.free;
        while (*link != block) {
            link = &(*link)->next;
        }
        *link = NULL;
    }
}

int64_t page_release(void *address, size_t pages)
{
    return hypercall(TOKLAT_PAGE_RELEASE, (uintptr_t)address, pages, 0, 0, 0);
}

static size_t release_range(uintptr_t from, uintptr_t to)
{
    uintptr_t first = (from + TOKLAT_PAGE_BYTES - 1) & ~(uintptr_t)(TOKLAT_PAGE_BYTES - 1);
    uintptr_t last = to & ~(uintptr_t)(TOKLAT_PAGE_BYTES - 1);
    if (first >= last) {
        return 0;
    }
    int64_t freed = page_release((void *)first, (last - first) / TOKLAT_PAGE_BYTES);
    return freed > 0 ? (size_t)freed : 0;
}

size_t heap_release(void)
{
    size_t freed = 0;
    if (heap.top == 0) {
        return 0;
    }
    for (struct block *block = heap.free; block != NULL; block = block->next) {
        freed += release_range((uintptr_t)(block + 1), (uintptr_t)block + block->size);
    }
    return freed + release_range(heap.top, heap_start() + heap.peak);
}

struct heap_usage heap_usage(void)
{
    return (struct heap_usage){
        .used_bytes = heap.used,
        .peak_bytes = heap.peak,
        .size_bytes = heap_end() - (uintptr_t)rt_image_end,
    };
}
