/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory: the heap behind malloc() and free() (guests/rt/libc/stdlib.h), and giving pages back.
 *
 * The heap runs from the end of .bss to the guard page below the stack. It hands out the lowest
 * free addresses first, so that a quiet guest writes as few pages as possible.
 */
#ifndef GUESTS_RT_MEMORY_H
#define GUESTS_RT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Gives up whole pages; they read as zero when they are next touched. Returns pages freed or a
 * TOKLAT_E_* status. */
int64_t page_release(void *address, size_t pages);

/* Gives up the pages that lie wholly within free parts of the heap. Returns pages freed. */
size_t heap_release(void);

struct heap_usage {
    size_t used_bytes; /* handed out, with headers */
    size_t peak_bytes; /* highest address ever handed out, as bytes above the heap's start */
    size_t size_bytes;
};

struct heap_usage heap_usage(void);

#endif
