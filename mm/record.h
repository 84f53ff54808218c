/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records: the memory of a VM as the store keeps it (abi/store.h), made from a space and made into
 * one. Registers and devices in the head are their owners'.
 */
#ifndef MM_RECORD_H
#define MM_RECORD_H

#include "abi/store.h"
#include "mm/space.h"

/* Whether `r`, of which `bytes` bytes are at hand, begins with a whole head of the store `uuid`. */
bool record_head_is_sound(const struct store_record *r, size_t bytes, const uint8_t uuid[16]);

/* Whether it is whole, pages included, and `slot`'s. */
bool record_is_whole(const struct store_record *r, size_t bytes, uint32_t slot,
                     const uint8_t uuid[16]);

/* The table of its pages. */
const struct store_page *record_table(const struct store_record *r);

/* A record of at most this many bytes comes back whole: one read brings it, and a second one for a
 * page that was not touched of late would cost more than its frame. */
#define RECORD_SMALL_BYTES KIB(16)
bool record_is_small(const struct store_record *r);

/* What an index keeps of it; without the sector. */
struct store_place record_place(const struct store_record *r);

/* Bytes that a record of `s` may take at most; `template` as in record_write. */
uint64_t record_bytes_max(const struct space *s, const struct space *template, bool extra);

/* The registers behind a head that has STORE_RECORD_EXTRA. */
struct store_extra *record_extra(struct store_record *r);

/* Writes `s` into the record `r`, of which `room` bytes are there, whose flags are set: the pages
 * that differ from `template` (NULL: from zeroes), those that were touched first, `first_page`
 * before all. Ends with the sizes, the table and the checksum of the head; the last sector is
 * filled with zeroes. ERR_RANGE: there is not room enough, or `s` has blocks; ERR_AWAY:
 * a page of it is in the store itself. */
enum err record_write(const struct space *s, const struct space *template, uint32_t first_page,
                      struct store_record *r, size_t room) MUST_USE;

/* Computes the checksum of a head that was changed. */
void record_seal(struct store_record *r);

/* Makes `s`, a clone of `template`, what the record says, of which `bytes` bytes are at hand: hot
 * pages are there afterwards, not yet touched, and all of a small record's; the others are in the
 * store.
 * `only_first`: only the first page is there. The head is sound. ERR_INVALID: the record makes no
 * sense, or a page is damaged; ERR_NO_MEMORY; `s` is to be destroyed then. */
enum err record_read(struct space *s, const struct space *template, const struct store_record *r,
                     size_t bytes, bool only_first) MUST_USE;

/* Makes an empty space what a template's record says; `bytes` is all of it. Errors as above. */
enum err record_read_template(struct space *s, const struct store_record *r, size_t bytes) MUST_USE;

/* Where in its record, in bytes, page `page` is. False: it is not in the store. */
bool record_locate(const struct space *s, uint32_t page, uint32_t *offset, uint32_t *bytes);

#define RECORD_ALL_PAGES UINT32_MAX

/* Brings page `need` of `s` into memory, and unless it is to be the `only` one all others whose
 * bytes lie in [offset, offset + bytes) of the record as well, which are at `data`, as far as
 * frames are free. RECORD_ALL_PAGES: all of these are needed. ERR_NO_MEMORY, ERR_INVALID: what is
 * needed could not be brought, its bytes are damaged. */
enum err record_fetch(struct space *s, const struct space *template, const void *data,
                      uint32_t offset, uint32_t bytes, uint32_t need, bool only) MUST_USE;

#endif
