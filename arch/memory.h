/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contract: EL2's view of physical memory, and its caches.
 *
 * All RAM is mapped at its own address on the machine (VA == PA) except the image, which is mapped
 * with its own permissions. On the host a process-wide arena plays the RAM.
 */
#ifndef ARCH_MEMORY_H
#define ARCH_MEMORY_H

#include "core/base/types.h"

/* EL2's pointer to physical memory, and back. The address must be RAM. */
void *arch_ptr(pa_t pa);
pa_t arch_pa(const void *ptr);

/* Whole pages, page-aligned. Visible to this CPU's table walks and to guests' cacheable accesses
 * once the mapping that shows the page is published. */
void page_zero(void *page);
void page_copy(void *restrict dst, const void *restrict src);

/* Where two pages, of words aligned to 8 bytes, differ: the offset of the first group of
 * PAGE_GROUP_BYTES at offset `from`, a multiple of that, or after it; PAGE_SIZE: nowhere. */
#define PAGE_GROUP_BYTES 64
size_t page_differs(const void *a, const void *b, size_t from);

/* Copies `n` bytes between buffers that do not overlap, at any alignment; faster than memcpy, which
 * must do without unaligned accesses. Not before the MMU is on. */
void memory_copy(void *restrict dst, const void *restrict src, size_t n);

/* CRC32C as crc32c() of core/base/crc32c.h has it, by the CPU's instructions where it has them. */
uint32_t checksum(uint32_t crc, const void *p, size_t n);

/* Makes instructions written to [p, p+n) visible to instruction fetch on all CPUs: clean to the
 * point of unification, then invalidate (Arm ARM B2.4.4). */
void icache_sync(const void *p, size_t n);

/* Cleans and invalidates [p, p+n) to the point of coherency, for observers that do not look
 * into the caches: a guest with its own non-cacheable mappings, a device, code with MMU off. */
void dcache_clean_poc(const void *p, size_t n);

#endif
