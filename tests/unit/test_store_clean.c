/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tests/unit/store_world.c tests/unit/fake_block.c
// sources: mm/store.c mm/store_log.c mm/store_index.c mm/store_mount.c mm/store_replay.c
// sources: mm/store_clean.c mm/record.c mm/codec.c mm/frame.c mm/frame_init.c mm/buddy.c
// sources: arch/host/memory.c arch/host/cpu.c arch/host/time.c arch/host/checksum.c
// sources: core/base/crc32c.c core/base/log.c core/base/fmt.c core/base/error.c
/*
 * The cleaner: a store that is as full as it may be takes new records for ever, at a price that is
 * stated, and loses nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/store_world.h"

static int end(void **state)
{
    (void)state;
    world_free();
    return 0;
}

/* Fills the store to the last record but some, which leaves room for new versions. Returns the
 * number of slots. */
static uint32_t fill(uint32_t bytes)
{
    uint32_t slot = 1;
    while (slot <= world.vms && world_must_put(slot, bytes)) {
        slot++;
    }
    assert_true(slot < world.vms);
    for (uint32_t i = MIN(64u, slot / 8); i > 0; i--) {
        world_mark(--slot, STORE_NOTHING);
    }
    assert_true(world_settle());
    return slot - 1;
}

/* Sectors written to the log for each one of a new record, over `rounds` of the store's content. */
static double amplification(uint32_t slots, uint32_t bytes, unsigned rounds)
{
    struct store_counters before = store_get_counters();
    for (uint32_t i = 0; i < rounds * slots; i++) {
        uint32_t slot = 1 + world_random(slots);
        assert_true(world_must_put(slot, bytes));
        if (i % 4096 == 0) {
            world_check();
        }
    }
    assert_true(world_settle());
    world_check();
    struct store_counters c = store_get_counters();
    return (double)(c.batch_sectors - before.batch_sectors) /
           (double)(c.record_sectors - before.record_sectors);
}

static void overwritten_at_random(uint32_t segments, uint32_t bytes, unsigned rounds)
{
    world_create(WORLD_VMS_MAX, segments, STORE_SEGMENT_SECTORS_MIN, segments + bytes);
    world.disk.shuffled = true;
    world_boot();
    uint32_t slots = fill(bytes);
    (void)amplification(slots, bytes, 1);
    double w = amplification(slots, bytes, rounds);
    struct store_counters c = store_get_counters();
    print_message("%u segments, %u slots of %u bytes: write amplification %.2f, %llu checkpoints\n",
                  segments, slots, bytes, w, (unsigned long long)c.checkpoints);
    assert_true(w < 4.0);
    assert_true(c.moved > 0 && c.cleaned_segments > 0);
    world_cut();
    world_boot();
    world_check();
}

static void a_full_store_is_cleaned_at_its_price(void **state)
{
    (void)state;
    overwritten_at_random(64, 20000, 3);
}

static void a_small_one_too(void **state)
{
    (void)state;
    overwritten_at_random(12, 10000, 4);
}

static void the_smallest_one_too(void **state)
{
    (void)state;
    overwritten_at_random(STORE_SEGMENTS_MIN, 5000, 4);
}

static void large_records_too(void **state)
{
    (void)state;
    overwritten_at_random(48, 120000, 4);
}

static void the_largest_too(void **state)
{
    (void)state;
    overwritten_at_random(80, 900000, 20);
}

/* One record in each segment, and more segments than the log needs. */
static uint32_t records_in_segments(void)
{
    world_create(100, 40, STORE_SEGMENT_SECTORS_MIN, 7);
    world_boot();
    for (uint32_t slot = 1; slot <= 10; slot++) {
        assert_true(world_must_put(slot, 600000));
    }
    assert_true(world_settle());
    store_checkpoint(false);
    assert_true(world_settle());
    return store_segment_of(world.slots[3].place.sector);
}

static void a_mark_keeps_its_segment(void **state)
{
    (void)state;
    uint32_t segment = records_in_segments();
    world_mark(3, STORE_DEAD);
    assert_int_equal(store.segment_table[segment].live, 0);
    assert_false(store_segment_is_free(segment));
    assert_true(world_settle());
    assert_false(store_segment_is_free(segment));
    store_checkpoint(false);
    assert_true(world_settle());
    assert_true(store_segment_is_free(segment));
}

static bool came;

static void read_done(struct store_io *io, enum err e)
{
    (void)io;
    assert_int_equal(e, OK);
    came = true;
}

static void a_reader_keeps_its_segment(void **state)
{
    (void)state;
    static struct store_io io;
    pa_t to;
    uint32_t segment = records_in_segments();
    assert_int_equal(frame_alloc(FRAME_EL2, FRAME_OWNER_NONE, &to), OK);
    assert_true(world_must_put(3, 10000));
    assert_true(world_settle());
    assert_true(store_segment_is_free(segment));
    came = false;
    store_read(&io, segment_sector(segment) + 8, 8, to, read_done);
    assert_false(store_segment_is_free(segment));
    world_work(10);
    assert_true(came);
    assert_true(store_segment_is_free(segment));
}

/* What cannot be read stays where it is; nothing is written there, and all else goes on. */
static void a_segment_that_cannot_be_read_is_left_alone(void **state)
{
    (void)state;
    world_create(WORLD_VMS_MAX, 24, STORE_SEGMENT_SECTORS_MIN, 9);
    world_boot();
    uint32_t slots = fill(10000);
    struct store_place p = world.slots[5].place;
    uint32_t segment = store_segment_of(p.sector);
    fake_block_fail(&world.disk, (struct fake_fault){BLOCK_READ, p.sector, p.sector + p.sectors, 0,
                                                     UINT32_MAX, false});
    for (uint32_t i = 0; i < 3 * slots; i++) {
        uint32_t slot = 6 + world_random(slots - 6);
        assert_true(world_must_put(slot, 10000));
    }
    assert_true(world_settle());
    world_check();
    assert_int_equal(world.slots[5].place.sector, p.sector);
    assert_true(store_get_counters().read_errors > 0);
    assert_true(store_takes_records());
    assert_false(store_segment_is_free(segment));
    world_cut();
    world_boot();
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_store_is_cleaned_at_its_price),
        TEST(a_small_one_too),
        TEST(the_smallest_one_too),
        TEST(large_records_too),
        TEST(the_largest_too),
        TEST(a_mark_keeps_its_segment),
        TEST(a_reader_keeps_its_segment),
        TEST(a_segment_that_cannot_be_read_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
