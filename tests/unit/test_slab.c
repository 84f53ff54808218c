/* SPDX-License-Identifier: BSD-2-Clause */
// sources: mm/frame_init.c mm/buddy.c
// sources: mm/slab.c mm/frame.c arch/host/memory.c arch/host/cpu.c core/base/log.c core/base/fmt.c
/*
 * Slabs: objects are zeroed, aligned and disjoint; empty frames go back; out of memory is an
 * answer.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/host/host.h"
#include "mm/slab.h"

#define RAM_BYTES MIB(1)
#define OBJECTS_MAX (RAM_BYTES / 64)

static struct slab slab;
static uint8_t *held[OBJECTS_MAX];

static int fresh(void **state)
{
    (void)state;
    host_memory_init(RAM_BYTES);
    struct frame_range ram = {PA(HOST_RAM_BASE), RAM_BYTES};
    assert_int_equal(frame_init(&ram, 1, NULL, 0), OK);
    return 0;
}

static bool all_bytes(const uint8_t *p, size_t n, uint8_t value)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != value) {
            return false;
        }
    }
    return true;
}

static void take(unsigned at, uint32_t bytes)
{
    void *object;
    assert_int_equal(slab_alloc(&slab, &object), OK);
    assert_true(IS_ALIGNED((uintptr_t)object, bytes));
    assert_true(all_bytes(object, bytes, 0));
    memset(object, (uint8_t)(at + 1), bytes);
    held[at] = object;
}

static void give(unsigned at, uint32_t bytes)
{
    assert_true(all_bytes(held[at], bytes, (uint8_t)(at + 1)));
    slab_free(&slab, held[at]);
}

static void every_size(void **state)
{
    (void)state;
    for (uint32_t bytes = 64; bytes <= PAGE_SIZE; bytes *= 2) {
        slab_init(&slab, bytes, FRAME_DESCRIPTOR);
        unsigned n = 3 * PAGE_SIZE / bytes + 1;
        for (unsigned i = 0; i < n; i++) {
            take(i, bytes);
        }
        assert_int_equal(slab.live, n);
        assert_int_equal(slab.frames, 4);
        assert_int_equal(frame_count(FRAME_DESCRIPTOR), 4);
        for (unsigned i = 0; i < n; i++) {
            give(i, bytes);
        }
        assert_int_equal(slab.live, 0);
        assert_int_equal(slab.frames, 0);
        assert_int_equal(frame_count(FRAME_DESCRIPTOR), 0);
        assert_true(list_empty(&slab.partial));
    }
}

static void out_of_frames_is_an_answer(void **state)
{
    (void)state;
    slab_init(&slab, 1024, FRAME_DESCRIPTOR);
    uint64_t room = frame_count(FRAME_FREE) * (PAGE_SIZE / 1024);
    for (unsigned i = 0; i < room; i++) {
        take(i, 1024);
    }
    void *object = NULL;
    assert_int_equal(slab_alloc(&slab, &object), ERR_NO_MEMORY);
    assert_ptr_equal(object, NULL);
    assert_int_equal(slab.live, room);
    give(6, 1024);
    take(6, 1024);
    assert_int_equal(slab_alloc(&slab, &object), ERR_NO_MEMORY);
    for (unsigned i = 0; i < room; i++) {
        give(i, 1024);
    }
    assert_int_equal(frame_count(FRAME_DESCRIPTOR), 0);
}

static void random_lives(void **state)
{
    (void)state;
    slab_init(&slab, 256, FRAME_DESCRIPTOR);
    static bool live[200];
    uint64_t n = 0;
    srand(2);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned at = (unsigned)rand() % ARRAY_SIZE(live);
        if (live[at]) {
            give(at, 256);
        } else {
            take(at, 256);
        }
        n += live[at] ? -1ull : 1;
        live[at] = !live[at];
        assert_int_equal(slab.live, n);
        assert_int_equal(slab.frames, frame_count(FRAME_DESCRIPTOR));
        assert_true(n <= slab.frames * 16 && slab.frames <= n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_size, fresh),
        cmocka_unit_test_setup(out_of_frames_is_an_answer, fresh),
        cmocka_unit_test_setup(random_lives, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
