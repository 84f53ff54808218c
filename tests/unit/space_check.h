/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold of all spaces of a machine together, found by walking their tables.
 */
#ifndef TESTS_UNIT_SPACE_CHECK_H
#define TESTS_UNIT_SPACE_CHECK_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "arch/host/host.h"
#include "mm/table.h"

#define CHECK_FRAMES_MAX 16384

struct census {
    uint32_t refs[CHECK_FRAMES_MAX]; /* that tables and roots hold, by frame */
    uint64_t private_pages, shared_pages, tables;
    uint32_t stored_pages; /* of the space that is counted */
};

static struct census census;

static uint32_t *refs_of(pa_t pa)
{
    return &census.refs[(pa.v - HOST_RAM_BASE) >> PAGE_SHIFT];
}

static void count_page(pte_t pte, uint32_t *private_pages, uint32_t *shared_pages)
{
    bool writable = pte & PTE_S2AP_W, executable = !(pte & PTE_XN);
    pa_t pa = pte_pa(pte);
    assert_false(writable && executable);
    assert_false(executable && (pte & PTE_SW_COW));
    if (frame_kind(pa) == FRAME_PRIVATE) {
        (*private_pages)++;
        assert_int_equal(frame_refs(pa), 1);
    } else {
        assert_int_equal(frame_kind(pa), FRAME_SHARED);
        assert_false(writable);
        (*shared_pages)++;
    }
}

static void count_table(pte_t root, bool first_seen, uint32_t *private_pages,
                        uint32_t *shared_pages)
{
    const pte_t *table = root_table(root);
    for (unsigned i = 0; i < STAGE2_TABLE_ENTRIES; i++) {
        if (table[i] == 0) {
            continue;
        }
        assert_true(root & used_bit(i));
        if (pte_is_stored(table[i])) {
            assert_false(root & PTE_SW_SHARED);
            census.stored_pages++;
            continue;
        }
        assert_true(table[i] & PTE_TABLE);
        count_page(table[i], private_pages, shared_pages);
        *refs_of(pte_pa(table[i])) += first_seen;
    }
}

static void count_root(pte_t root, uint32_t *private_pages, uint32_t *shared_pages,
                       uint32_t *tables)
{
    if (root_is_block(root)) {
        for (unsigned i = 0; i < PAGES_PER_BLOCK; i++) {
            pte_t page = root + i * PAGE_SIZE;
            count_page(page, private_pages, shared_pages);
            ++*refs_of(pte_pa(page));
        }
        return;
    }
    bool first_seen = ++*refs_of(pte_pa(root)) == 1;
    assert_int_equal(frame_kind(pte_pa(root)), FRAME_STAGE2);
    *tables += !(root & PTE_SW_SHARED);
    assert_true(root & PTE_SW_SHARED || first_seen);
    census.tables += first_seen;
    count_table(root, first_seen, private_pages, shared_pages);
}

static void census_start(void)
{
    memset(&census, 0, sizeof(census));
}

/* Counts what `s` maps, and holds it against its own counters. */
static void census_add(const struct space *s, bool template)
{
    uint32_t private_pages = 0, shared_pages = 0, tables = 0;
    census.stored_pages = 0;
    for (unsigned i = 0; i < STAGE2_ROOT_ENTRIES; i++) {
        if (s->root[i] != 0) {
            count_root(s->root[i], &private_pages, &shared_pages, &tables);
        }
    }
    assert_int_equal(s->private_pages, private_pages);
    assert_int_equal(s->shared_pages, shared_pages);
    assert_int_equal(s->stored_pages, census.stored_pages);
    if (!template) {
        assert_int_equal(s->private_tables, tables);
    } else {
        assert_int_equal(private_pages, 0);
        assert_int_equal(tables, 0);
    }
    census.private_pages += private_pages;
}

/* Holds everything that was counted against the frame table. */
static void census_end(void)
{
    uint64_t shared = 0, private = 0, tables = 0;
    for (uint64_t i = 0; i < host_memory_bytes() / PAGE_SIZE; i++) {
        pa_t pa = PA(HOST_RAM_BASE + i * PAGE_SIZE);
        enum frame_kind kind = frame_kind(pa);
        if (kind == FRAME_SHARED || kind == FRAME_PRIVATE || kind == FRAME_STAGE2) {
            assert_int_equal(frame_refs(pa), census.refs[i]);
        } else {
            assert_int_equal(census.refs[i], 0);
        }
        shared += kind == FRAME_SHARED;
        private += kind == FRAME_PRIVATE;
        tables += kind == FRAME_STAGE2;
    }
    assert_int_equal(frame_count(FRAME_PRIVATE), private);
    assert_int_equal(frame_count(FRAME_SHARED), shared);
    assert_int_equal(frame_count(FRAME_STAGE2), tables);
    assert_int_equal(private, census.private_pages);
    assert_int_equal(tables, census.tables);
}

#endif
