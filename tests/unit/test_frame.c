/* SPDX-License-Identifier: BSD-2-Clause */
// sources: mm/frame_init.c mm/buddy.c
// sources: mm/frame.c arch/host/memory.c arch/host/cpu.c core/base/log.c core/base/fmt.c
/*
 * The frame table: start-up over odd memory maps, exhaustion, blocks, references, and the sum of
 * all kinds, which must never change.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <pthread.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arch/host/host.h"
#include "arch/memory.h"
#include "core/base/log.h"
#include "mm/frame.h"

#define RAM_BYTES MIB(8)
#define RAM_FRAMES (RAM_BYTES / PAGE_SIZE)
#define TABLE_FRAMES (RAM_FRAMES * 8 / PAGE_SIZE)

static pa_t held[RAM_FRAMES];

static void adds_up(void)
{
    uint64_t n = 0;
    for (int k = 0; k < FRAME_KINDS; k++) {
        n += frame_count((enum frame_kind)k);
    }
    assert_int_equal(n, frame_total());
}

static int fresh(void **state)
{
    (void)state;
    host_memory_init(RAM_BYTES);
    host_cpu_set(0);
    struct frame_range ram = {PA(HOST_RAM_BASE), RAM_BYTES};
    assert_int_equal(frame_init(&ram, 1, NULL, 0), OK);
    return 0;
}

static int still_adds_up(void **state)
{
    (void)state;
    adds_up();
    return 0;
}

static uint64_t take_all(void)
{
    uint64_t n = 0;
    while (frame_alloc(FRAME_PRIVATE, 7, &held[n]) == OK) {
        n++;
    }
    return n;
}

static void starts_with_all_but_the_table_free(void **state)
{
    (void)state;
    assert_int_equal(frame_total(), RAM_FRAMES);
    assert_int_equal(frame_count(FRAME_FREE), RAM_FRAMES - TABLE_FRAMES);
    assert_int_equal(frame_count(FRAME_EL2), TABLE_FRAMES);
}

static void refuses_bad_ram(void **state)
{
    (void)state;
    struct frame_range two[2] = {{PA(HOST_RAM_BASE), MIB(1)}, {PA(HOST_RAM_BASE), MIB(1)}};
    assert_int_equal(frame_init(two, 2, NULL, 0), ERR_INVALID);
    two[1].base.v += MIB(1) - PAGE_SIZE;
    assert_int_equal(frame_init(two, 2, NULL, 0), ERR_INVALID);
    two[1] = (struct frame_range){PA(HOST_RAM_BASE + MIB(1) + 1), MIB(1)};
    assert_int_equal(frame_init(two, 2, NULL, 0), ERR_INVALID);
    two[1] = (struct frame_range){PA(HOST_RAM_BASE + MIB(1)), MIB(1) + 1};
    assert_int_equal(frame_init(two, 2, NULL, 0), ERR_INVALID);
    two[1].bytes = -MIB(1);
    assert_int_equal(frame_init(two, 2, NULL, 0), ERR_INVALID);
    two[1].bytes = 0;
    assert_int_equal(frame_init(two, 2, NULL, 0), ERR_INVALID);
    two[1] = (struct frame_range){PA(0x0100000000000000), MIB(1)};
    assert_int_equal(frame_init(two, 2, NULL, 0), ERR_INVALID);
    assert_int_equal(frame_init(two, 0, NULL, 0), ERR_INVALID);
}

static void says_when_the_table_has_no_place(void **state)
{
    (void)state;
    struct frame_range ram = {PA(HOST_RAM_BASE), RAM_BYTES};
    struct frame_range used[2] = {{PA(HOST_RAM_BASE), MIB(4)},
                                  {PA(HOST_RAM_BASE + MIB(4) + PAGE_SIZE), MIB(4)}};
    assert_int_equal(frame_init(&ram, 1, used, 2), ERR_NO_MEMORY);
    used[1].base.v += (TABLE_FRAMES - 1) * PAGE_SIZE;
    assert_int_equal(frame_init(&ram, 1, used, 2), OK);
    assert_int_equal(frame_count(FRAME_FREE), 0);
    adds_up();
}

/* Firmware may claim anything is used. */
static void bounds_what_is_used(void **state)
{
    (void)state;
    struct frame_range ram = {PA(HOST_RAM_BASE), RAM_BYTES};
    struct frame_range used[3] = {{PA(HOST_RAM_BASE + MIB(6)), UINT64_MAX},
                                  {PA(UINT64_MAX - 5), 100},
                                  {PA(0), HOST_RAM_BASE + 1}};
    assert_int_equal(frame_init(&ram, 1, used, 3), OK);
    assert_int_equal(frame_count(FRAME_EL2), MIB(2) / PAGE_SIZE + 1 + TABLE_FRAMES);
    frame_release_range((struct frame_range){PA(HOST_RAM_BASE + MIB(7) + 1), UINT64_MAX});
    assert_int_equal(frame_count(FRAME_EL2), MIB(1) / PAGE_SIZE + 2 + TABLE_FRAMES);
    frame_release_range((struct frame_range){PA(HOST_RAM_BASE + 1), 1});
    frame_release_range((struct frame_range){PA(UINT64_MAX), 1});
    assert_int_equal(frame_count(FRAME_EL2), MIB(1) / PAGE_SIZE + 2 + TABLE_FRAMES);
}

/* RAM in two pieces, neither aligned to a block, with odd ranges in use, some of them outside. */
static void copes_with_holes(void **state)
{
    (void)state;
    struct frame_range ram[2] = {{PA(HOST_RAM_BASE + 5 * PAGE_SIZE), MIB(2)},
                                 {PA(HOST_RAM_BASE + MIB(4) + 3 * PAGE_SIZE), MIB(3)}};
    struct frame_range used[4] = {{PA(HOST_RAM_BASE + 5 * PAGE_SIZE + 100), PAGE_SIZE},
                                  {PA(HOST_RAM_BASE + 6 * PAGE_SIZE + 200), 1},
                                  {PA(HOST_RAM_BASE + MIB(3)), PAGE_SIZE},
                                  {PA(0), PAGE_SIZE}};
    assert_int_equal(frame_init(ram, 2, used, 4), OK);
    assert_int_equal(frame_total(), MIB(5) / PAGE_SIZE);
    uint64_t table_frames = (MIB(7) / PAGE_SIZE + 3) * 8 / PAGE_SIZE + 1;
    assert_int_equal(frame_count(FRAME_EL2), 2 + table_frames);
    assert_false(frame_is_ram(PA(HOST_RAM_BASE)));
    assert_true(frame_is_ram(PA(HOST_RAM_BASE + 5 * PAGE_SIZE)));
    assert_false(frame_is_ram(PA(HOST_RAM_BASE + MIB(3))));
    assert_true(frame_is_ram(PA(HOST_RAM_BASE + MIB(4) + 3 * PAGE_SIZE)));
    assert_false(frame_is_ram(PA(HOST_RAM_BASE + MIB(7) + 3 * PAGE_SIZE)));
    assert_false(frame_is_ram(PA(0)));
    assert_false(frame_is_ram(PA(UINT64_MAX)));
    assert_int_equal(frame_kind(PA(HOST_RAM_BASE + 6 * PAGE_SIZE)), FRAME_EL2);
    uint64_t n = take_all();
    assert_int_equal(n, MIB(5) / PAGE_SIZE - 2 - table_frames);
    for (uint64_t i = 0; i < n; i++) {
        assert_true(frame_is_ram(held[i]));
        assert_true(held[i].v != used[0].base.v - 100 && held[i].v != used[1].base.v - 200);
    }
    adds_up();
}

static void releases_whole_pages_only(void **state)
{
    (void)state;
    struct frame_range ram = {PA(HOST_RAM_BASE), RAM_BYTES};
    struct frame_range used = {PA(HOST_RAM_BASE + 10), 5 * PAGE_SIZE};
    assert_int_equal(frame_init(&ram, 1, &used, 1), OK);
    uint64_t before = frame_count(FRAME_FREE);
    frame_release_range(used);
    assert_int_equal(frame_count(FRAME_FREE), before + 4);
    frame_release_range(used); /* again: nothing is left of it */
    assert_int_equal(frame_count(FRAME_FREE), before + 4);
    frame_release_range((struct frame_range){PA(HOST_RAM_BASE - MIB(1)), MIB(1) - 1});
    assert_int_equal(frame_count(FRAME_FREE), before + 4);
    assert_int_equal(take_all(), before + 4);
}

static void every_frame_once_then_none(void **state)
{
    (void)state;
    uint64_t n = take_all();
    assert_int_equal(n, RAM_FRAMES - TABLE_FRAMES);
    assert_int_equal(frame_count(FRAME_FREE), 0);
    assert_int_equal(frame_count(FRAME_PRIVATE), n);
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(frame_owner(held[i]), 7);
        assert_int_equal(frame_refs(held[i]), 1);
        frame_assign(held[i], FRAME_SHARED, (uint32_t)i); /* each was seen once */
    }
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(frame_owner(held[i]), i);
    }
    pa_t pa;
    assert_int_equal(frame_alloc(FRAME_STAGE2, 1, &pa), ERR_NO_MEMORY);
    assert_int_equal(frame_alloc_block(FRAME_STAGE2, 1, 0, &pa), ERR_NO_MEMORY);
    assert_true(frame_unref(held[5]));
    assert_int_equal(frame_alloc(FRAME_STAGE2, 1, &pa), OK);
    assert_int_equal(pa.v, held[5].v);
    for (uint64_t i = 0; i < n; i++) {
        assert_true(frame_unref(held[i]));
    }
    assert_int_equal(frame_count(FRAME_FREE), n);
}

static void counts_references(void **state)
{
    (void)state;
    pa_t pa;
    assert_int_equal(frame_alloc(FRAME_SHARED, 3, &pa), OK);
    frame_ref(pa);
    frame_ref(pa);
    assert_int_equal(frame_refs(pa), 3);
    assert_false(frame_unref(pa));
    assert_true(frame_unref_unless_last(pa));
    assert_false(frame_unref_unless_last(pa));
    assert_int_equal(frame_refs(pa), 1);
    assert_int_equal(frame_kind(pa), FRAME_SHARED);
    assert_true(frame_unref(pa));
    assert_int_equal(frame_kind(pa), FRAME_FREE);
    assert_int_equal(frame_owner(pa), FRAME_OWNER_NONE);
}

static void changes_kind(void **state)
{
    (void)state;
    pa_t pa;
    assert_int_equal(frame_alloc(FRAME_PRIVATE, 3, &pa), OK);
    frame_assign(pa, FRAME_SHARED, FRAME_OWNER_TEMPLATE + 2);
    assert_int_equal(frame_kind(pa), FRAME_SHARED);
    assert_int_equal(frame_owner(pa), FRAME_OWNER_TEMPLATE + 2);
    assert_int_equal(frame_count(FRAME_PRIVATE), 0);
    assert_int_equal(frame_count(FRAME_SHARED), 1);
}

/* Blocks are aligned and disjoint, and come back together once all is free again. */
static void blocks_come_back_together(void **state)
{
    (void)state;
    uint64_t blocks[FRAME_ORDER_MAX + 1];
    for (int round = 0; round < 3; round++) {
        for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
            uint64_t n = 0;
            while (frame_alloc_block(FRAME_PRIVATE, 1, order, &held[n]) == OK) {
                assert_true(IS_ALIGNED(held[n].v, PAGE_SIZE << order));
                n++;
            }
            assert_true(round == 0 || n == blocks[order]);
            blocks[order] = n;
            assert_int_equal(frame_count(FRAME_PRIVATE), n << order);
            for (uint64_t i = n << order; i-- > 0;) {
                pa_t pa = PA(held[i >> order].v + (i % (1u << order)) * PAGE_SIZE);
                assert_true(frame_unref(pa));
            }
            adds_up();
        }
    }
    assert_int_equal(blocks[FRAME_ORDER_MAX], RAM_BYTES / MIB(2) - 1);
    assert_int_equal(blocks[0], RAM_FRAMES - TABLE_FRAMES);
}

/* Random orders and lives, against marks in the memory itself. */
static void random_lives(void **state)
{
    (void)state;
    static struct {
        pa_t pa;
        unsigned order;
    } live[512];
    unsigned n = 0;
    srand(1);
    for (unsigned step = 0; step < 60000; step++) {
        host_cpu_set((unsigned)rand() % 3);
        if (n < ARRAY_SIZE(live) && rand() % 2) {
            unsigned order = rand() % 4 ? 0 : (unsigned)rand() % (FRAME_ORDER_MAX + 1);
            if (frame_alloc_block(FRAME_PRIVATE, n, order, &live[n].pa) == OK) {
                live[n].order = order;
                for (uint64_t i = 0; i < 1u << order; i++) {
                    pa_t pa = PA(live[n].pa.v + i * PAGE_SIZE);
                    assert_int_equal(frame_refs(pa), 1);
                    *(uint64_t *)arch_ptr(pa) = pa.v ^ 0x5A5A;
                }
                n++;
            }
        } else if (n > 0) {
            unsigned k = (unsigned)rand() % n;
            for (uint64_t i = 0; i < 1u << live[k].order; i++) {
                pa_t pa = PA(live[k].pa.v + i * PAGE_SIZE);
                assert_int_equal(*(uint64_t *)arch_ptr(pa), pa.v ^ 0x5A5A);
                assert_true(frame_unref(pa));
            }
            live[k] = live[--n];
        }
        if (step % 1000 == 0) {
            adds_up();
        }
    }
}

#define THREADS 4

static void *churn(void *arg)
{
    pa_t mine[100], shared = *(pa_t *)arg;
    static unsigned cpus;
    host_cpu_set(__atomic_fetch_add(&cpus, 1, __ATOMIC_RELAXED) % THREADS);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned n = 0;
        while (n < ARRAY_SIZE(mine) && frame_alloc(FRAME_PRIVATE, 1, &mine[n]) == OK) {
            *(void **)arch_ptr(mine[n]) = &mine[n];
            n++;
        }
        frame_ref(shared);
        while (n-- > 0) {
            CHECK(*(void **)arch_ptr(mine[n]) == &mine[n]);
            CHECK(frame_unref(mine[n]));
        }
        CHECK(frame_unref_unless_last(shared));
    }
    return NULL;
}

static void cpus_share(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    pa_t shared;
    assert_int_equal(frame_alloc(FRAME_SHARED, 1, &shared), OK);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &shared), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(frame_refs(shared), 1);
    assert_true(frame_unref(shared));
    assert_int_equal(frame_count(FRAME_FREE), RAM_FRAMES - TABLE_FRAMES);
}

static jmp_buf halted;

static void halt(void)
{
    longjmp(halted, 1);
}

static void catches_one_release_too_many(void **state)
{
    (void)state;
    pa_t pa;
    panic_set_halt(halt);
    assert_int_equal(frame_alloc(FRAME_PRIVATE, 1, &pa), OK);
    assert_true(frame_unref(pa));
    if (setjmp(halted) == 0) {
        (void)frame_unref(pa);
        fail();
    }
    if (setjmp(halted) == 0) {
        (void)frame_refs(PA(HOST_RAM_BASE + RAM_BYTES));
        fail();
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, still_adds_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(starts_with_all_but_the_table_free),
        TEST(refuses_bad_ram),
        TEST(says_when_the_table_has_no_place),
        TEST(bounds_what_is_used),
        TEST(copes_with_holes),
        TEST(releases_whole_pages_only),
        TEST(every_frame_once_then_none),
        TEST(counts_references),
        TEST(changes_kind),
        TEST(blocks_come_back_together),
        TEST(random_lives),
        TEST(cpus_share),
        TEST(catches_one_release_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
