/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a space: made, frozen, cloned, given back page by page, destroyed.
 *
 * Invariant: in a writable region, a page is private exactly when its entry is writable.
 */
#include "core/base/log.h"
#include "core/base/string.h"
#include "mm/table.h"

void space_init(struct space *s, const struct layout *layout, uint32_t owner)
{
    CHECK(layout->pages <= STAGE2_ROOT_ENTRIES * PAGES_PER_BLOCK);
    *s = (struct space){.layout = layout, .owner = owner};
}

void space_destroy(struct space *s)
{
    pte_t root[STAGE2_ROOT_ENTRIES];
    memcpy(root, s->root, sizeof(root));
    memset(s->root, 0, sizeof(s->root));
    stage2_flush(&s->vmid);
    s->vmid = (struct vmid){0};
    for (unsigned i = 0; i < STAGE2_ROOT_ENTRIES; i++) {
        if (root[i] != 0) {
            root_release(root[i]);
        }
    }
    s->private_pages = 0;
    s->private_tables = 0;
    s->shared_pages = 0;
    s->stored_pages = 0;
}

/* What a frozen entry, of a page or a block, looks like. */
static pte_t frozen(pte_t pte)
{
    return pte & PTE_S2AP_W ? (pte & ~PTE_S2AP_W) | PTE_SW_COW : pte;
}

/* Pages of earlier templates stay theirs, unless nobody else refers to them any more. */
static void freeze_frame(const struct space *s, pa_t pa, uint32_t owner)
{
    if (frame_kind(pa) == FRAME_PRIVATE || frame_refs(pa) == 1) {
        frame_assign(pa, FRAME_SHARED, owner);
    }
    if (s->layout->own_mmu) { /* clones may read it past the cache that it was written in */
        dcache_clean_poc(arch_ptr(pa), PAGE_SIZE);
    }
}

struct freeze {
    const struct space *s;
    uint32_t owner;
};

static inline void freeze_entry(pte_t *entry, void *arg)
{
    const struct freeze *f = arg;
    freeze_frame(f->s, pte_pa(*entry), f->owner);
    *entry = frozen(*entry);
}

static void freeze_table(struct space *s, unsigned index, uint32_t owner)
{
    pte_t root = s->root[index];
    struct freeze f = {s, owner};
    table_visit(root_table(root), root, freeze_entry, &f);
    frame_assign(pte_pa(root), FRAME_STAGE2, owner);
    s->root[index] = root | PTE_SW_SHARED;
}

static void freeze_block(struct space *s, unsigned index, uint32_t owner)
{
    pa_t pa = pte_pa(s->root[index]);
    for (unsigned i = 0; i < PAGES_PER_BLOCK; i++, pa.v += PAGE_SIZE) {
        freeze_frame(s, pa, owner);
    }
    s->root[index] = frozen(s->root[index]);
}

/* A block becomes a table, so that clones share it by one reference; should there be no frame for
 * the table, it stays a block, and clones count a reference to each of its pages. */
static void freeze_root(struct space *s, unsigned index, uint32_t owner)
{
    pte_t root = s->root[index];
    if (root == 0 || (root & PTE_SW_SHARED && frame_refs(pte_pa(root)) > 1)) {
        return;
    }
    if (table_own(s, index) == OK) { /* cannot fail but for a block */
        freeze_table(s, index, owner);
    } else {
        freeze_block(s, index, owner);
    }
}

void space_freeze(struct space *s, uint32_t owner)
{
    s->owner = owner;
    for (unsigned i = 0; i < STAGE2_ROOT_ENTRIES; i++) {
        freeze_root(s, i, owner);
    }
    s->shared_pages += s->private_pages;
    s->private_pages = 0;
    stage2_flush(&s->vmid);
    s->vmid = (struct vmid){0};
}

static void root_ref(pte_t root)
{
    pa_t pa = pte_pa(root);
    if (likely(root_is_table(root))) {
        CHECK(root & PTE_SW_SHARED);
        frame_ref(pa);
        return;
    }
    for (unsigned i = 0; i < PAGES_PER_BLOCK; i++, pa.v += PAGE_SIZE) {
        frame_ref(pa);
    }
}

void space_clone(struct space *s, const struct space *template, uint32_t owner)
{
    *s = (struct space){
        .layout = template->layout, .owner = owner, .shared_pages = template->shared_pages};
    for (unsigned i = 0; i < STAGE2_ROOT_ENTRIES; i++) {
        pte_t root = template->root[i];
        if (root != 0) {
            root_ref(root);
            s->root[i] = root;
        }
    }
}

/* Release. */

/* Whether all of [first, end) lies in writable regions. */
static enum err check_writable(const struct layout *layout, uint64_t first, uint64_t end)
{
    while (first < end) {
        const struct region *r = layout_region(layout, first);
        if (!r) {
            return ERR_RANGE;
        }
        if (!(r->perm & PERM_W)) {
            return ERR_DENIED;
        }
        first = r->end_page;
    }
    return OK;
}

/* Makes what [from, end) below a root entry needs so that it can be unmapped. */
static enum err prepare_release(struct space *s, unsigned index, unsigned from, unsigned end)
{
    pte_t root = s->root[index];
    bool whole = from == 0 && end == PAGES_PER_BLOCK;
    if (root == 0 || root_is_own_table(root) || (root_is_block(root) && whole)) {
        return OK;
    }
    if (root_is_table(root) && table_next(root_table(root), root, from, end) == end) {
        return OK;
    }
    return table_own(s, index);
}

static void forget_pages(struct space *s, pte_t pte, uint32_t pages, uint64_t *freed)
{
    if (pte & PTE_S2AP_W) {
        s->private_pages -= pages;
        *freed += pages;
    } else {
        s->shared_pages -= pages;
    }
}

static void unmap(struct space *s, unsigned index, unsigned from, unsigned end, uint64_t *freed)
{
    pte_t root = s->root[index];
    ipa_t ipa = IPA((uint64_t)index * BLOCK_SIZE);
    if (root_is_block(root)) {
        stage2_break(&s->root[index], ipa, &s->vmid);
        stage2_flush(&s->vmid);
        forget_pages(s, root, PAGES_PER_BLOCK, freed);
        root_release(root);
    }
    if (!root_is_own_table(root)) {
        return;
    }
    pte_t *table = root_table(root);
    while ((from = table_next(table, root, from, end)) < end) {
        pte_t pte = table[from];
        if (pte_is_stored(pte)) {
            table[from] = 0;
            s->stored_pages--;
            continue;
        }
        stage2_break(&table[from], IPA(ipa.v + from * PAGE_SIZE), &s->vmid);
        forget_pages(s, pte, 1, freed);
        (void)frame_unref(pte_pa(pte));
    }
}

/* The part of [first, end) below root entry `index`, as indices below it. */
static unsigned part_from(uint64_t first, unsigned index)
{
    uint64_t start = (uint64_t)index * PAGES_PER_BLOCK;
    return first > start ? (unsigned)(first - start) : 0;
}

static unsigned part_end(uint64_t end, unsigned index)
{
    return (unsigned)MIN(end - (uint64_t)index * PAGES_PER_BLOCK, PAGES_PER_BLOCK);
}

enum err space_release(struct space *s, ipa_t ipa, uint64_t pages, uint64_t *freed)
{
    *freed = 0;
    uint64_t first = ipa.v >> PAGE_SHIFT;
    if (ipa.v & PAGE_MASK) {
        return ERR_INVALID;
    }
    if (first > s->layout->pages || pages > s->layout->pages - first) {
        return ERR_RANGE;
    }
    uint64_t end = first + pages;
    enum err e = check_writable(s->layout, first, end);
    unsigned begin = (unsigned)ROOT_INDEX(first);
    for (unsigned i = begin; e == OK && (uint64_t)i * PAGES_PER_BLOCK < end; i++) {
        e = prepare_release(s, i, part_from(first, i), part_end(end, i));
    }
    for (unsigned i = begin; e == OK && (uint64_t)i * PAGES_PER_BLOCK < end; i++) {
        unmap(s, i, part_from(first, i), part_end(end, i), freed);
    }
    return e;
}

/* The proportional set size. A page has a reference for each table that maps it, and a shared
 * table one for each root. From a table of its own, a space cannot see how many roots share its
 * template's table; it counts none, which is right once every clone has written
 * below that table. */

/* Shares of pages are summed in 1/65,536 of a byte, so that many small ones are not lost. */
#define PSS_SHIFT 16

/* `also` spaces reach the frame through a table that they share. */
static uint64_t page_pss(pa_t frame, uint64_t also)
{
    uint64_t tables = frame_refs(frame);
    if (frame_kind(frame) == FRAME_SHARED) {
        tables--; /* the template's own, which is no VM's */
    }
    return (PAGE_SIZE << PSS_SHIFT) / MAX(tables + also, 1ull);
}

struct pss {
    uint64_t also;
    uint64_t sum;
};

static inline void entry_pss(pte_t *entry, void *arg)
{
    struct pss *p = arg;
    p->sum += page_pss(pte_pa(*entry), p->also);
}

static uint64_t table_pss(pte_t root)
{
    struct pss p = {.also = root & PTE_SW_SHARED ? frame_refs(pte_pa(root)) - 1 : 0};
    table_visit(root_table(root), root, entry_pss, &p);
    return p.sum;
}

static uint64_t block_pss(pte_t root)
{
    uint64_t sum = 0;
    pa_t pa = pte_pa(root);
    for (unsigned i = 0; i < PAGES_PER_BLOCK; i++, pa.v += PAGE_SIZE) {
        sum += page_pss(pa, 0);
    }
    return sum;
}

uint64_t space_pss_bytes(const struct space *s)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < STAGE2_ROOT_ENTRIES; i++) {
        pte_t root = s->root[i];
        if (root_is_table(root)) {
            sum += table_pss(root);
        } else if (root_is_block(root)) {
            sum += block_pss(root);
        }
    }
    return sum >> PSS_SHIFT;
}
