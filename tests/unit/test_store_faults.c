/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tests/unit/store_world.c tests/unit/fake_block.c
// sources: mm/store.c mm/store_log.c mm/store_index.c mm/store_mount.c mm/store_replay.c
// sources: mm/store_clean.c mm/record.c mm/codec.c mm/frame.c mm/frame_init.c mm/buddy.c
// sources: arch/host/memory.c arch/host/cpu.c arch/host/time.c arch/host/checksum.c
// sources: core/base/crc32c.c core/base/log.c core/base/fmt.c core/base/error.c
/*
 * A device that fails: every record is told of once, what was said to be written is found again,
 * and a store that cannot be written to can still be read.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "tests/unit/store_world.h"

#define VMS 60u
#define SEGMENTS 12u
#define ALWAYS 1000000u

static int fresh(void **state)
{
    (void)state;
    world_create(VMS, SEGMENTS, STORE_SEGMENT_SECTORS_MIN, 1);
    world_boot();
    assert_true(world_must_put(1, 3000));
    assert_true(world_settle());
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_free();
    return 0;
}

static void break_device(enum block_op op, unsigned skip, unsigned times, bool whole)
{
    fake_block_fail(&world.disk, (struct fake_fault){op, 0, UINT64_MAX, skip, times, whole});
}

static void all_are_told_once(void)
{
    assert_int_equal(world.told_ok + world.told_error + world.voided, world.committed);
    for (uint32_t slot = 1; slot <= VMS; slot++) {
        assert_int_equal(world.slots[slot].pending, 0);
    }
}

static void put_some(uint32_t from, uint32_t to)
{
    for (uint32_t slot = from; slot <= to; slot++) {
        (void)world_must_put(slot, 10000);
        store_work();
    }
    assert_true(world_settle());
}

/* What is acknowledged is there now, and after two cuts. */
static void nothing_is_lost(void)
{
    all_are_told_once();
    world_check();
    world_cut();
    world_boot();
    world_check();
    put_some(50, 55);
    world_cut();
    world_boot();
    world_check();
}

static void a_write_is_tried_again(void **state)
{
    (void)state;
    uint32_t segment = store.segment;
    break_device(BLOCK_WRITE, 0, 2, false);
    put_some(2, 5);
    assert_int_equal(store_get_counters().write_errors, 2);
    assert_int_equal(store.segment, segment);
    assert_int_equal(world.told_error, 0);
    nothing_is_lost();
}

static void the_log_goes_on_elsewhere(void **state)
{
    (void)state;
    uint32_t segment = store.segment;
    break_device(BLOCK_WRITE, 0, 3, false);
    put_some(2, 5);
    assert_int_not_equal(store.segment, segment);
    assert_int_equal(world.told_error, 0);
    assert_true(store_takes_records());
    nothing_is_lost();
}

/* All of the batch is on the device, twice: where it was first, it is the last one. */
static void a_batch_that_is_there_twice(void **state)
{
    (void)state;
    break_device(BLOCK_WRITE, 0, 3, true);
    put_some(2, 9);
    assert_int_equal(world.told_error, 0);
    nothing_is_lost();
}

/* The same, and what follows, all that fits in a batch, has no room behind it either. */
static void a_batch_that_is_there_twice_before_a_large_one(void **state)
{
    (void)state;
    put_some(1, 3);
    break_device(BLOCK_WRITE, 0, 3, true);
    assert_int_equal(world_put(4, 20000), OK);
    store_work();
    uint32_t slot = 5;
    while (slot <= VMS && world_put(slot, 20000) == OK) {
        slot++;
    }
    assert_true(slot > 52);
    assert_true(world_settle());
    assert_int_equal(world.told_error, 0);
    nothing_is_lost();
}

/* The last batch is there in part, and elsewhere as a whole. */
static void a_last_batch_that_is_there_twice(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        world_free();
        world_create(VMS, SEGMENTS, STORE_SEGMENT_SECTORS_MIN, seed);
        world_boot();
        put_some(1, 3);
        break_device(BLOCK_WRITE, 0, 3, false);
        world_mark(3, STORE_DEAD);
        for (uint32_t slot = 4; slot <= 7; slot++) {
            assert_int_equal(world_put(slot, 3000), OK);
        }
        assert_true(world_settle());
        assert_int_equal(world.told_error, 0);
        nothing_is_lost();
    }
}

static void flushes_that_fail(void **state)
{
    (void)state;
    break_device(BLOCK_FLUSH, 0, 3, false);
    put_some(2, 9);
    assert_int_equal(world.told_error, 0);
    assert_int_equal(store_get_counters().write_errors, 3);
    nothing_is_lost();
}

/* A checkpoint is begun while a batch is being tried again elsewhere. */
static void a_checkpoint_while_a_batch_moves(void **state)
{
    (void)state;
    for (unsigned when = 0; when < 12; when++) {
        break_device(BLOCK_WRITE, 0, 3, true);
        assert_true(world_must_put(2 + when, 3000));
        world_work(when);
        store_checkpoint(false);
        put_some(20, 25);
        nothing_is_lost();
    }
}

static void then_it_is_only_read(enum block_op op)
{
    break_device(op, 0, ALWAYS, false);
    for (uint32_t slot = 2; slot <= 12; slot++) {
        (void)world_must_put(slot, 10000);
    }
    assert_true(world_settle());
    assert_false(store_takes_records());
    assert_true(store_is_open());
    assert_int_equal(world.told_ok, 1);
    assert_true(world.told_error > 0);
    assert_int_equal(world_put(30, 3000), ERR_DENIED);
    world_mark(31, STORE_DEAD);
    assert_true(world_settle());
    nothing_is_lost();
}

static void writes_that_always_fail(void **state)
{
    (void)state;
    then_it_is_only_read(BLOCK_WRITE);
}

static void flushes_that_always_fail(void **state)
{
    (void)state;
    then_it_is_only_read(BLOCK_FLUSH);
}

/* Of the checkpoint area alone. */
static void fail_index(unsigned times)
{
    fake_block_fail(&world.disk, (struct fake_fault){BLOCK_WRITE, 16, store.super.first_segment, 0,
                                                     times, false});
}

static void an_index_is_tried_again(void **state)
{
    (void)state;
    for (unsigned round = 1; round <= 3; round++) {
        fail_index(1);
        store_checkpoint(false);
        put_some(2, 9);
        assert_int_equal(store_get_counters().checkpoints, round);
        assert_true(store_takes_records());
    }
    nothing_is_lost();
}

static void an_index_that_always_fails(void **state)
{
    (void)state;
    fail_index(ALWAYS);
    store_checkpoint(false);
    for (uint32_t slot = 2; slot <= 12; slot++) {
        (void)world_must_put(slot, 10000);
    }
    assert_true(world_settle());
    assert_false(store_takes_records());
    nothing_is_lost();
}

/* Marks and moves on the way when it gives up. */
static void giving_up_with_much_on_the_way(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        world_free();
        world_create(VMS, SEGMENTS, STORE_SEGMENT_SECTORS_MIN, seed);
        world_boot();
        break_device(seed % 2 ? BLOCK_WRITE : BLOCK_FLUSH, world_random(60), ALWAYS, seed % 3 == 0);
        for (unsigned i = 0; i < 3000 && store_takes_records(); i++) {
            uint32_t slot = 1 + world_random(40);
            if (world_random(10) == 0) {
                world_mark(slot, world_random(3));
            } else if (!world.slots[slot].pending && world_put(slot, 20000) != OK) {
                store_work();
            }
            world_work(world_random(3));
        }
        assert_false(store_takes_records());
        assert_true(world_settle());
        world_work(100);
        nothing_is_lost();
    }
}

static void faults_at_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        world_free();
        world_create(VMS, SEGMENTS, STORE_SEGMENT_SECTORS_MIN, seed);
        world.disk.shuffled = seed % 2;
        for (unsigned life = 0; life < 4; life++) {
            world_boot();
            for (unsigned i = 0; i < 400 && store_takes_records(); i++) {
                uint32_t slot = 1 + world_random(VMS);
                if (world_random(20) == 0 && world.disk.faults[FAKE_FAULTS - 1].times == 0) {
                    break_device((enum block_op)(1 + world_random(2)), world_random(5),
                                 1 + world_random(4), world_random(2));
                }
                if (!world.slots[slot].pending && world_put(slot, 20000) != OK) {
                    store_work();
                }
                world_work(world_random(4));
                memset(world.disk.faults, 0, world_random(8) ? 0 : sizeof(world.disk.faults));
            }
            world_cut();
        }
        world_boot();
        world_check();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_write_is_tried_again),
        TEST(the_log_goes_on_elsewhere),
        TEST(a_batch_that_is_there_twice),
        TEST(a_batch_that_is_there_twice_before_a_large_one),
        TEST(a_last_batch_that_is_there_twice),
        TEST(flushes_that_fail),
        TEST(a_checkpoint_while_a_batch_moves),
        TEST(writes_that_always_fail),
        TEST(flushes_that_always_fail),
        TEST(an_index_is_tried_again),
        TEST(an_index_that_always_fails),
        TEST(giving_up_with_much_on_the_way),
        TEST(faults_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
