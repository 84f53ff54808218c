/* SPDX-License-Identifier: BSD-2-Clause */
// sources: mm/frame_init.c mm/buddy.c
// sources: mm/space.c mm/space_fault.c mm/table.c mm/guest.c mm/frame.c arch/host/memory.c
// sources: arch/host/stage2.c arch/host/cpu.c core/base/log.c core/base/fmt.c
/*
 * Spaces, one promise at a time. The host's stage 2 ends the program at a missing
 * break-before-make, so every test is one of that as well.
 */
#include "tests/unit/space_check.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/log.h"

#define OWNER 5
#define TEMPLATE FRAME_OWNER_TEMPLATE

/* Pages: 1 system, 3-4 text, 5 rodata, 6-1023 zero memory, guard, 1025-1099 stack. */
static struct layout layout = {
    .pages = 1100,
    .count = 5,
    .regions = {{1, 2, PERM_W}, {3, 5, PERM_X}, {5, 6, 0}, {6, 1024, PERM_W}, {1025, 1100, PERM_W}},
};

static struct space image, clone, other;

static ipa_t page_ipa(uint64_t page)
{
    return IPA(page << PAGE_SHIFT);
}

static void adds_up(void)
{
    census_start();
    const struct space *all[] = {&image, &clone, &other};
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        census_add(all[i], all[i]->owner >= TEMPLATE);
    }
    census_end();
}

static int fresh(void **state)
{
    (void)state;
    host_memory_init(MIB(16));
    host_cpu_set(0);
    struct frame_range ram = {PA(HOST_RAM_BASE), MIB(16)};
    assert_int_equal(frame_init(&ram, 1, NULL, 0), OK);
    layout.own_mmu = layout.large = false;
    space_init(&image, &layout, OWNER);
    space_init(&clone, &layout, OWNER + 1);
    space_init(&other, &layout, OWNER + 2);
    return 0;
}

static int leaves_nothing(void **state)
{
    (void)state;
    adds_up();
    space_destroy(&other);
    adds_up();
    space_destroy(&image);
    adds_up();
    space_destroy(&clone);
    adds_up();
    assert_int_equal(frame_count(FRAME_PRIVATE), 0);
    assert_int_equal(frame_count(FRAME_SHARED), 0);
    assert_int_equal(frame_count(FRAME_STAGE2), 0);
    return 0;
}

static uint64_t read64(struct space *s, uint64_t page)
{
    uint64_t v;
    assert_int_equal(guest_read(s, IPA((page << PAGE_SHIFT) + 16), &v, sizeof(v)), OK);
    return v;
}

static void write64(struct space *s, uint64_t page, uint64_t v)
{
    assert_int_equal(guest_write(s, IPA((page << PAGE_SHIFT) + 16), &v, sizeof(v)), OK);
}

static pte_t entry_of(const struct space *s, uint64_t page)
{
    pte_t root = s->root[ROOT_INDEX(page)];
    return root_is_table(root) ? root_table(root)[TABLE_INDEX(page)] : root;
}

/* An image as image_load would: text, rodata, and some data. */
static void load(struct space *s)
{
    for (uint32_t page = 3; page < 6; page++) {
        pa_t pa;
        assert_int_equal(frame_alloc(FRAME_PRIVATE, s->owner, &pa), OK);
        memset(arch_ptr(pa), (int)page, PAGE_SIZE);
        assert_int_equal(space_map(s, page, pa, page < 5 ? PERM_X : 0), OK);
    }
    write64(s, 1, 111);
    write64(s, 6, 666);
    write64(s, 1050, 1050);
}

static void freeze(void)
{
    load(&image);
    space_freeze(&image, TEMPLATE);
    adds_up();
}

static void take_all_frames(void)
{
    pa_t pa;
    while (frame_alloc(FRAME_EL2, 0, &pa) == OK) {
    }
}

static void zero_pages_on_demand(void **state)
{
    (void)state;
    assert_int_equal(read64(&image, 700), 0);
    assert_int_equal(image.private_pages, 1);
    assert_int_equal(image.private_tables, 1);
    write64(&image, 700, 7);
    assert_int_equal(read64(&image, 700), 7);
    assert_int_equal(image.private_pages, 1);
    assert_int_equal(frame_owner(pte_pa(entry_of(&image, 700))), OWNER);
    write64(&image, 1099, 8);
    assert_int_equal(image.private_tables, 2);
    assert_int_equal(host_counts.breaks, 0);
}

static void refuses_what_the_layout_does(void **state)
{
    (void)state;
    load(&image);
    for (int a = ACCESS_READ; a <= ACCESS_EXECUTE; a++) {
        enum access access = (enum access)a;
        static const uint64_t nothing[] = {0, 2, 1024, 1100, 8191, 8192, UINT64_MAX >> PAGE_SHIFT};
        for (unsigned i = 0; i < ARRAY_SIZE(nothing); i++) {
            assert_int_equal(space_fault(&image, page_ipa(nothing[i]), access), ERR_RANGE);
        }
    }
    assert_int_equal(space_fault(&image, page_ipa(3), ACCESS_WRITE), ERR_DENIED);
    assert_int_equal(space_fault(&image, page_ipa(5), ACCESS_WRITE), ERR_DENIED);
    assert_int_equal(space_fault(&image, page_ipa(5), ACCESS_EXECUTE), ERR_DENIED);
    assert_int_equal(space_fault(&image, page_ipa(6), ACCESS_EXECUTE), ERR_DENIED);
    assert_int_equal(space_fault(&image, page_ipa(7), ACCESS_EXECUTE), ERR_DENIED);
    assert_int_equal(space_fault(&image, page_ipa(3), ACCESS_EXECUTE), OK);
    assert_int_equal(space_fault(&image, page_ipa(5), ACCESS_READ), OK);
    void *p;
    assert_int_equal(space_resolve(&image, page_ipa(4), ACCESS_WRITE, &p), ERR_DENIED);
    assert_int_equal(space_resolve(&image, IPA(UINT64_MAX), ACCESS_READ, &p), ERR_RANGE);
}

static void text_has_no_zero_pages(void **state)
{
    (void)state;
    assert_int_equal(space_fault(&image, page_ipa(3), ACCESS_EXECUTE), ERR_RANGE);
    assert_int_equal(space_fault(&image, page_ipa(3), ACCESS_READ), ERR_RANGE);
    assert_int_equal(space_fault(&image, page_ipa(3), ACCESS_WRITE), ERR_DENIED);
    assert_int_equal(space_fault(&image, page_ipa(5), ACCESS_READ), OK);
    assert_false(entry_of(&image, 5) & PTE_S2AP_W);
}

/* The TLB held something older: it is told, or the guest would fault for ever. */
static void possible_already(void **state)
{
    (void)state;
    write64(&image, 6, 1);
    unsigned flushes = host_counts.flushes;
    assert_int_equal(space_fault(&image, page_ipa(6), ACCESS_WRITE), OK);
    assert_int_equal(host_counts.flushes, flushes + 1);
}

static void a_clone_costs_nothing(void **state)
{
    (void)state;
    freeze();
    uint64_t free_frames = frame_count(FRAME_FREE);
    space_clone(&clone, &image, OWNER);
    assert_int_equal(frame_count(FRAME_FREE), free_frames);
    assert_int_equal(clone.private_pages, 0);
    assert_int_equal(clone.private_tables, 0);
    assert_int_equal(clone.shared_pages, 6);
    assert_int_equal(read64(&clone, 1), 111);
    assert_int_equal(read64(&clone, 1050), 1050);
    assert_int_equal(frame_count(FRAME_FREE), free_frames);
}

static void writes_stay_apart(void **state)
{
    (void)state;
    freeze();
    space_clone(&clone, &image, OWNER);
    space_clone(&other, &image, OWNER + 1);
    write64(&clone, 6, 1);
    adds_up();
    assert_int_equal(clone.private_pages, 1);
    assert_int_equal(clone.shared_pages, 5);
    assert_int_equal(clone.private_tables, 1);
    write64(&other, 6, 2);
    write64(&other, 7, 3);
    assert_int_equal(other.private_pages, 2);
    assert_int_equal(read64(&clone, 6), 1);
    assert_int_equal(read64(&clone, 7), 0);
    assert_int_equal(read64(&other, 6), 2);
    assert_int_equal(read64(&image, 6), 666);
    assert_int_equal(read64(&other, 1), 111);
    assert_int_equal(other.private_tables, 1);
    assert_int_equal(clone.shared_pages, 5);
}

/* The second root entry's table stays shared while only the first is written below. */
static void tables_stay_shared_until_written(void **state)
{
    (void)state;
    freeze();
    space_clone(&clone, &image, OWNER);
    write64(&clone, 6, 1);
    assert_true(clone.root[2] & PTE_SW_SHARED);
    assert_int_equal(clone.root[2], image.root[2]);
    assert_int_equal(frame_refs(pte_pa(image.root[2])), 2);
    write64(&clone, 1098, 1);
    assert_false(clone.root[2] & PTE_SW_SHARED);
    assert_int_equal(clone.private_tables, 2);
    assert_int_equal(frame_refs(pte_pa(image.root[2])), 1);
}

static void text_is_never_copied(void **state)
{
    (void)state;
    freeze();
    space_clone(&clone, &image, OWNER);
    assert_int_equal(space_fault(&clone, page_ipa(3), ACCESS_WRITE), ERR_DENIED);
    write64(&clone, 6, 1);
    assert_int_equal(space_fault(&clone, page_ipa(3), ACCESS_WRITE), ERR_DENIED);
    assert_int_equal(space_fault(&clone, page_ipa(5), ACCESS_WRITE), ERR_DENIED);
    assert_int_equal(pte_pa(entry_of(&clone, 3)).v, pte_pa(entry_of(&image, 3)).v);
}

static void orphans_adopt(void **state)
{
    (void)state;
    freeze();
    space_clone(&clone, &image, OWNER);
    space_destroy(&image);
    adds_up();
    assert_int_equal(clone.shared_pages, 6);
    uint64_t free_frames = frame_count(FRAME_FREE);
    write64(&clone, 6, 1); /* table and page were only the clone's */
    assert_int_equal(frame_count(FRAME_FREE), free_frames);
    assert_int_equal(host_counts.page_copies, 0);
    assert_int_equal(clone.private_pages, 1);
    assert_int_equal(clone.private_tables, 1);
    assert_int_equal(read64(&clone, 6), 1);
    assert_int_equal(read64(&clone, 1), 111);
    adds_up();
}

/* A template that was booted from a clone of another, which then goes. */
static void templates_of_templates(void **state)
{
    (void)state;
    freeze();
    space_clone(&clone, &image, OWNER);
    write64(&clone, 6, 60);
    write64(&clone, 8, 80);
    space_freeze(&clone, TEMPLATE + 1);
    adds_up();
    assert_int_equal(clone.shared_pages, 7);
    assert_int_equal(clone.private_pages, 0);
    space_clone(&other, &clone, OWNER);
    adds_up();
    space_destroy(&image);
    adds_up();
    assert_int_equal(read64(&other, 1), 111);
    assert_int_equal(read64(&other, 6), 60);
    assert_int_equal(read64(&other, 8), 80);
    assert_int_equal(read64(&other, 1050), 1050);
    write64(&other, 1050, 5);
    write64(&other, 1, 5);
    adds_up();
    space_destroy(&clone);
    adds_up();
    assert_int_equal(read64(&other, 8), 80);
    write64(&other, 8, 81);
    assert_int_equal(read64(&other, 3), 0x0303030303030303);
}

static void released_pages_read_as_zero(void **state)
{
    (void)state;
    freeze();
    space_clone(&clone, &image, OWNER);
    write64(&clone, 7, 7);
    uint64_t freed;
    assert_int_equal(space_release(&clone, page_ipa(6), 1018, &freed), OK);
    assert_int_equal(freed, 1);
    adds_up();
    assert_int_equal(clone.private_pages, 0);
    assert_int_equal(clone.shared_pages, 5);
    assert_int_equal(read64(&clone, 6), 0);
    assert_int_equal(read64(&clone, 7), 0);
    assert_int_equal(read64(&image, 6), 666);
    assert_int_equal(space_release(&clone, page_ipa(1025), 75, &freed), OK);
    assert_int_equal(freed, 0);
    assert_int_equal(read64(&clone, 1050), 0);
    assert_int_equal(read64(&clone, 1), 111);
}

static void releases_only_what_is_writable(void **state)
{
    (void)state;
    load(&image);
    uint64_t freed = 9;
    assert_int_equal(space_release(&image, page_ipa(5), 2, &freed), ERR_DENIED);
    assert_int_equal(freed, 0);
    assert_int_equal(space_release(&image, page_ipa(3), 1, &freed), ERR_DENIED);
    assert_int_equal(space_release(&image, page_ipa(1), 2, &freed), ERR_RANGE);
    assert_int_equal(space_release(&image, page_ipa(1023), 2, &freed), ERR_RANGE);
    assert_int_equal(space_release(&image, page_ipa(1025), 76, &freed), ERR_RANGE);
    assert_int_equal(space_release(&image, page_ipa(6), UINT64_MAX, &freed), ERR_RANGE);
    assert_int_equal(space_release(&image, IPA(UINT64_MAX - PAGE_MASK), 2, &freed), ERR_RANGE);
    assert_int_equal(space_release(&image, IPA(6 * PAGE_SIZE + 8), 1, &freed), ERR_INVALID);
    assert_int_equal(space_release(&image, page_ipa(8), 0, &freed), OK);
    assert_int_equal(read64(&image, 6), 666);
    assert_int_equal(image.private_pages, 6);
}

/* Nothing happens to a table that the clone would have to copy for nothing. */
static void releasing_nothing_copies_nothing(void **state)
{
    (void)state;
    freeze();
    space_clone(&clone, &image, OWNER);
    uint64_t freed;
    assert_int_equal(space_release(&clone, page_ipa(7), 1000, &freed), OK);
    assert_int_equal(clone.private_tables, 0);
    assert_int_equal(frame_count(FRAME_FREE) + frame_count(FRAME_SHARED) +
                         frame_count(FRAME_STAGE2) + frame_count(FRAME_EL2),
                     frame_total());
}

static void out_of_frames_changes_nothing(void **state)
{
    (void)state;
    freeze();
    space_clone(&clone, &image, OWNER);
    take_all_frames();
    uint64_t freed;
    assert_int_equal(space_fault(&clone, page_ipa(6), ACCESS_WRITE), ERR_NO_MEMORY);
    assert_int_equal(space_fault(&clone, page_ipa(700), ACCESS_READ), ERR_NO_MEMORY);
    assert_int_equal(space_release(&clone, page_ipa(6), 1, &freed), ERR_NO_MEMORY);
    uint8_t two[2] = {1, 2};
    assert_int_equal(guest_write(&clone, IPA(7 * PAGE_SIZE - 1), two, 2), ERR_NO_MEMORY);
    adds_up();
    assert_int_equal(read64(&clone, 6), 666);
    assert_int_equal(clone.private_tables, 0);
}

/* Every allocation fails once: each try has one frame more than the one before. */
static void out_of_frames_at_each_step(void **state)
{
    (void)state;
    freeze();
    space_clone(&clone, &image, OWNER);
    pa_t spare[2];
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(frame_alloc(FRAME_EL2, 0, &spare[i]), OK);
    }
    take_all_frames();
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(space_fault(&clone, page_ipa(6), ACCESS_WRITE), ERR_NO_MEMORY);
        adds_up();
        assert_int_equal(read64(&clone, 6), 666);
        assert_true(frame_unref(spare[i]));
    }
    write64(&clone, 6, 6);
    assert_int_equal(frame_count(FRAME_FREE), 0);
    assert_int_equal(space_fault(&clone, page_ipa(800), ACCESS_WRITE), ERR_NO_MEMORY);
    assert_int_equal(read64(&clone, 6), 6);
}

static void guests_memory_over_pages(void **state)
{
    (void)state;
    static uint8_t out[3 * PAGE_SIZE], in[3 * PAGE_SIZE];
    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] = (uint8_t)(i * 31 + 7);
    }
    ipa_t at = IPA(510 * PAGE_SIZE + 1234);
    assert_int_equal(guest_write(&image, at, out, sizeof(out)), OK);
    assert_int_equal(guest_read(&image, at, in, sizeof(in)), OK);
    assert_memory_equal(in, out, sizeof(in));
    assert_int_equal(image.private_pages, 4);
    assert_int_equal(guest_write(&image, IPA(UINT64_MAX), out, 2), ERR_RANGE);
    assert_int_equal(guest_read(&image, IPA(UINT64_MAX - 7), in, 16), ERR_RANGE);
    assert_int_equal(guest_read(&image, at, in, SIZE_MAX), ERR_RANGE);
    assert_int_equal(guest_read(&image, IPA(1100 * PAGE_SIZE - 1), in, 2), ERR_RANGE);
    assert_int_equal(guest_read(&image, IPA(1024 * PAGE_SIZE - 1), in, 2), ERR_RANGE);
    assert_int_equal(guest_read(&image, IPA(1100 * PAGE_SIZE), in, 0), OK);
    assert_int_equal(guest_write(&image, IPA(0), in, 1), ERR_RANGE);
    assert_int_equal(guest_write(&image, IPA(5 * PAGE_SIZE - 1), in, 1), ERR_DENIED);
}

static void pages_for_other_observers_are_cleaned(void **state)
{
    (void)state;
    layout.own_mmu = true;
    write64(&image, 6, 6);
    assert_int_equal(host_counts.dcache_clean_bytes, PAGE_SIZE);
    space_freeze(&image, TEMPLATE);
    assert_int_equal(host_counts.dcache_clean_bytes, 2 * PAGE_SIZE);
    space_clone(&clone, &image, OWNER);
    write64(&clone, 6, 7);
    assert_int_equal(host_counts.dcache_clean_bytes, 3 * PAGE_SIZE);
}

static void large_memory_in_blocks(void **state)
{
    (void)state;
    layout.large = true;
    write64(&image, 600, 1); /* root entry 1: pages 512-1023, all zero memory */
    assert_true(root_is_block(image.root[1]));
    assert_int_equal(image.private_pages, 512);
    assert_int_equal(image.private_tables, 0);
    write64(&image, 1023, 2);
    assert_int_equal(read64(&image, 600), 1);
    assert_int_equal(read64(&image, 601), 0);
    write64(&image, 300, 3); /* the region does not cover entry 0 */
    assert_true(root_is_table(image.root[0]));
    adds_up();
    uint64_t freed;
    assert_int_equal(space_release(&image, page_ipa(600), 1, &freed), OK); /* splits */
    assert_int_equal(freed, 1);
    assert_int_equal(image.private_tables, 2);
    adds_up();
    assert_int_equal(read64(&image, 600), 0);
    assert_int_equal(read64(&image, 1023), 2);
}

static void large_memory_is_released_whole(void **state)
{
    (void)state;
    layout.large = true;
    write64(&image, 600, 1);
    take_all_frames();
    uint64_t freed;
    assert_int_equal(space_release(&image, page_ipa(600), 1, &freed), ERR_NO_MEMORY);
    assert_int_equal(space_release(&image, page_ipa(512), 512, &freed), OK);
    assert_int_equal(freed, 512);
    assert_int_equal(image.private_pages, 0);
    assert_int_equal(image.root[1], 0);
}

static void large_memory_falls_back(void **state)
{
    (void)state;
    layout.large = true;
    pa_t pa;
    while (frame_alloc_block(FRAME_EL2, 0, FRAME_ORDER_MAX, &pa) == OK) {
    }
    write64(&image, 600, 1);
    assert_true(root_is_table(image.root[1]));
    assert_int_equal(image.private_pages, 1);
}

static void large_templates_share_tables(void **state)
{
    (void)state;
    layout.large = true;
    write64(&image, 600, 1);
    space_freeze(&image, TEMPLATE);
    assert_true(root_is_table(image.root[1]));
    space_clone(&clone, &image, OWNER);
    assert_int_equal(clone.shared_pages, 512);
    write64(&clone, 601, 2);
    assert_int_equal(clone.private_pages, 1);
    assert_int_equal(clone.shared_pages, 511);
    assert_int_equal(read64(&clone, 600), 1);
    assert_int_equal(read64(&image, 601), 0);
}

/* No frame for the table: the template keeps its block, and clones still work. */
static void large_templates_without_a_frame(void **state)
{
    (void)state;
    layout.large = true;
    pa_t spare[2];
    assert_int_equal(frame_alloc(FRAME_EL2, 0, &spare[0]), OK);
    assert_int_equal(frame_alloc(FRAME_EL2, 0, &spare[1]), OK);
    write64(&image, 600, 1);
    take_all_frames();
    space_freeze(&image, TEMPLATE);
    assert_true(root_is_block(image.root[1]));
    space_clone(&clone, &image, OWNER);
    space_clone(&other, &image, OWNER);
    adds_up();
    assert_int_equal(read64(&clone, 600), 1);
    assert_int_equal(space_fault(&clone, page_ipa(600), ACCESS_WRITE), ERR_NO_MEMORY);
    assert_true(frame_unref(spare[0]));
    assert_int_equal(space_fault(&clone, page_ipa(600), ACCESS_WRITE), ERR_NO_MEMORY);
    adds_up();
    assert_true(frame_unref(spare[1]));
    write64(&clone, 600, 2);
    adds_up();
    assert_int_equal(read64(&image, 600), 1);
    assert_int_equal(read64(&other, 600), 1);
    space_destroy(&image);
    space_destroy(&clone);
    adds_up();
    write64(&other, 600, 3);
    assert_int_equal(other.private_pages, 1);
}

/* The shares of all clones add up to the pages; the template's own table counts for nobody. */
static void proportional_sizes(void **state)
{
    (void)state;
    freeze();
    assert_int_equal(space_pss_bytes(&image), 6 * PAGE_SIZE);
    space_clone(&clone, &image, OWNER);
    assert_int_equal(space_pss_bytes(&clone), 6 * PAGE_SIZE);
    space_clone(&other, &image, OWNER);
    assert_int_equal(space_pss_bytes(&clone), 6 * PAGE_SIZE / 2);
    assert_int_equal(space_pss_bytes(&other), 6 * PAGE_SIZE / 2);
    write64(&clone, 1, 1);
    write64(&other, 1, 1);
    write64(&clone, 1050, 1);
    write64(&other, 1050, 1);
    assert_int_equal(space_pss_bytes(&clone), 4 * PAGE_SIZE / 2 + 2 * PAGE_SIZE);
    assert_int_equal(space_pss_bytes(&other), 4 * PAGE_SIZE / 2 + 2 * PAGE_SIZE);
    space_destroy(&other);
    assert_int_equal(space_pss_bytes(&clone), 6 * PAGE_SIZE);
}

#define THREADS 4

static void *clone_and_write(void *arg)
{
    unsigned cpu = (unsigned)(uintptr_t)arg;
    struct space mine;
    host_cpu_set(cpu);
    for (unsigned round = 0; round < 300; round++) {
        space_clone(&mine, &image, cpu + 1);
        for (uint64_t page = 6; page < 12; page++) {
            uint64_t v = cpu, seen;
            CHECK(guest_write(&mine, page_ipa(page), &v, sizeof(v)) == OK);
            CHECK(guest_read(&mine, page_ipa(page), &seen, sizeof(seen)) == OK && seen == cpu);
        }
        space_destroy(&mine);
    }
    return NULL;
}

static void cpus_clone_at_once(void **state)
{
    (void)state;
    freeze();
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, clone_and_write, (void *)i), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(read64(&image, 6), 666);
}

static struct space orphans[THREADS];

static void *write_and_go(void *arg)
{
    unsigned cpu = (unsigned)(uintptr_t)arg;
    host_cpu_set(cpu);
    uint64_t v = cpu;
    CHECK(guest_write(&orphans[cpu], page_ipa(6), &v, sizeof(v)) == OK);
    CHECK(guest_read(&orphans[cpu], page_ipa(1050), &v, sizeof(v)) == OK);
    space_destroy(&orphans[cpu]);
    return NULL;
}

/* The last references to a template's tables and pages go on several CPUs at once. */
static void orphans_of_many_cpus(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        pthread_t threads[THREADS];
        space_init(&image, &layout, OWNER);
        freeze();
        for (unsigned i = 0; i < THREADS; i++) {
            space_clone(&orphans[i], &image, i);
        }
        space_destroy(&image);
        for (uintptr_t i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, write_and_go, (void *)i), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        }
        adds_up();
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, leaves_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(zero_pages_on_demand),
        TEST(refuses_what_the_layout_does),
        TEST(text_has_no_zero_pages),
        TEST(possible_already),
        TEST(a_clone_costs_nothing),
        TEST(writes_stay_apart),
        TEST(tables_stay_shared_until_written),
        TEST(text_is_never_copied),
        TEST(orphans_adopt),
        TEST(templates_of_templates),
        TEST(released_pages_read_as_zero),
        TEST(releases_only_what_is_writable),
        TEST(releasing_nothing_copies_nothing),
        TEST(out_of_frames_changes_nothing),
        TEST(out_of_frames_at_each_step),
        TEST(guests_memory_over_pages),
        TEST(pages_for_other_observers_are_cleaned),
        TEST(large_memory_in_blocks),
        TEST(large_memory_is_released_whole),
        TEST(large_memory_falls_back),
        TEST(large_templates_share_tables),
        TEST(large_templates_without_a_frame),
        TEST(proportional_sizes),
        TEST(cpus_clone_at_once),
        TEST(orphans_of_many_cpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
