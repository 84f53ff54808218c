/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects of one size, several to a frame: VM descriptors and what hangs off them.
 *
 * A frame's reference count is its number of live objects; free objects hold the list links, so
 * there is no header and 4 KiB / size objects fit. An empty frame goes back to the frame table.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include "arch/lock.h"
#include "core/base/error.h"
#include "core/base/list.h"
#include "mm/frame.h"

struct slab {
    struct lock lock;
    struct list partial; /* the free objects of the frames held */
    uint32_t object_bytes;
    enum frame_kind kind;
    uint64_t live;   /* objects handed out */
    uint64_t frames; /* frames held */
};

/* `object_bytes` is a power of two, 64 to PAGE_SIZE; objects are aligned to it. */
void slab_init(struct slab *s, uint32_t object_bytes, enum frame_kind kind);

/* A zeroed object. */
enum err slab_alloc(struct slab *s, void **out) MUST_USE;
void slab_free(struct slab *s, void *object);

#endif
