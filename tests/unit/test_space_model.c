/* SPDX-License-Identifier: BSD-2-Clause */
// sources: mm/frame_init.c mm/buddy.c
// sources: mm/space.c mm/space_fault.c mm/table.c mm/guest.c mm/frame.c arch/host/memory.c
// sources: arch/host/stage2.c arch/host/cpu.c core/base/log.c core/base/fmt.c
/*
 * Random lives of many spaces against a model that is an array of numbers: what each page holds.
 * Memory is short, so operations fail at every allocation; then nothing may have changed.
 */
#include "tests/unit/space_check.h"

#include <stdlib.h>

#define SPACES 8
#define PAGES 1200
#define STEPS 12000
#define CENSUS_EVERY 40

enum life { GONE, ALIVE, FROZEN };

struct model {
    enum life life;
    uint64_t content[PAGES];
};

static struct space spaces[SPACES];
static struct model models[SPACES];
static struct layout layout = {
    .pages = PAGES,
    .count = 5,
    .regions =
        {{1, 2, PERM_W}, {3, 8, PERM_X}, {8, 10, 0}, {10, 1100, PERM_W}, {1101, PAGES, PERM_W}},
};
static unsigned failed; /* operations that found no frame */
static unsigned blocks_seen;

static unsigned pick(unsigned n)
{
    return (unsigned)rand() % n;
}

/* Few different pages, in all three tables, so that lives meet on them. */
static uint64_t pick_page(void)
{
    static const uint64_t near[] = {1, 3, 5, 9, 10, 500, 520, 1090, 1101, 1190};
    return near[pick(ARRAY_SIZE(near))] + pick(10);
}

static unsigned perm_of(uint64_t page)
{
    const struct region *r = layout_region(&layout, page);
    return r ? r->perm : UINT32_MAX;
}

static void fill_text(struct space *s, struct model *m)
{
    for (uint32_t page = 3; page < 10; page++) {
        pa_t pa;
        if (frame_alloc(FRAME_PRIVATE, s->owner, &pa) != OK) {
            failed++;
            continue;
        }
        uint64_t *p = arch_ptr(pa);
        memset(p, 0, PAGE_SIZE);
        p[page] = page;
        if (space_map(s, page, pa, perm_of(page)) == OK) {
            m->content[page] = page;
        } else {
            (void)frame_unref(pa);
        }
    }
}

/* The number of a page lies at the offset that is the page's own. */
static ipa_t word_of(uint64_t page)
{
    return IPA((page << PAGE_SHIFT) + page % 512 * 8);
}

static void check_page(unsigned i, uint64_t page)
{
    uint64_t value;
    enum err e = guest_read(&spaces[i], word_of(page), &value, sizeof(value));
    if (e == OK) {
        assert_int_equal(value, models[i].content[page]);
    } else if (e == ERR_NO_MEMORY) {
        failed++;
        assert_int_equal(models[i].content[page], 0);
    } else {
        assert_int_equal(e, ERR_RANGE);
        assert_true(page >= PAGES || perm_of(page) == UINT32_MAX || perm_of(page) == PERM_X);
    }
}

static void do_init(unsigned i)
{
    memset(&models[i], 0, sizeof(models[i]));
    models[i].life = ALIVE;
    space_init(&spaces[i], &layout, i + 1);
    fill_text(&spaces[i], &models[i]);
    if (layout.large) {
        check_page(i, 700); /* takes a block */
        blocks_seen += root_is_block(spaces[i].root[1]);
    }
}

static void do_destroy(unsigned i)
{
    space_destroy(&spaces[i]);
    models[i].life = GONE;
}

static void do_freeze(unsigned i)
{
    if (models[i].life == ALIVE) {
        space_freeze(&spaces[i], FRAME_OWNER_TEMPLATE + i);
        models[i].life = FROZEN;
    }
}

static void do_clone(unsigned i, unsigned from)
{
    if (models[from].life == FROZEN && i != from) {
        if (models[i].life != GONE) {
            do_destroy(i);
        }
        space_clone(&spaces[i], &spaces[from], i + 1);
        models[i] = models[from];
        models[i].life = ALIVE;
    }
}

static void do_write(unsigned i)
{
    uint64_t page = pick_page(), value = (uint64_t)rand() + 1;
    unsigned perm = page < PAGES ? perm_of(page) : UINT32_MAX;
    enum err e = guest_write(&spaces[i], word_of(page), &value, sizeof(value));
    if (e == ERR_NO_MEMORY) {
        failed++;
        assert_true(perm & PERM_W);
    } else if (e == OK) {
        assert_true(perm != UINT32_MAX && (perm & PERM_W));
        models[i].content[page] = value;
    } else {
        assert_int_equal(e, perm == UINT32_MAX ? ERR_RANGE : ERR_DENIED);
    }
}

static void do_release(unsigned i)
{
    uint64_t page = pick_page(), pages = pick(4) ? pick(5) : pick(600), freed;
    uint32_t had = spaces[i].private_pages;
    enum err e = space_release(&spaces[i], IPA(page << PAGE_SHIFT), pages, &freed);
    assert_int_equal(freed, had - spaces[i].private_pages);
    if (e == OK) {
        for (uint64_t p = page; p < page + pages; p++) {
            assert_int_equal(perm_of(p), PERM_W);
            models[i].content[p] = 0;
        }
    } else {
        failed += e == ERR_NO_MEMORY;
        assert_int_equal(freed, 0);
    }
}

static void step(void)
{
    unsigned i = pick(SPACES), what = pick(100);
    if (models[i].life == GONE) {
        if (what < 50) {
            do_init(i);
        } else {
            do_clone(i, pick(SPACES));
        }
    } else if (what < (layout.large ? 6 : 3)) {
        do_destroy(i);
    } else if (what < 6) {
        do_clone(i, pick(SPACES));
    } else if (what < 8) {
        do_freeze(i);
    } else if (models[i].life == ALIVE) {
        if (what < 60) {
            do_write(i);
        } else if (what < 70) {
            do_release(i);
        } else {
            check_page(i, pick_page());
        }
    }
}

static void compare_all(void)
{
    census_start();
    for (unsigned i = 0; i < SPACES; i++) {
        if (models[i].life == GONE) {
            continue;
        }
        census_add(&spaces[i], models[i].life == FROZEN);
        for (uint64_t page = 0; page < PAGES; page++) { /* reads nothing in that is not there */
            pte_t root = spaces[i].root[ROOT_INDEX(page)];
            pte_t pte = root_is_table(root) ? root_table(root)[TABLE_INDEX(page)] : root;
            const uint64_t *p = NULL;
            if (pte_is_valid(pte)) {
                uint64_t mask = root_is_table(root) ? 0 : page % PAGES_PER_BLOCK * PAGE_SIZE;
                p = arch_ptr(PA(pte_pa(pte).v + mask));
            }
            assert_int_equal(p ? p[page % 512] : 0, models[i].content[page]);
        }
    }
    census_end();
}

static void live(unsigned seed, uint64_t ram_bytes, bool large)
{
    host_memory_init(ram_bytes);
    struct frame_range ram = {PA(HOST_RAM_BASE), ram_bytes};
    assert_int_equal(frame_init(&ram, 1, NULL, 0), OK);
    memset(models, 0, sizeof(models));
    layout.large = large;
    failed = 0;
    srand(seed);
    for (unsigned n = 0; n < STEPS; n++) {
        step();
        if (n % CENSUS_EVERY == 0) {
            compare_all();
        }
    }
    compare_all();
    for (unsigned i = 0; i < SPACES; i++) {
        if (models[i].life != GONE) {
            do_destroy(i);
        }
    }
    assert_int_equal(frame_count(FRAME_EL2) + frame_count(FRAME_FREE), frame_total());
}

static void memory_enough(void **state)
{
    (void)state;
    live(1, MIB(16), false);
    assert_int_equal(failed, 0);
}

static void memory_short(void **state)
{
    (void)state;
    for (unsigned seed = 2; seed < 6; seed++) {
        live(seed, KIB(300 + 60 * seed), false);
        assert_true(failed > 100);
    }
}

static void blocks(void **state)
{
    (void)state;
    live(6, MIB(32), true);
    assert_true(blocks_seen > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_enough),
        cmocka_unit_test(memory_short),
        cmocka_unit_test(blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
