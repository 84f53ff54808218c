/* SPDX-License-Identifier: BSD-2-Clause */
// sources: mm/frame_init.c mm/buddy.c
// sources: mm/space.c mm/space_fault.c mm/table.c mm/guest.c mm/frame.c arch/host/memory.c
// sources: arch/host/stage2.c arch/host/cpu.c core/base/log.c core/base/fmt.c
/*
 * Pages of a space that are in the store, and pages that came back and were not touched yet.
 */
#include "tests/unit/space_check.h"

#include "abi/store.h"

#define OWNER 5

static struct layout layout = {
    .pages = 1100,
    .count = 2,
    .regions = {{1, 1024, PERM_W}, {1025, 1100, PERM_W}},
};

static struct space image, clone;

static ipa_t page_ipa(uint64_t page)
{
    return IPA(page << PAGE_SHIFT);
}

static void adds_up(void)
{
    census_start();
    census_add(&image, image.owner >= FRAME_OWNER_TEMPLATE);
    census_add(&clone, false);
    census_end();
}

static int fresh(void **state)
{
    (void)state;
    host_memory_init(MIB(4));
    host_cpu_set(0);
    struct frame_range ram = {PA(HOST_RAM_BASE), MIB(4)};
    assert_int_equal(frame_init(&ram, 1, NULL, 0), OK);
    space_init(&image, &layout, OWNER);
    space_init(&clone, &layout, OWNER);
    return 0;
}

static int leaves_nothing(void **state)
{
    (void)state;
    adds_up();
    space_destroy(&clone);
    space_destroy(&image);
    adds_up();
    assert_int_equal(frame_count(FRAME_PRIVATE) + frame_count(FRAME_SHARED), 0);
    assert_int_equal(frame_count(FRAME_STAGE2), 0);
    return 0;
}

static void write64(struct space *s, uint64_t page, uint64_t v)
{
    assert_int_equal(guest_write(s, page_ipa(page), &v, sizeof(v)), OK);
}

static uint64_t read64(struct space *s, uint64_t page)
{
    uint64_t v;
    assert_int_equal(guest_read(s, page_ipa(page), &v, sizeof(v)), OK);
    return v;
}

static pte_t entry_of(const struct space *s, uint64_t page)
{
    pte_t root = s->root[ROOT_INDEX(page)];
    return root_is_table(root) ? root_table(root)[TABLE_INDEX(page)] : root;
}

static void freeze(void)
{
    write64(&image, 6, 666);
    write64(&image, 1050, 1050);
    space_freeze(&image, FRAME_OWNER_TEMPLATE);
}

#define CODE STORE_PAGE_CODE(STORE_RAW, PAGE_SIZE)

/* As record_read leaves one. */
static void store_page(struct space *s, uint32_t page, uint32_t offset)
{
    assert_int_equal(table_own(s, (unsigned)ROOT_INDEX(page)), OK);
    table_mark_used(s, page);
    root_table(s->root[ROOT_INDEX(page)])[TABLE_INDEX(page)] = pte_stored(offset, CODE, 0xFFFFFFFF);
    s->stored_pages++;
}

static void a_stored_page_is_away(void **state)
{
    (void)state;
    freeze();
    space_clone(&clone, &image, OWNER);
    store_page(&clone, 700, 1044472);
    adds_up();
    pte_t pte = entry_of(&clone, 700);
    assert_false(pte_is_valid(pte));
    assert_int_equal(stored_offset(pte), 1044472);
    assert_int_equal(stored_code(pte), CODE);
    assert_true(stored_crc_is(pte, 0xFFFFFFFF));
    assert_false(stored_crc_is(pte, 0xEFFFFFFF));
    void *p;
    uint64_t v = 0;
    for (int a = ACCESS_READ; a <= ACCESS_EXECUTE; a++) {
        clone.away_page = 0;
        assert_int_equal(space_fault(&clone, page_ipa(700), (enum access)a), ERR_AWAY);
        assert_int_equal(clone.away_page, 700);
    }
    assert_int_equal(space_resolve(&clone, page_ipa(700), ACCESS_WRITE, &p), ERR_AWAY);
    assert_int_equal(guest_read(&clone, IPA((700 << PAGE_SHIFT) - 4), &v, 8), ERR_AWAY);
    assert_int_equal(entry_of(&clone, 700), pte);
    assert_int_equal(clone.private_pages, 1); /* 699 */
}

static void a_stored_page_is_forgotten(void **state)
{
    (void)state;
    uint64_t freed;
    freeze();
    space_clone(&clone, &image, OWNER);
    store_page(&clone, 700, 4096);
    store_page(&clone, 701, 8192);
    store_page(&clone, 1090, 12288);
    assert_true(space_pss_bytes(&clone) > 0);
    assert_int_equal(space_release(&clone, page_ipa(700), 1, &freed), OK);
    assert_int_equal(freed, 0);
    assert_int_equal(clone.stored_pages, 2);
    assert_int_equal(read64(&clone, 700), 0);
    adds_up();
    space_destroy(&clone);
    assert_int_equal(clone.stored_pages, 0);
}

static void the_first_touch_is_noted(void **state)
{
    (void)state;
    write64(&image, 700, 7);
    write64(&image, 701, 8);
    pte_t *table = root_table(image.root[1]);
    table[TABLE_INDEX(700)] &= ~PTE_AF;
    table[TABLE_INDEX(701)] &= ~PTE_AF;
    unsigned flushes = host_counts.flushes, breaks = host_counts.breaks;
    assert_int_equal(space_fault(&image, page_ipa(700), ACCESS_READ), OK);
    assert_true(entry_of(&image, 700) & PTE_AF);
    assert_false(entry_of(&image, 701) & PTE_AF);
    assert_int_equal(host_counts.flushes, flushes);
    assert_int_equal(host_counts.breaks, breaks);
    assert_int_equal(read64(&image, 701), 8);
    assert_true(entry_of(&image, 701) & PTE_AF);
    table[TABLE_INDEX(701)] &= ~PTE_AF;
    assert_int_equal(space_fault(&image, page_ipa(701), ACCESS_EXECUTE), ERR_DENIED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, leaves_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stored_page_is_away),
        TEST(a_stored_page_is_forgotten),
        TEST(the_first_touch_is_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
