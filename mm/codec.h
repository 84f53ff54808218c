/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages as a store keeps them (abi/store.h, enum store_coding): what differs from the page that
 * they were once copied from, or compressed, or as they are.
 *
 *   delta = bitmap of 512 bits, one for each 64-bit word of the page in ascending order (bit 0 of
 *           byte 0 first), then the words that differ, in order
 *   LZ4     = length of the block in 64 bits, the block, zeroes up to a multiple of 8
 *
 * Pure computing: no state but a work area per CPU. Which coding is taken when, and what each
 * costs, is in docs/store-codec.md.
 */
#ifndef MM_CODEC_H
#define MM_CODEC_H

#include "abi/store.h"
#include "core/base/error.h"
#include "core/base/types.h"

/* Codes `page` against `base`, or against zeroes when it is NULL, into `out`, which has room for
 * PAGE_SIZE bytes. Returns the length, a multiple of 8 from 8 to PAGE_SIZE, and the coding in
 * `*coding`; what follows in `out` is undefined. All pointers are aligned to 8 bytes; `page` and
 * `base` to a page. */
uint32_t codec_encode(const void *page, const void *base, void *out, enum store_coding *coding);

/* The opposite: fills `page`. Nothing in `in` is trusted; what does not fit is ERR_INVALID, and
 * `page` is then undefined. What is accepted depends on `in` and `base` alone, never on what the
 * page held. `in` is aligned to 8 bytes, `base` and `page` to a page. */
enum err codec_decode(const void *in, uint32_t bytes, enum store_coding coding, const void *base,
                      void *page) MUST_USE;

#endif
