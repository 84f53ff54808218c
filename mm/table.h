/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables below a space's root, for the files that make up the space.
 *
 * A root entry is empty, a block, a table of this space alone, or a table that templates and
 * clones share (PTE_SW_SHARED). An entry of a table is empty (0), a page, or, in a table of this
 * space alone, says where in the VM's record the page is.
 *
 * A root entry that points to a table also says which eighths of the table may hold entries, in
 * bits [9:2], which the hardware ignores in a table descriptor (Arm ARM D8.3.1). So the walks over
 * a whole table, when it is copied or released, look only where something is.
 */
#ifndef MM_TABLE_H
#define MM_TABLE_H

#include "arch/memory.h"
#include "mm/space.h"

#define PAGES_PER_BLOCK STAGE2_TABLE_ENTRIES
#define ROOT_INDEX(page) ((page) / PAGES_PER_BLOCK)
#define TABLE_INDEX(page) ((page) % PAGES_PER_BLOCK)

#define EIGHTHS 8u
#define EIGHTH_ENTRIES (STAGE2_TABLE_ENTRIES / EIGHTHS)
#define USED_SHIFT 2
#define USED_MASK (((1ull << EIGHTHS) - 1) << USED_SHIFT)

/* Entries that are looked at together, to pass over empty ones quickly. */
#define GROUP_ENTRIES 8u

/* A page that is in the store: what its record's table says of it (abi/store.h), of the checksum 29
 * bits. Invalid to the hardware, which ignores all other bits then. */
#define STORED_MARK 2u
#define STORED_MASK 3u
#define STORED_CODE_SHIFT 2
#define STORED_OFFSET_SHIFT 18
#define STORED_OFFSET_BITS 17
#define STORED_CRC_SHIFT 35

static inline pte_t pte_stored(uint32_t offset, uint16_t code, uint32_t crc)
{
    uint64_t unit = offset / 8;
    return STORED_MARK | (pte_t)code << STORED_CODE_SHIFT | unit << STORED_OFFSET_SHIFT |
           (pte_t)crc << STORED_CRC_SHIFT;
}

static inline bool pte_is_stored(pte_t pte)
{
    return (pte & STORED_MASK) == STORED_MARK;
}

static inline uint32_t stored_offset(pte_t pte)
{
    return (uint32_t)(pte >> STORED_OFFSET_SHIFT & ((1u << STORED_OFFSET_BITS) - 1)) * 8;
}

static inline uint16_t stored_code(pte_t pte)
{
    return (uint16_t)(pte >> STORED_CODE_SHIFT);
}

/* Whether a checksum is that of which the entry keeps a part. */
static inline bool stored_crc_is(pte_t pte, uint32_t crc)
{
    return pte >> STORED_CRC_SHIFT == (pte_t)crc << STORED_CRC_SHIFT >> STORED_CRC_SHIFT;
}

static inline pte_t used_bit(uint64_t index)
{
    return 1ull << (USED_SHIFT + index / EIGHTH_ENTRIES);
}

static inline bool root_is_table(pte_t root)
{
    return (root & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}

static inline bool root_is_block(pte_t root)
{
    return (root & (PTE_VALID | PTE_TABLE)) == PTE_VALID;
}

static inline bool root_is_own_table(pte_t root)
{
    return (root & (PTE_VALID | PTE_TABLE | PTE_SW_SHARED)) == (PTE_VALID | PTE_TABLE);
}

/* The table that a root entry points to. */
static inline pte_t *root_table(pte_t root)
{
    return arch_ptr(pte_pa(root));
}

static inline bool group_is_empty(const pte_t *e)
{
    return (e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]) == 0;
}

/* The first entry of the table of `root` at or after `from`, below `end`, that is not empty; `end`
 * when there is none. */
static inline unsigned table_next(const pte_t *table, pte_t root, unsigned from, unsigned end)
{
    while (from < end) {
        if (!(root & used_bit(from))) {
            from = (from / EIGHTH_ENTRIES + 1) * EIGHTH_ENTRIES;
        } else if (table[from] != 0) {
            return from;
        } else if (from % GROUP_ENTRIES == 0 && group_is_empty(table + from)) {
            from += GROUP_ENTRIES;
        } else {
            from++;
        }
    }
    return end;
}

/* Calls `visit` with each entry of the table of `root` that maps a page. In line, so that copying
 * and releasing a whole table costs little more than what is done to its pages. */
static inline __attribute__((always_inline)) void
table_visit(pte_t *table, pte_t root, void (*visit)(pte_t *entry, void *arg), void *arg)
{
    uint64_t used = (root & USED_MASK) >> USED_SHIFT;
    for (pte_t *eighth = table; used != 0; used >>= 1, eighth += EIGHTH_ENTRIES) {
        pte_t *end = used & 1 ? eighth + EIGHTH_ENTRIES : eighth;
        for (pte_t *e = eighth; e < end; e++) {
            if (IS_ALIGNED((uintptr_t)e, GROUP_ENTRIES * sizeof(*e)) && group_is_empty(e)) {
                e += GROUP_ENTRIES - 1;
            } else if (pte_is_valid(*e)) {
                visit(e, arg);
            }
        }
    }
}

/* Makes sure that root entry `index` points to a table of this space alone: an empty one is made,
 * a shared one copied, or adopted when nobody else refers to it, a block split. What is mapped
 * stays as it is. ERR_NO_MEMORY leaves all as it was. */
enum err table_own(struct space *s, unsigned index) MUST_USE;

/* Drops the references that the space holds by the root entry `root`, which it no longer has. */
void root_release(pte_t root);

/* Says in the root that the table of `page` holds something there. */
void table_mark_used(struct space *s, uint64_t page);

/* Maps `frame` at `page`, which is not mapped. The frame's reference passes to the space, unless
 * there is an error: ERR_NO_MEMORY. */
enum err space_map(struct space *s, uint32_t page, pa_t frame, unsigned perm) MUST_USE;

/* The region that `page` lies in, or NULL. */
const struct region *layout_region(const struct layout *layout, uint64_t page);

#endif
