/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stage-2 address spaces: what a guest's addresses mean.
 *
 * A space is a root of 16 entries inside the VM and tables below it. A clone starts with its
 * template's root: the tables themselves are shared, and so are all pages. The first write below
 * a table gives the clone a copy of that table; the first write to a page, a copy of that page.
 *
 *      template root            clone root
 *      [0] ---------> table <---------- [0]     shared table (PTE_SW_SHARED in the root)
 *                      | |
 *                 page   page                   shared pages, read-only; PTE_SW_COW if writable
 *
 * A page that only this space has may be in the store instead of memory: its entry then says where
 * in the VM's record. Pages that came back from there are mapped without the access flag: the first
 * touch sets it, so that the flags say which pages a VM used since (Arm ARM D8.4.5).
 *
 * Invariants: a writable mapping is of a FRAME_PRIVATE frame with one reference; nothing is ever
 * writable and executable; a frame's count is the number of tables that refer to it; a shared
 * table's count is the number of roots that refer to it.
 *
 * Context: the home CPU of the VM. Templates are immutable once frozen and used by all CPUs.
 */
#ifndef MM_SPACE_H
#define MM_SPACE_H

#include "arch/stage2.h"
#include "core/base/error.h"
#include "mm/frame.h"

#define LAYOUT_REGIONS_MAX 10

/* What a range of pages of an image allows. Regions ascend, do not overlap; gaps are unmapped. */
struct region {
    uint32_t first_page;
    uint32_t end_page;
    unsigned perm; /* PERM_W and PERM_X, never both */
};

/* The map of an image; shared by its template and all clones, immutable, outlives them. */
struct layout {
    uint32_t pages; /* end of the VM's memory */
    uint32_t count;
    bool own_mmu; /* the guest may make non-cacheable mappings: pages are cleaned to the PoC */
    bool large;   /* zero memory in blocks where a region covers one */
    struct region regions[LAYOUT_REGIONS_MAX];
};

struct space {
    pte_t root[STAGE2_ROOT_ENTRIES] __attribute__((aligned(128)));
    const struct layout *layout;
    struct vmid vmid;
    uint32_t owner;          /* for the frame table */
    uint32_t private_pages;  /* FRAME_PRIVATE frames */
    uint32_t private_tables; /* FRAME_STAGE2 frames that only this space refers to */
    uint32_t shared_pages;   /* pages of the template that it maps */
    uint32_t stored_pages;   /* pages of its own that are in the store */
    uint32_t away_page;      /* the one that ERR_AWAY was about last */
};

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXECUTE };

/* An empty space. */
void space_init(struct space *s, const struct layout *layout, uint32_t owner);

/* Drops every reference that `s` holds; it is empty afterwards. The caller makes sure that no CPU
 * runs it; its TLB entries are gone when this returns. */
void space_destroy(struct space *s);

/*
 * Turns the space of a VM that stopped for good into a template: pages become FRAME_SHARED of
 * `owner`, read-only, and copy-on-write where the layout allows writing. Cannot fail.
 */
void space_freeze(struct space *s, uint32_t owner);

/* Makes `s` a clone of the frozen `template`: constant time, no allocation, cannot fail. */
void space_clone(struct space *s, const struct space *template, uint32_t owner);

/*
 * Makes an access to `ipa` possible that the hardware refused: maps a zero page, copies a shared
 * table or page, or finds that it was possible already. ERR_RANGE: nothing may be there;
 * ERR_DENIED: the region does not allow it; ERR_NO_MEMORY: no frame now; ERR_AWAY: the page is in
 * the store, and must be fetched first (record_fetch).
 */
enum err space_fault(struct space *s, ipa_t ipa, enum access access) MUST_USE;

/*
 * EL2's pointer to the byte at `ipa`, valid to the end of its page and until the space changes;
 * faults the page in as a guest's access would. Never ACCESS_EXECUTE. Errors as space_fault.
 */
enum err space_resolve(struct space *s, ipa_t ipa, enum access access, void **out) MUST_USE;

/* Gives `pages` whole pages from `ipa` back: they read as zero afterwards. Only writable regions:
 * otherwise ERR_DENIED or ERR_RANGE and nothing is done. Unmapped ones are skipped. Returns the
 * number of private frames freed in `*freed`. */
enum err space_release(struct space *s, ipa_t ipa, uint64_t pages, uint64_t *freed) MUST_USE;

/* Bytes of pages mapped, shared ones divided by the number of VMs that map them: the proportional
 * set size, rounded down. Walks the tables: for debug keys. */
uint64_t space_pss_bytes(const struct space *s);

/* Copies between EL2 and a guest's memory; may cross pages; on an error, part may be copied. */
enum err guest_read(struct space *s, ipa_t ipa, void *dst, size_t n) MUST_USE;
enum err guest_write(struct space *s, ipa_t ipa, const void *src, size_t n) MUST_USE;

#endif
