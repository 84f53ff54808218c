/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An archive of records, in which VMs go from one store to another (docs/store-format.md).
 *
 *   archive_head   (store_entry, record of place.sectors * 512 bytes) ...   archive_end
 *
 * Templates come before the VMs that need them. Entries without a record (markers) stand alone.
 * Numbers are little-endian; checksums are CRC32C.
 */
#ifndef TOKLAT_ARCHIVE_H
#define TOKLAT_ARCHIVE_H

#include "abi/store.h"

#define ARCHIVE_VERSION 1u
#define ARCHIVE_MAGIC 0x686372416b6c6f54ull     /* "TolkArch" in memory order */
#define ARCHIVE_END_MAGIC 0x646e45416b6c6f54ull /* "TolkAEnd" */

struct archive_head {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; /* of these 64 bytes, with `crc` as 0 */
    uint8_t uuid[16];
    uint64_t deployment;
    uint64_t made_ns; /* Unix time */
    uint32_t vms;     /* of the store; slots after them are templates */
    uint32_t reserved[3];
};

struct archive_end {
    uint64_t magic;
    uint32_t entries;
    uint32_t crc; /* of all that is between head and end */
};

_Static_assert(sizeof(struct archive_head) == 64, "published layout");
_Static_assert(sizeof(struct archive_end) == 16, "published layout");

#endif
