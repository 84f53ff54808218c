/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spaces into records, and what can be said of a record without a space. The way back is in
 * mm/record_read.c.
 *
 *      head | registers, perhaps | table of pages | bytes of the pages, hot ones first | zeroes
 *      0                          head_bytes - 8n   head_bytes          hot_bytes
 *
 * Invariant: a record holds what its VM has and its template has not, and nothing else: rooms are
 * filled from the front, and what is left of the last sector is zeroed.
 */
#include "mm/record.h"
#include "arch/memory.h"
#include "core/base/string.h"
#include "mm/codec.h"
#include "mm/table.h"

#define DELTA_OF_NOTHING 64u /* bytes: a bitmap of zeroes */

/* --- heads -------------------------------------------------------------------------------- */

static size_t fixed_bytes(uint32_t flags)
{
    return sizeof(struct store_record) +
           (flags & STORE_RECORD_EXTRA ? sizeof(struct store_extra) : 0);
}

struct store_extra *record_extra(struct store_record *r)
{
    return (struct store_extra *)(void *)(r + 1);
}

const struct store_page *record_table(const struct store_record *r)
{
    return (const void *)((const uint8_t *)r + fixed_bytes(r->flags));
}

/* The head with its checksum as 0, without writing to it. */
static uint32_t head_crc(const struct store_record *r)
{
    static const uint32_t zero;
    size_t at = offsetof(struct store_record, crc), after = at + sizeof(r->crc);
    uint32_t crc = checksum(0, r, at);
    crc = checksum(crc, &zero, sizeof(zero));
    return checksum(crc, (const uint8_t *)r + after, r->head_bytes - after);
}

void record_seal(struct store_record *r)
{
    r->crc = head_crc(r);
}

bool record_head_is_sound(const struct store_record *r, size_t bytes, const uint8_t uuid[16])
{
    return bytes >= sizeof(*r) && r->magic == STORE_RECORD_MAGIC && r->version == STORE_VERSION &&
           memcmp(r->uuid, uuid, sizeof(r->uuid)) == 0 && r->head_bytes <= bytes &&
           IS_ALIGNED(r->head_bytes, 8u) && r->hot_pages <= r->pages &&
           r->head_bytes >= fixed_bytes(r->flags) + r->pages * sizeof(struct store_page) &&
           r->sectors <= STORE_RECORD_SECTORS_MAX && r->hot_bytes >= r->head_bytes &&
           r->hot_bytes <= r->sectors * STORE_SECTOR_BYTES && head_crc(r) == r->crc;
}

bool record_is_whole(const struct store_record *r, size_t bytes, uint32_t slot,
                     const uint8_t uuid[16])
{
    if (!record_head_is_sound(r, bytes, uuid) || r->slot != slot) {
        return false;
    }
    const struct store_page *table = record_table(r);
    uint64_t at = r->head_bytes;
    for (uint32_t i = 0; i < r->pages; i++) {
        uint32_t length = STORE_PAGE_BYTES(table[i].code);
        if (at + length > bytes || checksum(0, (const uint8_t *)r + at, length) != table[i].crc) {
            return false;
        }
        at += length;
    }
    return true;
}

bool record_is_small(const struct store_record *r)
{
    return r->sectors * STORE_SECTOR_BYTES <= RECORD_SMALL_BYTES;
}

struct store_place record_place(const struct store_record *r)
{
    bool small = record_is_small(r);
    uint32_t hot = ALIGN_UP(r->hot_bytes, STORE_SECTOR_BYTES) / STORE_SECTOR_BYTES;
    return (struct store_place){.sectors = (uint16_t)r->sectors,
                                .hot = store_size_code(small ? r->sectors : hot),
                                .frames = store_size_code((small ? r->pages : r->hot_pages) + 2u)};
}

/* Own pages, and those that its template has and it gave back. */
static uint32_t entries_max(const struct space *s, const struct space *template)
{
    uint32_t lent = template ? template->shared_pages : 2 * s->shared_pages;
    return s->private_pages + (lent > s->shared_pages ? lent - s->shared_pages : 0);
}

uint64_t record_bytes_max(const struct space *s, const struct space *template, bool extra)
{
    uint64_t pages = entries_max(s, template);
    uint64_t bytes = fixed_bytes(extra ? STORE_RECORD_EXTRA : 0) +
                     pages * (PAGE_SIZE + sizeof(struct store_page));
    return ALIGN_UP(bytes, (uint64_t)STORE_SECTOR_BYTES);
}

/* --- writing ------------------------------------------------------------------------------ */

struct writer {
    const struct space *space, *template;
    struct store_record *record;
    struct store_page *table, *end; /* where the next page is entered, and what is behind */
    uint8_t *to, *room_end;
    uint32_t first_page;
};

static pte_t entry_at(const struct space *s, uint32_t page)
{
    pte_t root = s ? s->root[ROOT_INDEX(page)] : 0;
    return root_is_table(root) ? root_table(root)[TABLE_INDEX(page)] : 0;
}

static const uint8_t *page_at(const struct space *s, uint32_t page)
{
    pte_t pte = entry_at(s, page);
    return pte_is_valid(pte) ? arch_ptr(pte_pa(pte)) : NULL;
}

static enum err enter(struct writer *w, uint32_t page, enum store_coding coding, uint32_t bytes)
{
    if (w->table == w->end) {
        return ERR_RANGE;
    }
    *w->table++ = (struct store_page){.number = (uint16_t)page,
                                      .code = STORE_PAGE_CODE(coding, bytes),
                                      .crc = checksum(0, w->to, bytes)};
    w->to += bytes;
    return OK;
}

/* One page. What is as in the template, or zero where that has none, needs no entry. */
static enum err write_page(struct writer *w, uint32_t page, pte_t pte)
{
    const uint8_t *base = page_at(w->template, page);
    if (pte_is_stored(pte)) {
        return ERR_AWAY;
    }
    if (pte == 0) {
        return base ? enter(w, page, STORE_HOLE, 0) : OK;
    }
    if (w->room_end - w->to < (ptrdiff_t)PAGE_SIZE) {
        return ERR_RANGE;
    }
    if (w->space->layout->own_mmu) { /* it may have written past the caches, which hold older */
        dcache_clean_poc(arch_ptr(pte_pa(pte)), PAGE_SIZE);
    }
    enum store_coding coding;
    uint32_t bytes = codec_encode(arch_ptr(pte_pa(pte)), base, w->to, &coding);
    const uint64_t *bitmap = (const void *)w->to;
    bool same = coding == STORE_DELTA && bytes == DELTA_OF_NOTHING && bitmap[0] == 0;
    return same ? OK : enter(w, page, coding, bytes);
}

static bool is_own(const struct writer *w, pte_t pte)
{
    return !w->template || pte & PTE_S2AP_W;
}

/* The pages below one root entry that were touched, or those that were not. */
static enum err write_table(struct writer *w, unsigned index, bool hot)
{
    pte_t root = w->space->root[index], other = w->template ? w->template->root[index] : 0;
    const pte_t *table = root_table(root);
    const pte_t *others = root_is_table(other) ? root_table(other) : table;
    enum err e = OK;
    for (unsigned i = 0; e == OK && i < PAGES_PER_BLOCK; i++) {
        if (IS_ALIGNED(i, EIGHTH_ENTRIES) && !((root | other) & used_bit(i))) {
            i += EIGHTH_ENTRIES - 1;
            continue;
        }
        if (IS_ALIGNED(i, GROUP_ENTRIES) && group_is_empty(table + i) &&
            group_is_empty(others + i)) {
            i += GROUP_ENTRIES - 1;
            continue;
        }
        uint32_t page = index * (uint32_t)PAGES_PER_BLOCK + i;
        pte_t pte = table[i];
        bool away = pte_is_stored(pte), touched = !away && pte & PTE_AF;
        if (page != w->first_page && touched == hot && (pte == 0 || away || is_own(w, pte))) {
            e = write_page(w, page, pte);
        }
    }
    return e;
}

static enum err write_pages(struct writer *w, bool hot)
{
    enum err e = OK;
    for (unsigned i = 0; e == OK && i < STAGE2_ROOT_ENTRIES; i++) {
        pte_t root = w->space->root[i];
        if (root_is_block(root) || (w->template && root_is_block(w->template->root[i]))) {
            return ERR_RANGE;
        }
        if (root_is_own_table(root) || (root_is_table(root) && !w->template)) {
            e = write_table(w, i, hot);
        }
    }
    return e;
}

static void finish(struct writer *w, uint32_t hot_pages, const uint8_t *hot_end)
{
    struct store_record *r = w->record;
    uint8_t *start = (uint8_t *)r;
    size_t bytes = (size_t)(w->to - start);
    size_t whole = ALIGN_UP(bytes, (size_t)STORE_SECTOR_BYTES);
    memset(w->table, 0, (size_t)((uint8_t *)w->end - (uint8_t *)w->table));
    memset(w->to, 0, whole - bytes);
    r->pages = (uint16_t)(w->table - record_table(r));
    r->hot_pages = (uint16_t)hot_pages;
    r->hot_bytes = (uint32_t)(hot_end - start);
    r->sectors = (uint32_t)(whole / STORE_SECTOR_BYTES);
    record_seal(r);
}

enum err record_write(const struct space *s, const struct space *template, uint32_t first_page,
                      struct store_record *r, size_t room)
{
    struct writer w = {.space = s, .template = template, .record = r, .first_page = first_page};
    uint32_t entries = entries_max(s, template);
    size_t head = fixed_bytes(r->flags) + entries * sizeof(struct store_page);
    room = ALIGN_DOWN(room, (size_t)STORE_SECTOR_BYTES);
    if (head > room) {
        return ERR_RANGE;
    }
    r->head_bytes = (uint32_t)head;
    w.table = (struct store_page *)((uint8_t *)r + fixed_bytes(r->flags));
    w.end = w.table + entries;
    w.to = (uint8_t *)r + head;
    w.room_end = (uint8_t *)r + room;
    enum err e = write_page(&w, first_page, entry_at(s, first_page));
    if (e == OK) {
        e = write_pages(&w, true);
    }
    uint32_t hot_pages = (uint32_t)(w.table - record_table(r));
    const uint8_t *hot_end = w.to;
    if (e == OK) {
        e = write_pages(&w, false);
    }
    if (e == OK) {
        finish(&w, hot_pages, hot_end);
    }
    return e;
}
