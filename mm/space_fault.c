/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens when a guest touches memory: zero pages, copies, and refusals.
 *
 * Invariant: every frame is taken before anything changes, so out of memory changes nothing that
 * a guest could see.
 */
#include "core/base/log.h"
#include "mm/table.h"

/* Out of line, so that the fast path saves no registers for it. */
#define SLOW __attribute__((noinline))

/* The entry that maps `page`, or would in a table that is there; NULL when there is no table. */
static inline pte_t *find_entry(struct space *s, uint64_t page)
{
    pte_t *root = &s->root[ROOT_INDEX(page)];
    return root_is_table(*root) ? &root_table(*root)[TABLE_INDEX(page)] : root;
}

/* A guest that makes non-cacheable mappings must not see what the cache has not written back. */
static inline void give_to_guest(const struct space *s, pa_t pa)
{
    if (unlikely(s->layout->own_mmu)) {
        dcache_clean_poc(arch_ptr(pa), PAGE_SIZE);
    }
}

/* The frame of a page that is written to now: a copy, or itself when nobody else has it. */
static enum err own_frame(struct space *s, pa_t old, pa_t *out)
{
    if (frame_refs(old) == 1) {
        frame_assign(old, FRAME_PRIVATE, s->owner);
        *out = old;
        return OK;
    }
    enum err e = frame_alloc(FRAME_PRIVATE, s->owner, out);
    if (e == OK) {
        page_copy(arch_ptr(*out), arch_ptr(old));
    }
    return e;
}

/* Broken before it is made even when only permission is gained: the TLB may hold the old entry,
 * and the guest would fault for ever. */
static enum err copy_on_write(struct space *s, uint64_t page)
{
    enum err e = table_own(s, (unsigned)ROOT_INDEX(page));
    if (e != OK) {
        return e;
    }
    pte_t *entry = &root_table(s->root[ROOT_INDEX(page)])[TABLE_INDEX(page)];
    pa_t old = pte_pa(*entry), frame;
    e = own_frame(s, old, &frame);
    if (e != OK) {
        return e;
    }
    give_to_guest(s, frame);
    stage2_break(entry, IPA(page << PAGE_SHIFT), &s->vmid);
    stage2_publish(entry, pte_page(frame, PERM_W));
    if (frame.v != old.v) {
        (void)frame_unref(old);
    }
    s->private_pages++;
    s->shared_pages--;
    return OK;
}

/* Zero memory in a block, when the region and the frames allow it; else ERR_NO_MEMORY. */
static enum err map_zero_block(struct space *s, const struct region *r, uint64_t page)
{
    uint64_t index = ROOT_INDEX(page), first = index * PAGES_PER_BLOCK;
    pa_t block;
    if (s->root[index] != 0 || r->first_page > first || r->end_page < first + PAGES_PER_BLOCK ||
        frame_alloc_block(FRAME_PRIVATE, s->owner, FRAME_ORDER_MAX, &block) != OK) {
        return ERR_NO_MEMORY;
    }
    for (uint64_t at = 0; at < BLOCK_SIZE; at += PAGE_SIZE) {
        page_zero(arch_ptr(PA(block.v + at)));
        give_to_guest(s, PA(block.v + at));
    }
    stage2_publish(&s->root[index], pte_block(block, r->perm));
    s->private_pages += PAGES_PER_BLOCK;
    return OK;
}

static enum err map_zero_page(struct space *s, unsigned perm, uint64_t page)
{
    pa_t frame;
    enum err e = frame_alloc(FRAME_PRIVATE, s->owner, &frame);
    if (e != OK) {
        return e;
    }
    page_zero(arch_ptr(frame));
    give_to_guest(s, frame);
    e = space_map(s, (uint32_t)page, frame, perm);
    if (e != OK) {
        (void)frame_unref(frame);
    }
    return e;
}

/* Text comes from images alone: a hole in it stays one. */
static enum err fault_missing(struct space *s, uint64_t page, enum access access)
{
    const struct region *r = layout_region(s->layout, page);
    if (!r) {
        return ERR_RANGE;
    }
    if ((access == ACCESS_WRITE && !(r->perm & PERM_W)) ||
        (access == ACCESS_EXECUTE && !(r->perm & PERM_X))) {
        return ERR_DENIED;
    }
    if (r->perm & PERM_X) {
        return ERR_RANGE;
    }
    if (s->layout->large && map_zero_block(s, r, page) == OK) {
        return OK;
    }
    return map_zero_page(s, r->perm, page);
}

/* The first touch of a page that came back from the store: the hardware caches no entry without the
 * access flag (Arm ARM D8.4.5), so there is nothing to break. */
static void note_touch(struct space *s, uint64_t page)
{
    pte_t *entry = find_entry(s, page);
    stage2_publish(entry, *entry | PTE_AF);
}

static enum err fault_present(struct space *s, uint64_t page, pte_t pte, enum access access)
{
    if (!(pte & PTE_AF)) {
        note_touch(s, page);
        pte |= PTE_AF;
        if (pte & PTE_S2AP_W && access != ACCESS_EXECUTE) {
            return OK;
        }
    }
    if (access == ACCESS_WRITE && !(pte & PTE_S2AP_W)) {
        return pte & PTE_SW_COW ? copy_on_write(s, page) : ERR_DENIED;
    }
    if (access == ACCESS_EXECUTE && (pte & PTE_XN)) {
        return ERR_DENIED;
    }
    stage2_flush(&s->vmid); /* it was possible, so the TLB held something older */
    return OK;
}

enum err space_fault(struct space *s, ipa_t ipa, enum access access)
{
    uint64_t page = ipa.v >> PAGE_SHIFT;
    if (page >= s->layout->pages) {
        return ERR_RANGE;
    }
    pte_t pte = *find_entry(s, page);
    if (pte_is_valid(pte)) {
        return fault_present(s, page, pte, access);
    }
    if (unlikely(pte_is_stored(pte))) {
        s->away_page = (uint32_t)page;
        return ERR_AWAY;
    }
    return fault_missing(s, page, access);
}

/* What may need a fault, and what lies in a block. */
static SLOW enum err resolve_slowly(struct space *s, ipa_t ipa, pte_t need, void **out)
{
    uint64_t page = ipa.v >> PAGE_SHIFT;
    pte_t pte = *find_entry(s, page);
    if ((pte & need) != need) {
        enum err e = space_fault(s, ipa, need & PTE_S2AP_W ? ACCESS_WRITE : ACCESS_READ);
        if (e != OK) {
            return e;
        }
        pte = *find_entry(s, page);
    }
    uint64_t mask = root_is_table(s->root[ROOT_INDEX(page)]) ? PAGE_MASK : BLOCK_SIZE - 1;
    *out = arch_ptr(PA(pte_pa(pte).v + (ipa.v & mask)));
    return OK;
}

enum err space_resolve(struct space *s, ipa_t ipa, enum access access, void **out)
{
    ASSERT(access != ACCESS_EXECUTE);
    uint64_t page = ipa.v >> PAGE_SHIFT;
    if (page >= s->layout->pages) {
        return ERR_RANGE;
    }
    pte_t need = PTE_VALID | PTE_AF | (access == ACCESS_WRITE ? PTE_S2AP_W : 0);
    pte_t root = s->root[ROOT_INDEX(page)];
    if (likely(root_is_table(root))) {
        pte_t pte = root_table(root)[TABLE_INDEX(page)];
        if (likely((pte & need) == need)) {
            *out = arch_ptr(PA(pte_pa(pte).v | (ipa.v & PAGE_MASK)));
            return OK;
        }
    }
    return resolve_slowly(s, ipa, need, out);
}
