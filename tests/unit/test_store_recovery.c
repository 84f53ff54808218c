/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tests/unit/store_world.c tests/unit/fake_block.c
// sources: mm/store.c mm/store_log.c mm/store_index.c mm/store_mount.c mm/store_replay.c
// sources: mm/store_clean.c mm/record.c mm/codec.c mm/frame.c mm/frame_init.c mm/buddy.c
// sources: arch/host/memory.c arch/host/cpu.c arch/host/time.c arch/host/checksum.c
// sources: core/base/crc32c.c core/base/log.c core/base/fmt.c core/base/error.c
/*
 * What a store still has after a power cut, or after damage: all that it acknowledged, but what was
 * hit itself.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "arch/memory.h"
#include "tests/unit/store_world.h"

#define VMS 60u
#define SEGMENTS 12u

static void create(uint64_t seed)
{
    world_create(VMS, SEGMENTS, STORE_SEGMENT_SECTORS_MIN, seed);
    world.disk.shuffled = seed % 2;
    world.disk.limit = 1 + (unsigned)(seed % 5);
}

/* --- power cuts --------------------------------------------------------------------------- */

/* Mounts, which the power may cut short. */
static void boot_or_die(void)
{
    if (world_mount() == OK && !world.disk.dead) {
        world_adopt();
    }
}

static bool no_index; /* will be there; marks are lost then, with the headers that they are in */

static void act(void)
{
    uint32_t slot = 1 + world_random(VMS), what = world_random(100);
    if (what < 70) {
        uint32_t bytes = 2048 + world_random(world_random(8) ? 30000 : 200000);
        enum err e = world.slots[slot].pending ? ERR_BUSY : world_put(slot, bytes);
        assert_true(e == OK || e == ERR_BUSY || e == ERR_NO_MEMORY);
    } else if (what < 75 && !no_index) {
        world_mark(slot, world_random(3));
    } else if (what < 77) {
        store_checkpoint(world_random(2));
    }
    world_work(world_random(3));
}

/* The same steps each time, until the power fails or they are done. */
static void script(void)
{
    for (unsigned i = 0; i < 400 && !world.disk.dead; i++) {
        act();
    }
    if (!world.disk.dead) {
        (void)world_settle();
    }
}

/* After a cut: all is there, also at the boot after, and the store goes on. */
static void comes_back(void)
{
    world_cut();
    world_boot();
    assert_int_equal(store_get_counters().scanned_segments, 0);
    world_check();
    for (uint32_t slot = 1; slot <= 5; slot++) {
        assert_true(world_must_put(slot, 3000));
    }
    assert_true(world_settle());
    world_check();
    world_cut();
    world_boot();
}

static void the_power_may_fail_at_any_request(void **state)
{
    (void)state;
    bool dead = true;
    uint64_t at;
    for (at = 1; dead; at += at < 40 ? 1 : 3) {
        create(2); /* in order */
        world.disk.cut_at = at;
        boot_or_die();
        if (store_is_open()) {
            script();
        }
        dead = world.disk.dead;
        comes_back();
        world_free();
    }
    assert_true(at > 200);
}

static void the_power_may_fail_in_a_checkpoint(void **state)
{
    (void)state;
    for (uint64_t seed = 2; seed <= 60; seed += 2) {
        for (unsigned at = 1; at <= 6; at++) {
            create(seed);
            world_boot();
            for (unsigned round = 0; round < 3; round++) {
                for (uint32_t slot = 1; slot <= VMS; slot++) {
                    assert_true(world_must_put(slot, 2048));
                }
                assert_true(world_settle());
                store_checkpoint(round == 1);
                world.disk.cut_at = round == 2 ? world.disk.done + at : 0;
                (void)world_settle();
            }
            comes_back();
            world_free();
        }
    }
}

static uint64_t cuts, moved, checkpoints, torn;

static void live_and_die(void)
{
    world.disk.cut_at = world.disk.done + 20 + world_random(400);
    boot_or_die();
    for (unsigned i = 0; i < 4000 && !world.disk.dead; i++) {
        act();
        if (i % 64 == 0) {
            world_check();
        }
    }
    moved += store_get_counters().moved;
    checkpoints += store_get_counters().checkpoints;
    world_cut();
    world_boot();
    if (!no_index) { /* a cut alone costs no full reading */
        assert_int_equal(store_get_counters().scanned_segments, 0);
    }
    world_check();
    torn += store.healing;
    cuts++;
}

static void the_power_may_fail_at_any_moment(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 14; seed++) {
        create(seed);
        for (unsigned i = 0; i < 16; i++) {
            live_and_die();
        }
        world_free();
    }
    assert_true(cuts >= 200);
    assert_true(moved > 1000);
    assert_true(checkpoints > 200);
    assert_true(torn > 20);
}

/* --- where segments end ------------------------------------------------------------------- */

static void put_alone(uint32_t slot, uint32_t bytes)
{
    assert_true(world_must_put(slot, bytes));
    assert_true(world_settle());
}

static void cut_and_boot(void)
{
    world_cut();
    world_boot();
    assert_int_equal(store_get_counters().scanned_segments, 0);
    world_check();
}

/* Puts a record for which there is room in the log's segment, to the last of its sectors. Returns
 * the segment. */
static uint32_t fill_segment(void)
{
    const uint32_t page = 2048 + sizeof(struct store_page);
    put_alone(1, 300000);
    uint32_t segment = store.segment;
    uint32_t left = store.super.segment_sectors - store.offset - STORE_BATCH_HEADER_SECTORS;
    put_alone(2, (left * STORE_SECTOR_BYTES - (uint32_t)sizeof(struct store_record)) / page * 2048);
    assert_int_not_equal(store.segment, segment);
    assert_int_equal(store.offset, 0);
    return segment;
}

/* A checkpoint names a place behind which there was no room for what came. Its segment is not
 * written anew, or the place would hold a batch that is not the one that is looked for there. */
static void the_place_that_a_checkpoint_names_is_kept(void **state)
{
    (void)state;
    create(2);
    world_boot();
    put_alone(1, 300000);
    uint32_t segment = store.segment;
    store_checkpoint(false);
    assert_true(world_settle());
    put_alone(2, 900000);
    assert_int_not_equal(store.segment, segment);
    put_alone(1, 2048);
    for (unsigned boot = 0; boot < 2; boot++) {
        cut_and_boot();
        assert_int_equal(store.segment_table[segment].live, 0);
        assert_false(store_segment_is_free(segment));
    }
    store_checkpoint(false);
    assert_true(world_settle());
    assert_true(store_segment_is_free(segment));
    world_free();
}

/* A machine that finds the log there names this place in a checkpoint. */
static void a_checkpoint_at_the_end_of_a_segment(void **state)
{
    (void)state;
    create(2);
    world_boot();
    uint32_t segment = fill_segment();
    cut_and_boot();
    assert_int_equal(store.segment, segment);
    assert_int_equal(store.offset, store.super.segment_sectors);
    store_checkpoint(false);
    assert_true(world_settle());
    cut_and_boot();
    assert_int_equal(store_get_counters().replayed_batches, 0);
    put_alone(3, 3000);
    cut_and_boot();
    assert_int_equal(store_get_counters().replayed_batches, 1);
    world_free();
}

/* The header that says where the log goes on is made to say a segment in which a record is. */
static void a_next_segment_that_is_in_use(void **state)
{
    (void)state;
    create(2);
    world_boot();
    put_alone(3, 3000);
    uint32_t used = store.segment;
    while (store.segment == used) {
        put_alone(4, 300000);
    }
    uint32_t segment = fill_segment();
    struct store_batch h;
    uint64_t at = world.slots[2].place.sector - STORE_BATCH_HEADER_SECTORS;
    memcpy(&h, world.disk.durable + at * STORE_SECTOR_BYTES, sizeof(h));
    assert_int_equal(h.segment, segment);
    h.next_segment = used;
    h.crc = 0;
    h.crc = checksum(0, &h, sizeof(h));
    fake_block_put(&world.disk, at, &h, sizeof(h));
    cut_and_boot();
    put_alone(5, 3000);
    assert_in_range(store.offset, 1, store.super.segment_sectors);
    assert_int_not_equal(store.segment, used);
    cut_and_boot();
    world_free();
}

/* --- damage ------------------------------------------------------------------------------- */

static uint8_t *kept_disk;
static struct world_slot *kept_slots;

static size_t disk_bytes(void)
{
    return world.disk.device.sectors * STORE_SECTOR_BYTES;
}

/* A store with a past: segments that were used again, two checkpoints, a log behind them. */
static void make_past(uint64_t seed)
{
    create(seed);
    world_boot();
    for (unsigned i = 0; i < 900; i++) {
        act();
    }
    assert_true(world_settle());
    for (uint32_t slot = 1; slot <= 20; slot++) {
        assert_true(world_must_put(slot, 20000));
        store_work();
    }
    assert_true(world_must_put(21, 3000));
    assert_true(world_must_put(store_template_slot(0), 40000));
    assert_true(world_settle());
    world_check();
    kept_disk = malloc(disk_bytes());
    kept_slots = malloc(sizeof(world.slots));
    assert_non_null(kept_disk);
    assert_non_null(kept_slots);
    memcpy(kept_disk, world.disk.durable, disk_bytes());
    memcpy(kept_slots, world.slots, sizeof(world.slots));
    world.forgiving = true;
}

static void back_to_past(void)
{
    world_cut();
    memcpy(world.disk.durable, kept_disk, disk_bytes());
    memcpy(world.disk.now, kept_disk, disk_bytes());
    memcpy(world.slots, kept_slots, sizeof(world.slots));
}

static void end_of_past(void)
{
    free(kept_disk);
    free(kept_slots);
    world_free();
}

/* Whether the sector lies in the header that says that a slot was marked. */
static bool mark_was_hit(uint32_t slot, uint64_t sector)
{
    uint64_t at = sector - (sector - store.super.first_segment) % 8;
    const struct store_batch *h = (const void *)(kept_disk + at * STORE_SECTOR_BYTES);
    if (sector < store.super.first_segment || h->magic != STORE_BATCH_MAGIC) {
        return false;
    }
    for (uint32_t i = 0; i < MIN(h->count, STORE_BATCH_ENTRIES); i++) {
        if (h->entries[i].slot == slot && h->entries[i].kind == STORE_KIND_MARK) {
            return true;
        }
    }
    return false;
}

/* Whether the sector lies in the record that a slot had, or in its mark. */
static bool was_hit(uint32_t slot, uint64_t sector)
{
    const struct store_place *p = &kept_slots[slot].place;
    return p->sector < STORE_MARKERS
               ? mark_was_hit(slot, sector)
               : sector >= p->sector && sector < (uint64_t)p->sector + p->sectors;
}

/* After a flip: only what it hit is damaged or older, and the store goes on. */
static void survives_flip(uint64_t bit)
{
    uint64_t sector = bit / 8 / STORE_SECTOR_BYTES;
    back_to_past();
    fake_block_flip(&world.disk, bit);
    world_boot();
    uint64_t damaged = world.found_damaged;
    for (uint32_t slot = 1; slot <= VMS + STORE_TEMPLATES_MAX; slot++) {
        const struct world_slot *s = &world.slots[slot], *was = &kept_slots[slot];
        bool same = s->place.sector < STORE_MARKERS
                        ? s->place.sector == was->place.sector
                        : world_version_at(slot, &s->place) == was->durable;
        if (!same && !was_hit(slot, sector)) {
            fail_msg("bit %llu of sector %llu: slot %u, found at %u, was at %u",
                     (unsigned long long)(bit % 4096), (unsigned long long)sector, slot,
                     s->place.sector, was->place.sector);
        }
    }
    for (uint32_t slot = 1; slot <= 5; slot++) {
        assert_true(world_must_put(slot, 3000));
    }
    assert_true(world_settle());
    world_cut();
    world_boot();
    assert_true(world.found_damaged <= damaged);
}

/* Flips some bits of each of `count` sectors from `sector`, `step` apart. */
static void flip_sectors(uint64_t sector, uint64_t count, uint64_t step, unsigned flips)
{
    for (uint64_t i = 0; i < count; i++) {
        for (unsigned n = 0; n < flips; n++) {
            survives_flip((sector + i * step) * 4096 + world_random(4096));
        }
    }
}

static void flips_in_superblocks(void **state)
{
    (void)state;
    make_past(3);
    flip_sectors(STORE_SUPER_SECTOR, 2, STORE_SUPER_COPY_SECTOR, 6);
    end_of_past();
}

static void flips_in_checkpoints(void **state)
{
    (void)state;
    make_past(4);
    flip_sectors(store.super.checkpoint[0], 4, 1, 4);
    flip_sectors(store.super.checkpoint[1], 4, 1, 4);
    end_of_past();
}

/* Torn batches of earlier boots lie about when all segments are read. */
static void cuts_and_then_no_index(void **state)
{
    (void)state;
    uint64_t scanned = 0;
    no_index = true;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        create(seed);
        for (unsigned i = 0; i < 6; i++) {
            live_and_die();
            world_cut();
            fake_block_flip(&world.disk, store.super.checkpoint[0] * 4096 + world_random(512));
            fake_block_flip(&world.disk, store.super.checkpoint[1] * 4096 + world_random(512));
            world_boot();
            scanned += store_get_counters().scanned_segments;
            world_check();
        }
        world_free();
    }
    no_index = false;
    assert_true(scanned > 300);
}

static void flips_in_headers(void **state)
{
    (void)state;
    make_past(5);
    uint64_t headers = 0;
    uint64_t first = store.super.first_segment;
    for (uint64_t at = first; at < world.disk.device.sectors; at += 8) {
        const struct store_batch *h = (const void *)(kept_disk + at * STORE_SECTOR_BYTES);
        if (h->magic == STORE_BATCH_MAGIC) {
            headers++;
            survives_flip(at * 4096 + world_random(2048)); /* what every header has */
        }
    }
    assert_true(headers > 50);
    end_of_past();
}

/* A file that was cut off: what lies in front is there, and the store goes on. */
static void a_store_that_is_cut_off(void **state)
{
    (void)state;
    make_past(8);
    for (uint32_t there = STORE_SEGMENTS_MIN; there < SEGMENTS; there++) {
        back_to_past();
        uint64_t sectors = segment_sector(there) + 100;
        uint64_t all = world.disk.device.sectors;
        fake_block_truncate(&world.disk, sectors);
        world_boot();
        assert_int_equal(store_get_counters().segments, there);
        assert_true(store_takes_records());
        for (uint32_t slot = 1; slot <= 5; slot++) {
            assert_true(world_must_put(slot, 3000));
        }
        assert_true(world_settle());
        for (uint32_t slot = 1; slot <= 5; slot++) {
            assert_int_equal(world_version_at(slot, &world.slots[slot].place),
                             world.slots[slot].durable);
        }
        fake_block_truncate(&world.disk, all);
    }
    end_of_past();
}

static void flips_anywhere(void **state)
{
    (void)state;
    make_past(6);
    for (unsigned i = 0; i < 150; i++) {
        uint64_t first = store.super.first_segment;
        uint32_t sectors = (uint32_t)(world.disk.device.sectors - first);
        survives_flip((first + world_random(sectors)) * 4096 + world_random(4096));
    }
    end_of_past();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_power_may_fail_at_any_request),
        cmocka_unit_test(the_power_may_fail_in_a_checkpoint),
        cmocka_unit_test(the_power_may_fail_at_any_moment),
        cmocka_unit_test(the_place_that_a_checkpoint_names_is_kept),
        cmocka_unit_test(a_checkpoint_at_the_end_of_a_segment),
        cmocka_unit_test(a_next_segment_that_is_in_use),
        cmocka_unit_test(flips_in_superblocks),
        cmocka_unit_test(flips_in_checkpoints),
        cmocka_unit_test(cuts_and_then_no_index),
        cmocka_unit_test(flips_in_headers),
        cmocka_unit_test(flips_anywhere),
        cmocka_unit_test(a_store_that_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
