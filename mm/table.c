/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables below a space's root: made, copied, adopted, split and released.
 *
 * Invariant: a table holds one reference to each frame that it maps, and a root one to each table
 * or to each frame of a block. So copying a table adds a reference to every page in it, and only
 * who drops the last reference to a table drops those of its entries.
 */
#include "mm/frame_table.h"
#include "mm/table.h"

/* Break-before-make of a root entry: all below it may be cached, not only one address. */
static void root_replace(struct space *s, unsigned index, pte_t pte)
{
    stage2_break(&s->root[index], IPA((uint64_t)index * BLOCK_SIZE), &s->vmid);
    stage2_flush(&s->vmid);
    stage2_publish(&s->root[index], pte);
}

static enum err table_alloc(struct space *s, pa_t *out)
{
    enum err e = frame_alloc(FRAME_STAGE2, s->owner, out);
    if (e == OK) {
        s->private_tables++;
    }
    return e;
}

static enum err table_create(struct space *s, unsigned index)
{
    pa_t pa;
    enum err e = table_alloc(s, &pa);
    if (e == OK) {
        page_zero(arch_ptr(pa));
        stage2_publish(&s->root[index], pte_table(pa));
    }
    return e;
}

struct copy {
    const pte_t *src;
    pte_t *dst;
};

static inline void entry_copy(pte_t *entry, void *arg)
{
    const struct copy *c = arg;
    frame_ref_now(pte_pa(*entry));
    c->dst[entry - c->src] = *entry;
}

static void entries_copy(pte_t *dst, pte_t root)
{
    struct copy c = {root_table(root), dst};
    page_zero(dst);
    table_visit(root_table(root), root, entry_copy, &c);
}

/* Frozen tables map nothing writable, so copies need no change. */
static enum err table_copy(struct space *s, unsigned index)
{
    pte_t shared = s->root[index];
    if (frame_refs(pte_pa(shared)) == 1) { /* the template is gone, and so are all other clones */
        frame_assign(pte_pa(shared), FRAME_STAGE2, s->owner);
        __atomic_store_n(&s->root[index], shared & ~PTE_SW_SHARED, __ATOMIC_RELAXED);
        s->private_tables++;
        return OK;
    }
    pa_t pa;
    enum err e = table_alloc(s, &pa);
    if (e != OK) {
        return e;
    }
    entries_copy(arch_ptr(pa), shared);
    root_replace(s, index, pte_table(pa) | (shared & USED_MASK));
    root_release(shared);
    return OK;
}

/* The root's references to the block's frames become the table's. */
static enum err block_split(struct space *s, unsigned index)
{
    pa_t pa;
    enum err e = table_alloc(s, &pa);
    if (e != OK) {
        return e;
    }
    pte_t *table = arch_ptr(pa);
    pte_t pte = s->root[index] | PTE_TABLE;
    for (unsigned i = 0; i < STAGE2_TABLE_ENTRIES; i++, pte += PAGE_SIZE) {
        table[i] = pte;
    }
    root_replace(s, index, pte_table(pa) | USED_MASK);
    return OK;
}

enum err table_own(struct space *s, unsigned index)
{
    pte_t root = s->root[index];
    if (likely(root_is_own_table(root))) {
        return OK;
    }
    if (root_is_table(root)) {
        return table_copy(s, index);
    }
    return root_is_block(root) ? block_split(s, index) : table_create(s, index);
}

static inline void entry_release(pte_t *entry, void *arg)
{
    (void)arg;
    (void)frame_unref_now(pte_pa(*entry));
}

static void block_release(pte_t root)
{
    pa_t pa = pte_pa(root);
    for (unsigned i = 0; i < PAGES_PER_BLOCK; i++, pa.v += PAGE_SIZE) {
        (void)frame_unref(pa);
    }
}

void root_release(pte_t root)
{
    if (root_is_block(root)) {
        block_release(root);
    } else if (root_is_table(root) && !frame_unref_unless_last(pte_pa(root))) {
        table_visit(root_table(root), root, entry_release, NULL);
        (void)frame_unref(pte_pa(root));
    }
}

void table_mark_used(struct space *s, uint64_t page)
{
    pte_t *root = &s->root[ROOT_INDEX(page)], used = used_bit(TABLE_INDEX(page));
    if (!(*root & used)) {
        __atomic_store_n(root, *root | used, __ATOMIC_RELAXED);
    }
}

enum err space_map(struct space *s, uint32_t page, pa_t frame, unsigned perm)
{
    unsigned index = ROOT_INDEX(page);
    enum err e = table_own(s, index);
    if (e != OK) {
        return e;
    }
    table_mark_used(s, page);
    stage2_publish(&root_table(s->root[index])[TABLE_INDEX(page)], pte_page(frame, perm));
    s->private_pages++;
    return OK;
}

const struct region *layout_region(const struct layout *layout, uint64_t page)
{
    const struct region *r = layout->regions;
    for (uint32_t i = 0; i < layout->count; i++, r++) {
        if (page < r->end_page) {
            return page >= r->first_page ? r : NULL;
        }
    }
    return NULL;
}
