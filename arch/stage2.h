/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contract: the format of stage-2 tables (VMSAv8-64, 4 KiB granule, start at level 2) and the
 * maintenance of what the hardware caches of them.
 *
 *   root: 16 level-2 entries, 2 MiB each   ->  table: 512 level-3 entries, 4 KiB each
 *
 * The format itself is plain data: both implementations of the contract use this file's. Arm ARM
 * D8.3; attribute bits D8.5 (stage 2).
 */
#ifndef ARCH_STAGE2_H
#define ARCH_STAGE2_H

#include "core/base/types.h"

#define STAGE2_ROOT_ENTRIES 16
#define STAGE2_TABLE_ENTRIES 512

typedef uint64_t pte_t;

#define PTE_VALID (1ull << 0)
#define PTE_TABLE (1ull << 1) /* in a root: points to a table; in a table: a page */
#define PTE_MEMATTR_WB (0xFull << 2)
#define PTE_S2AP_R (1ull << 6)
#define PTE_S2AP_W (1ull << 7)
#define PTE_SH_INNER (3ull << 8)
#define PTE_AF (1ull << 10)
#define PTE_XN (1ull << 54)        /* XN[1:0] = 0b10: no execution at EL1 or EL0 */
#define PTE_SW_COW (1ull << 55)    /* software: writable once copied */
#define PTE_SW_SHARED (1ull << 56) /* software, in a root: the table belongs to a template */
#define PTE_ADDR_MASK 0x0000FFFFFFFFF000ull

#define PTE_NORMAL (PTE_VALID | PTE_MEMATTR_WB | PTE_SH_INNER | PTE_AF | PTE_S2AP_R)

/* What a mapping allows; read is always allowed. */
#define PERM_W (1u << 0)
#define PERM_X (1u << 1)

static inline pte_t pte_perm(unsigned perm)
{
    return (perm & PERM_W ? PTE_S2AP_W : 0) | (perm & PERM_X ? 0 : PTE_XN);
}

static inline pte_t pte_page(pa_t pa, unsigned perm)
{
    return pa.v | PTE_NORMAL | PTE_TABLE | pte_perm(perm);
}

static inline pte_t pte_block(pa_t pa, unsigned perm)
{
    return pa.v | PTE_NORMAL | pte_perm(perm);
}

static inline pte_t pte_table(pa_t pa)
{
    return pa.v | PTE_VALID | PTE_TABLE;
}

static inline pa_t pte_pa(pte_t pte)
{
    return PA(pte & PTE_ADDR_MASK);
}

static inline bool pte_is_valid(pte_t pte)
{
    return pte & PTE_VALID;
}

/* An address space identifier of the hardware and the generation of identifiers that it is from,
 * per CPU: only the home CPU of a space uses it. Zero: none yet. */
struct vmid {
    uint64_t generation;
    uint16_t id;
};

/* Gives `v` an identifier that is valid on this CPU now; on rollover, all of this CPU's stage-2
 * TLB entries are invalidated and a new generation begins. Constant time otherwise. Returns whether
 * it is another one than before. */
bool vmid_validate(struct vmid *v);

/* Publishes a table entry: stores `pte` so that table walks see it after what it points to.
 * Only for an entry that was invalid, or that gains nothing but permission (Arm ARM D8.14.1). */
void stage2_publish(pte_t *entry, pte_t pte);

/* Break-before-make: clears `entry`, invalidates what this CPU's TLB holds of `ipa` in the space
 * of `v`, and waits for it. Afterwards the old frame is unused and the entry may be published. */
void stage2_break(pte_t *entry, ipa_t ipa, const struct vmid *v);

/* Invalidates all that this CPU's TLB holds of the space of `v`. */
void stage2_flush(const struct vmid *v);

#endif
