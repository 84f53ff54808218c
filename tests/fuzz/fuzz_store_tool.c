/* SPDX-License-Identifier: BSD-2-Clause */
// sources: core/base/crc32c.c tools/toklat/store_format.c tools/toklat/store_record.c
// sources: tools/toklat/store_read.c tools/toklat/store_log.c tools/toklat/store_full.c
// sources: tools/toklat/verify_passes.c tools/toklat/verify_history.c tools/toklat/common.c
// sources: tools/toklat/image_bounds.c
/*
 * Any image as a store: it is read and verified without harm. The image is a small store of zeroes
 * with a superblock; the input is patches of it, each with a checksum made to fit, so that what
 * lies behind the checksums is reached:
 *
 *   patch = kind, where (16 bits, scaled by the kind), length, bytes
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "tools/toklat/store_read.h"
#include "tools/toklat/verify.h"

#define VMS 8u
#define SEGMENTS 8u
#define FIRST_SEGMENT 2048u
#define SECTORS (FIRST_SEGMENT + SEGMENTS * STORE_SEGMENT_SECTORS_MIN)
#define BLOCKS (SECTORS / 8)
#define FIRST_BLOCKS 5u /* superblocks and checkpoints */
#define PATCHES_MAX 8u
#define PAGES 5u
#define BLOCK_BYTES (8 * STORE_SECTOR_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Blocks that are not `used` are zeroes, whatever is in `data`. */
static uint8_t data[BLOCKS][BLOCK_BYTES];
static uint8_t used[BLOCKS];
static uint16_t touched[BLOCKS];
static unsigned touched_count;

static uint8_t *at(uint64_t offset)
{
    size_t block = (size_t)(offset / BLOCK_BYTES);
    if (!used[block]) {
        memset(data[block], 0, BLOCK_BYTES);
        used[block] = 1;
        touched[touched_count++] = (uint16_t)block;
    }
    return data[block] + offset % BLOCK_BYTES;
}

static bool read_memory(struct image *im, uint64_t offset, void *to, size_t n)
{
    uint8_t *p = to;
    if (offset > im->bytes || n > im->bytes - offset) {
        abort();
    }
    while (n > 0) {
        size_t part = BLOCK_BYTES - offset % BLOCK_BYTES;
        part = part < n ? part : n;
        if (used[offset / BLOCK_BYTES]) {
            memcpy(p, data[offset / BLOCK_BYTES] + offset % BLOCK_BYTES, part);
        } else {
            memset(p, 0, part);
        }
        p += part;
        offset += part;
        n -= part;
    }
    return true;
}

static uint64_t next_memory(struct image *im, uint64_t offset)
{
    while (offset < im->bytes && !used[offset / BLOCK_BYTES]) {
        offset = (offset / BLOCK_BYTES + 1) * BLOCK_BYTES;
    }
    return offset;
}

static void put(uint64_t offset, const void *from, size_t n)
{
    const uint8_t *p = from;
    while (n > 0 && offset < (uint64_t)SECTORS * STORE_SECTOR_BYTES) {
        size_t part = BLOCK_BYTES - offset % BLOCK_BYTES;
        part = part < n ? part : n;
        memcpy(at(offset), p, part);
        p += part;
        offset += part;
        n -= part;
    }
}

static const struct store_super plain = {
    .magic = STORE_SUPER_MAGIC,
    .version = STORE_VERSION,
    .sectors = SECTORS,
    .first_segment = FIRST_SEGMENT,
    .checkpoint = {16, 32},
    .checkpoint_sectors = 8,
    .segment_sectors = STORE_SEGMENT_SECTORS_MIN,
    .segments = SEGMENTS,
    .vms = VMS,
};

enum kind { SUPER, CHECKPOINT, INDEX, BATCH, RECORD, PLAIN, KINDS };

struct patch {
    uint8_t kind, length;
    uint16_t where;
};

/* A structure of `size` bytes: the default, the patch's bytes over it, and the checksum. */
static void put_structure(uint64_t offset, void *structure, size_t size, const uint8_t *bytes,
                          size_t n)
{
    uint8_t *p = structure;
    memcpy(p + 16, bytes, n < size - 16 ? n : size - 16);
    uint32_t crc = structure_crc(p, size);
    memcpy(p + 12, &crc, sizeof(crc));
    put(offset, p, size);
}

static void put_batch(uint64_t offset, const uint8_t *bytes, size_t n)
{
    static struct store_batch b;
    uint64_t sector = offset / STORE_SECTOR_BYTES - FIRST_SEGMENT;
    b = (struct store_batch){.magic = STORE_BATCH_MAGIC, .version = STORE_VERSION};
    b.segment = (uint32_t)(sector / STORE_SEGMENT_SECTORS_MIN);
    b.next_segment = (b.segment + 1) % SEGMENTS;
    b.sequence = n > 0 ? bytes[0] : 0;
    b.checkpoint = 2;
    b.sectors = n > 1 ? bytes[1] * 8u : 0;
    b.count = n > 2 ? bytes[2] : 0;
    size_t entries = n > 3 ? n - 3 : 0;
    memcpy(b.entries, bytes + (n - entries), entries);
    b.crc = structure_crc(&b, sizeof(b));
    put(offset, &b, sizeof(b));
}

/* Slot, sequence, sectors, number of pages, their table, and what of their bytes the patch has. */
static void put_record(uint64_t offset, const uint8_t *bytes, size_t n)
{
    static _Alignas(8) uint8_t head[sizeof(struct store_record) + 256];
    struct store_record *r = (struct store_record *)head;
    memset(head, 0, sizeof(head));
    r->magic = STORE_RECORD_MAGIC;
    r->version = STORE_VERSION;
    r->slot = n > 0 ? bytes[0] : 0;
    r->sequence = n > 1 ? bytes[1] : 0;
    r->sectors = n > 2 ? bytes[2] : 0;
    r->pages = n > 3 ? bytes[3] % PAGES : 0;
    r->pages = r->pages * sizeof(struct store_page) + 4 > n ? 0 : r->pages;
    r->hot_pages = (uint16_t)(r->pages / 2);
    r->head_bytes = (uint32_t)(sizeof(*r) + r->pages * sizeof(struct store_page));
    struct store_page *page = (struct store_page *)(head + sizeof(*r));
    size_t table = r->pages * sizeof(*page), codes = n > 4 ? n - 4 - table : 0;
    memcpy(page, bytes + (n - codes - table), table);
    put(offset + r->head_bytes, bytes + (n - codes), codes);
    r->hot_bytes = r->head_bytes;
    uint64_t end = offset + r->head_bytes;
    for (unsigned i = 0; i < r->pages; i++) {
        uint32_t length = STORE_PAGE_BYTES(page[i].code), crc = 0;
        for (uint32_t k = 0; k < length && length <= BLOCK_BYTES; k++) {
            bool inside = end + k < (uint64_t)SECTORS * STORE_SECTOR_BYTES;
            crc = crc32c(crc, inside ? at(end + k) : (const uint8_t *)"", 1);
        }
        page[i].crc = crc;
        end += length;
        r->hot_bytes += i < r->hot_pages ? length : 0;
    }
    r->crc = structure_crc(head, r->head_bytes);
    put(offset, head, r->head_bytes);
}

static void put_checkpoint(unsigned i, const uint8_t *bytes, size_t n)
{
    static uint8_t index[8 * STORE_SECTOR_BYTES];
    size_t size = (VMS + STORE_TEMPLATES_MAX) * sizeof(struct store_index);
    struct store_checkpoint c = {.magic = STORE_CHECKPOINT_MAGIC, .version = STORE_VERSION};
    struct image im = {.bytes = (uint64_t)SECTORS * STORE_SECTOR_BYTES};
    uint64_t sector = plain.checkpoint[i];
    if (!read_memory(&im, (sector + 1) * STORE_SECTOR_BYTES, index, size)) {
        abort();
    }
    c.sequence = n > 0 ? bytes[0] : i + 1;
    c.batch = n > 1 ? bytes[1] : 1;
    c.segment = n > 2 ? bytes[2] % (SEGMENTS + 1) : 0;
    c.offset = n > 3 ? bytes[3] * 8u : 0;
    c.entries = VMS + STORE_TEMPLATES_MAX;
    c.entries_crc = crc32c(0, index, size);
    c.crc = structure_crc(&c, sizeof(c));
    put(sector * STORE_SECTOR_BYTES, &c, sizeof(c));
}

static void apply(const struct patch *p, const uint8_t *bytes, size_t n)
{
    struct store_super super = plain;
    uint64_t sector = FIRST_SEGMENT + p->where % (SEGMENTS * STORE_SEGMENT_SECTORS_MIN);
    switch (p->kind % KINDS) {
    case SUPER:
        put_structure(p->where & 1 ? 8 * STORE_SECTOR_BYTES : 0, &super, sizeof(super), bytes, n);
        break;
    case CHECKPOINT:
        put_checkpoint(p->where & 1, bytes, n);
        break;
    case INDEX:
        put((plain.checkpoint[p->where & 1] + 1) * STORE_SECTOR_BYTES +
                p->where / 2 % (VMS + STORE_TEMPLATES_MAX) * 16,
            bytes, n);
        break;
    case BATCH:
        put_batch((sector & ~7ull) * STORE_SECTOR_BYTES, bytes, n);
        break;
    case RECORD:
        put_record(sector * STORE_SECTOR_BYTES, bytes, n);
        break;
    default:
        put(sector * STORE_SECTOR_BYTES, bytes, n);
        break;
    }
}

static void silent(struct findings *f, enum severity severity, const char *text)
{
    (void)f;
    (void)severity;
    if (!*text) {
        abort();
    }
}

/* An empty store, which is kept for the next input. */
static void begin(void)
{
    static uint8_t first[FIRST_BLOCKS][BLOCK_BYTES];
    for (unsigned i = 0; i < touched_count; i++) {
        used[touched[i]] = 0;
    }
    touched_count = 0;
    if (first[0][0] == 0) {
        struct store_super super = plain;
        super.crc = structure_crc(&super, sizeof(super));
        put(0, &super, sizeof(super));
        put(8ull * STORE_SECTOR_BYTES, &super, sizeof(super));
        put_checkpoint(0, NULL, 0);
        put_checkpoint(1, NULL, 0);
        memcpy(first, data, sizeof(first));
    }
    put(0, first, sizeof(first));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct findings findings = {.say = silent};
    struct verify_counts counts = {0};
    struct image im = {.read = read_memory, .next_data = next_memory};
    struct store s;
    struct patch p;
    im.bytes = (uint64_t)SECTORS * STORE_SECTOR_BYTES;
    begin();
    for (unsigned i = 0; i < PATCHES_MAX && n >= sizeof(p); i++) {
        memcpy(&p, bytes, sizeof(p));
        size_t length = p.length < n - sizeof(p) ? p.length : n - sizeof(p);
        apply(&p, bytes + sizeof(p), length);
        bytes += sizeof(p) + length;
        n -= sizeof(p) + length;
    }
    if (store_open(&s, &im, &findings) == STORE_OPEN) {
        verify_super(&s);
        if (!verify_places(&s) || !verify_history(&s, &counts)) {
            abort();
        }
        verify_records(&s, &counts);
    }
    store_close(&s);
    return 0;
}
