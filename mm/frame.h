/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame table: what every page of RAM is for, who owns it and how many refer to it.
 *
 * Invariant: at any time the frames of all kinds add up to the machine's RAM.
 */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include "core/base/error.h"
#include "core/base/types.h"

enum frame_kind {
    FRAME_FREE,
    FRAME_EL2,        /* image, stacks, tables, frame table, firmware, archives */
    FRAME_STUB,       /* the table of stubs */
    FRAME_SHARED,     /* guest page of a template, mapped by its clones */
    FRAME_PRIVATE,    /* guest page of one VM */
    FRAME_STAGE2,     /* stage-2 table */
    FRAME_DESCRIPTOR, /* VM descriptors and what hangs off them */
    FRAME_KINDS,
};

/* Owner of frames that belong to no VM. Templates own theirs as FRAME_OWNER_TEMPLATE + index. */
#define FRAME_OWNER_NONE 0u
#define FRAME_OWNER_TEMPLATE 0x0F000000u

struct frame_range {
    pa_t base;
    uint64_t bytes;
};

/*
 * Takes over RAM. `ram` lists all RAM (page-aligned, disjoint, ascending); `used` lists what is
 * occupied already (the image, firmware, device tree, archives) and is counted as FRAME_EL2. The
 * table itself is placed in free RAM. Boot CPU only, once. ERR_INVALID: ranges overlap or are not
 * aligned; ERR_NO_MEMORY: the table does not fit.
 */
enum err frame_init(const struct frame_range *ram, unsigned ram_count,
                    const struct frame_range *used, unsigned used_count) MUST_USE;

/* Gives `range` back that frame_init was told is used, such as an archive once it is unpacked.
 * Only whole pages inside the range become free. */
void frame_release_range(struct frame_range range);

/* One frame with one reference; content undefined. ERR_NO_MEMORY is a normal answer; up to 96 free
 * frames may then rest in the cache of each other CPU, until it is told to frame_spill. From this
 * CPU's cache when it has one: no lock. */
enum err frame_alloc(enum frame_kind kind, uint32_t owner, pa_t *out) MUST_USE;

/* Gives the free frames that this CPU has in its cache to all. */
void frame_spill(void);

/* 2^order contiguous frames, aligned to their size, each with one reference of its own; they are
 * released one by one. order <= FRAME_ORDER_MAX. */
#define FRAME_ORDER_MAX 9
enum err frame_alloc_block(enum frame_kind kind, uint32_t owner, unsigned order,
                           pa_t *out) MUST_USE;

/* One more, or one fewer, reference; the last one frees the frame. Frames of templates are shared
 * between CPUs, so counts are atomic. frame_unref returns true when it freed the frame. */
void frame_ref(pa_t pa);
bool frame_unref(pa_t pa);
uint32_t frame_refs(pa_t pa);

/* One fewer reference to each frame of a block of 2^order. */
void frame_unref_block(pa_t pa, unsigned order);

/* One fewer reference, unless there is only the caller's: then nothing is done and the answer is
 * false. For frames that hold references of their own, which must go before the last one. */
bool frame_unref_unless_last(pa_t pa) MUST_USE;

enum frame_kind frame_kind(pa_t pa);
uint32_t frame_owner(pa_t pa);

/* Changes what a used frame is for, as when a VM's page becomes its template's. */
void frame_assign(pa_t pa, enum frame_kind kind, uint32_t owner);

/* Whether `pa` lies in RAM that the table covers. */
bool frame_is_ram(pa_t pa);

/* Frames of a kind now, over all CPUs; and of all kinds, which never changes. */
uint64_t frame_count(enum frame_kind kind);
uint64_t frame_total(void);

#endif
