/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records into spaces. A record's head is sound when it comes here, but what it says is not
 * trusted: each number is checked before it is used, and each page's bytes against its checksum.
 */
#include "arch/memory.h"
#include "core/base/log.h"
#include "core/base/string.h"
#include "mm/codec.h"
#include "mm/record.h"
#include "mm/table.h"

/* The entry for a page of the record, empty; what the clone shared there is given back. */
static enum err take_entry(struct space *s, uint32_t page, pte_t **out)
{
    enum err e = table_own(s, (unsigned)ROOT_INDEX(page));
    if (e != OK) {
        return e;
    }
    pte_t *entry = &root_table(s->root[ROOT_INDEX(page)])[TABLE_INDEX(page)];
    if (pte_is_stored(*entry) || *entry & PTE_S2AP_W) {
        return ERR_INVALID; /* twice in one record */
    }
    if (*entry != 0) {
        pa_t shared = pte_pa(*entry);
        stage2_break(entry, IPA((uint64_t)page << PAGE_SHIFT), &s->vmid);
        (void)frame_unref(shared);
        s->shared_pages--;
    }
    table_mark_used(s, page);
    *out = entry;
    return OK;
}

static const void *base_of(const struct space *template, uint32_t page)
{
    pte_t root = template ? template->root[ROOT_INDEX(page)] : 0;
    pte_t pte = root_is_table(root) ? root_table(root)[TABLE_INDEX(page)] : 0;
    return pte_is_valid(pte) ? arch_ptr(pte_pa(pte)) : NULL;
}

/* A frame with what `data` says of `page`. */
static enum err make_page(struct space *s, const struct space *template, uint32_t page,
                          uint16_t code, const void *data, pa_t *out)
{
    enum err e = frame_alloc(FRAME_PRIVATE, s->owner, out);
    if (e != OK) {
        return e;
    }
    e = codec_decode(data, STORE_PAGE_BYTES(code), (enum store_coding)STORE_PAGE_CODING(code),
                     base_of(template, page), arch_ptr(*out));
    if (e != OK) {
        (void)frame_unref(*out);
    } else if (s->layout->own_mmu) {
        dcache_clean_poc(arch_ptr(*out), PAGE_SIZE);
    }
    return e;
}

struct reader {
    struct space *space;
    const struct space *template;
    const struct store_record *record;
    size_t bytes; /* of it that are at hand */
};

static bool may_be_there(const struct space *s, const struct store_page *p)
{
    const struct region *r = layout_region(s->layout, p->number);
    return r && r->perm & PERM_W && STORE_PAGE_BYTES(p->code) <= PAGE_SIZE;
}

/* One page of the table, whose bytes are at `at`; `bring`: into memory. */
static enum err read_page(struct reader *r, const struct store_page *p, uint32_t at, bool bring)
{
    struct space *s = r->space;
    pte_t *entry;
    pa_t frame;
    if (!may_be_there(s, p)) {
        return ERR_INVALID;
    }
    enum err e = take_entry(s, p->number, &entry);
    if (e != OK || STORE_PAGE_CODING(p->code) == STORE_HOLE) {
        return e;
    }
    if (!bring) {
        *entry = pte_stored(at, p->code, p->crc);
        s->stored_pages++;
        return OK;
    }
    const uint8_t *data = (const uint8_t *)r->record + at;
    if (checksum(0, data, STORE_PAGE_BYTES(p->code)) != p->crc) {
        return ERR_INVALID;
    }
    e = make_page(s, r->template, p->number, p->code, data, &frame);
    if (e == OK) {
        stage2_publish(entry, pte_page(frame, PERM_W) & ~PTE_AF);
        s->private_pages++;
    }
    return e;
}

enum err record_read(struct space *s, const struct space *template, const struct store_record *r,
                     size_t bytes, bool only_first)
{
    struct reader reader = {s, template, r, bytes};
    const struct store_page *table = record_table(r);
    uint64_t at = r->head_bytes;
    bool all = record_is_small(r) && bytes >= r->sectors * STORE_SECTOR_BYTES;
    uint32_t wanted = only_first ? 1 : all ? r->pages : r->hot_pages;
    enum err e = OK;
    for (uint32_t i = 0; e == OK && i < r->pages; i++) {
        uint64_t end = at + STORE_PAGE_BYTES(table[i].code);
        if (end > r->sectors * STORE_SECTOR_BYTES) {
            return ERR_INVALID;
        }
        e = read_page(&reader, &table[i], (uint32_t)at, i < wanted && end <= bytes);
        at = end;
    }
    return e;
}

/* --- templates ---------------------------------------------------------------------------- */

static enum err read_template_page(struct space *s, const struct store_page *p, const void *data)
{
    const struct region *r = layout_region(s->layout, p->number);
    pa_t frame;
    uint32_t bytes = STORE_PAGE_BYTES(p->code);
    if (!r || bytes > PAGE_SIZE || checksum(0, data, bytes) != p->crc || base_of(s, p->number)) {
        return ERR_INVALID;
    }
    enum err e = make_page(s, NULL, p->number, p->code, data, &frame);
    if (e != OK) {
        return e;
    }
    if (r->perm & PERM_X) {
        icache_sync(arch_ptr(frame), PAGE_SIZE);
    }
    e = space_map(s, p->number, frame, r->perm);
    if (e != OK) {
        (void)frame_unref(frame);
    }
    return e;
}

enum err record_read_template(struct space *s, const struct store_record *r, size_t bytes)
{
    const struct store_page *table = record_table(r);
    uint64_t at = r->head_bytes;
    enum err e = OK;
    for (uint32_t i = 0; e == OK && i < r->pages; i++) {
        uint64_t end = at + STORE_PAGE_BYTES(table[i].code);
        e = end > bytes ? ERR_INVALID : read_template_page(s, &table[i], (const uint8_t *)r + at);
        at = end;
    }
    return e;
}

/* --- fetching ----------------------------------------------------------------------------- */

static pte_t *entry_of(const struct space *s, uint32_t page)
{
    pte_t root = s->root[ROOT_INDEX(page)];
    return root_is_table(root) ? &root_table(root)[TABLE_INDEX(page)] : NULL;
}

bool record_locate(const struct space *s, uint32_t page, uint32_t *offset, uint32_t *bytes)
{
    const pte_t *entry = entry_of(s, page);
    if (!entry || !pte_is_stored(*entry)) {
        return false;
    }
    *offset = stored_offset(*entry);
    *bytes = STORE_PAGE_BYTES(stored_code(*entry));
    return true;
}

struct piece {
    const uint8_t *data;
    uint32_t offset, bytes;
};

static bool piece_has(const struct piece *p, pte_t pte)
{
    uint32_t at = stored_offset(pte), length = STORE_PAGE_BYTES(stored_code(pte));
    return pte_is_stored(pte) && at >= p->offset && length <= p->bytes &&
           at - p->offset <= p->bytes - length;
}

static enum err fetch_page(struct space *s, const struct space *template, uint32_t page,
                           const struct piece *p, pte_t flag)
{
    pte_t *entry = entry_of(s, page);
    const uint8_t *data = p->data + (stored_offset(*entry) - p->offset);
    uint16_t code = stored_code(*entry);
    pa_t frame;
    if (!stored_crc_is(*entry, checksum(0, data, STORE_PAGE_BYTES(code)))) {
        return ERR_INVALID;
    }
    enum err e = make_page(s, template, page, code, data, &frame);
    if (e == OK) {
        stage2_publish(entry, (pte_page(frame, PERM_W) & ~PTE_AF) | flag);
        s->private_pages++;
        s->stored_pages--;
    }
    return e;
}

static enum err fetch_all(struct space *s, const struct space *template, const struct piece *p)
{
    enum err e = OK;
    for (uint32_t page = 0; e == OK && page < s->layout->pages; page++) {
        const pte_t *entry = entry_of(s, page);
        if (!entry) {
            page |= PAGES_PER_BLOCK - 1;
        } else if (piece_has(p, *entry)) {
            e = fetch_page(s, template, page, p, 0);
        }
    }
    return e;
}

enum err record_fetch(struct space *s, const struct space *template, const void *data,
                      uint32_t offset, uint32_t bytes, uint32_t need, bool only)
{
    struct piece p = {data, offset, bytes};
    if (need == RECORD_ALL_PAGES) {
        return fetch_all(s, template, &p);
    }
    const pte_t *entry = entry_of(s, need);
    if (entry && piece_has(&p, *entry)) { /* else it was given back meanwhile */
        enum err e = fetch_page(s, template, need, &p, PTE_AF);
        if (e != OK) {
            return e;
        }
    }
    if (!only) {
        (void)fetch_all(s, template,
                        &p); /* what came along; it will be asked for if it is missed */
    }
    return OK;
}
