/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The format's rules: records. Code words are decoded far enough to know that a whole page comes
 * out of them; what it is needs the template.
 */
#include <string.h>

#include "core/base/crc32c.h"
#include "tools/toklat/store_format.h"

#define PAGE_BYTES 4096u
#define PAGE_WORDS (PAGE_BYTES / 8)
#define BITMAP_BYTES (PAGE_WORDS / 8)
#define LZ4_LENGTH_BYTES 8u
#define LZ4_MATCH_MIN 4u

static uint32_t table_offset(const struct store_record *r)
{
    return (uint32_t)sizeof(*r) +
           (r->flags & STORE_RECORD_EXTRA ? (uint32_t)sizeof(struct store_extra) : 0);
}

const struct store_page *record_pages(const struct store_record *r)
{
    return (const struct store_page *)((const char *)r + table_offset(r));
}

static bool head_numbers_sound(const struct store_super *s, uint32_t slot,
                               const struct store_record *r, struct why *why)
{
    const uint32_t known = STORE_RECORD_EXTRA | STORE_RECORD_RUNNABLE | STORE_RECORD_WFI;
    if (memcmp(r->uuid, s->uuid, sizeof(s->uuid)) != 0) {
        return refuse(why, "uuid of another store");
    }
    if (r->slot == 0 || r->slot > store_slots(s) || (slot && r->slot != slot)) {
        return refuse(why, "slot %u in the record, limit 1 to %u", r->slot, store_slots(s));
    }
    if (r->flags & ~known) {
        return refuse(why, "flags 0x%x, limit 0x%x", r->flags, known);
    }
    if (r->hot_pages > r->pages) {
        return refuse(why, "hot_pages %u, limit %u", r->hot_pages, r->pages);
    }
    if (r->console_used > sizeof(r->console_line)) {
        return refuse(why, "console_used %u, limit %zu", r->console_used, sizeof(r->console_line));
    }
    return true;
}

/* What the table of pages says together with hot_bytes and sectors. */
static bool lengths_sound(const struct store_record *r, struct why *why)
{
    const struct store_page *page = record_pages(r);
    uint64_t at = r->head_bytes, hot = at;
    uint8_t seen[STORE_PAGES_MAX / 8] = {0};
    for (unsigned i = 0; i < r->pages; i++) {
        unsigned number = page[i].number, coding = STORE_PAGE_CODING(page[i].code);
        uint32_t bytes = STORE_PAGE_BYTES(page[i].code);
        if (number >= STORE_PAGES_MAX) {
            return refuse(why, "page %u, limit %u", number, STORE_PAGES_MAX - 1);
        }
        if (seen[number / 8] & 1u << number % 8) {
            return refuse(why, "page %u twice", number);
        }
        seen[number / 8] = (uint8_t)(seen[number / 8] | 1u << number % 8);
        if ((bytes == 0) != (coding == STORE_HOLE) || bytes > PAGE_BYTES) {
            return refuse(why, "page %u: coding %u of %u bytes, limit 8 to %u, 0 of %u", number,
                          coding, bytes, PAGE_BYTES, STORE_HOLE);
        }
        at += bytes;
        hot = i < r->hot_pages ? at : hot;
    }
    if (r->hot_bytes != hot) {
        return refuse(why, "hot_bytes %u, but the hot pages end at %ju", r->hot_bytes,
                      (uintmax_t)hot);
    }
    if (r->sectors != (at + STORE_SECTOR_BYTES - 1) / STORE_SECTOR_BYTES) {
        return refuse(why, "sectors %u, but the pages end at byte %ju", r->sectors, (uintmax_t)at);
    }
    return true;
}

bool head_sound(const struct store_super *s, uint32_t slot, const struct store_record *r,
                size_t bytes, struct why *why)
{
    if (bytes < sizeof(*r) || r->magic != STORE_RECORD_MAGIC) {
        return refuse(why, "magic 0x%016jx is not 0x%016jx",
                      bytes < sizeof(*r) ? 0 : (uintmax_t)r->magic, (uintmax_t)STORE_RECORD_MAGIC);
    }
    if (r->pages > STORE_PAGES_MAX) {
        return refuse(why, "pages %u, limit %u", r->pages, STORE_PAGES_MAX);
    }
    uint32_t head = table_offset(r) + r->pages * (uint32_t)sizeof(struct store_page);
    if (r->head_bytes < head || r->head_bytes % 8 != 0 || r->head_bytes > bytes) {
        return refuse(why, "head_bytes %u, needed %u for %u pages, limit %zu", r->head_bytes, head,
                      r->pages, bytes);
    }
    uint32_t crc = structure_crc(r, r->head_bytes);
    if (r->crc != crc) {
        return refuse(why, "crc 0x%08x, computed 0x%08x", r->crc, crc);
    }
    if (r->version != STORE_VERSION) {
        return refuse(why, "version %u, this tool knows %u", r->version, STORE_VERSION);
    }
    return head_numbers_sound(s, slot, r, why) && lengths_sound(r, why);
}

bool head_fits(const struct store_record *r, const struct store_place *p, struct why *why)
{
    uint32_t hot = (r->hot_bytes + STORE_SECTOR_BYTES - 1) / STORE_SECTOR_BYTES;
    if (r->sectors != p->sectors) {
        return refuse(why, "sectors %u in the record, %u in the index", r->sectors, p->sectors);
    }
    if (store_size(p->hot) < hot) {
        return refuse(why, "hot %u sectors in the index, needed %u", store_size(p->hot), hot);
    }
    if (store_size(p->frames) < MIN(r->hot_pages, STORE_SIZE_MAX)) {
        return refuse(why, "frames %u in the index, needed %u", store_size(p->frames),
                      r->hot_pages);
    }
    return true;
}

static bool delta_sound(const uint8_t *code, uint32_t bytes, struct why *why)
{
    uint32_t words = 0;
    if (bytes < BITMAP_BYTES) {
        return refuse(why, "delta of %u bytes, limit %u or more", bytes, BITMAP_BYTES);
    }
    for (unsigned i = 0; i < BITMAP_BYTES; i++) {
        words += (uint32_t)__builtin_popcount(code[i]);
    }
    if (bytes != BITMAP_BYTES + words * 8) {
        return refuse(why, "delta of %u bytes, but its bitmap has %u words", bytes, words);
    }
    return true;
}

/* A length of LZ4: 15 goes on in bytes that are added up to one that is not 255. */
static bool lz4_length(const uint8_t **in, const uint8_t *end, uint32_t *length)
{
    uint32_t more = 255;
    if (*length < 15) {
        return true;
    }
    while (more == 255 && *in < end && *length <= PAGE_BYTES) {
        more = *(*in)++;
        *length += more;
    }
    return more != 255;
}

/* Bytes that a block of LZ4 is decoded to, or more than a page when it is none. */
static uint32_t lz4_decoded(const uint8_t *in, uint32_t bytes)
{
    const uint8_t *end = in + bytes;
    uint32_t out = 0;
    while (in < end) {
        uint32_t literals = *in >> 4, match = *in & 15;
        in++;
        if (!lz4_length(&in, end, &literals) || literals > (size_t)(end - in)) {
            return UINT32_MAX;
        }
        in += literals;
        out += literals;
        if (in == end || out > PAGE_BYTES) {
            return out;
        }
        if (end - in < 2) {
            return UINT32_MAX;
        }
        uint32_t distance = in[0] | (uint32_t)in[1] << 8;
        in += 2;
        if (distance == 0 || distance > out || !lz4_length(&in, end, &match)) {
            return UINT32_MAX;
        }
        out += match + LZ4_MATCH_MIN;
    }
    return UINT32_MAX; /* the last sequence has literals only */
}

static bool lz4_sound(const uint8_t *code, uint32_t bytes, struct why *why)
{
    uint64_t length;
    memcpy(&length, code, sizeof(length));
    if (length == 0 || length > bytes - LZ4_LENGTH_BYTES ||
        ALIGN_UP(length + LZ4_LENGTH_BYTES, 8ull) != bytes) {
        return refuse(why, "LZ4 block of %ju bytes in %u", (uintmax_t)length, bytes);
    }
    uint32_t out = lz4_decoded(code + LZ4_LENGTH_BYTES, (uint32_t)length);
    if (out != PAGE_BYTES) {
        return refuse(why, "LZ4 block that does not decode to %u bytes", PAGE_BYTES);
    }
    return true;
}

static bool code_sound(unsigned coding, const uint8_t *code, uint32_t bytes, struct why *why)
{
    switch (coding) {
    case STORE_DELTA:
        return delta_sound(code, bytes, why);
    case STORE_LZ4:
        return lz4_sound(code, bytes, why);
    case STORE_HOLE:
        return true; /* of no bytes, as its head says */
    default:
        return bytes == PAGE_BYTES || refuse(why, "raw of %u bytes, must be %u", bytes, PAGE_BYTES);
    }
}

bool pages_sound(const struct store_record *r, struct why *why)
{
    const struct store_page *page = record_pages(r);
    const uint8_t *code = (const uint8_t *)r + r->head_bytes;
    for (unsigned i = 0; i < r->pages; i++) {
        uint32_t bytes = STORE_PAGE_BYTES(page[i].code);
        uint32_t crc = crc32c(0, code, bytes);
        struct why inner;
        if (page[i].crc != crc) {
            return refuse(why, "page %u: crc 0x%08x, computed 0x%08x", page[i].number, page[i].crc,
                          crc);
        }
        if (!code_sound(STORE_PAGE_CODING(page[i].code), code, bytes, &inner)) {
            return refuse(why, "page %u: %.150s", page[i].number, inner.text);
        }
        code += bytes;
    }
    return true;
}
