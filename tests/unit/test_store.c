/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tests/unit/store_world.c tests/unit/fake_block.c
// sources: mm/store.c mm/store_log.c mm/store_index.c mm/store_mount.c mm/store_replay.c
// sources: mm/store_clean.c mm/record.c mm/codec.c mm/frame.c mm/frame_init.c mm/buddy.c
// sources: arch/host/memory.c arch/host/cpu.c arch/host/time.c arch/host/checksum.c
// sources: core/base/crc32c.c core/base/log.c core/base/fmt.c core/base/error.c
/*
 * The store where nothing fails: opened or refused, records written in groups and believed when
 * they are durable, read, marked, and the room that there is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "arch/host/host.h"
#include "arch/memory.h"
#include "core/base/log.h"
#include "tests/unit/store_world.h"

#define VMS 100u
#define SEGMENTS 8u
#define SEGMENT_SECTORS STORE_SEGMENT_SECTORS_MIN

static char said[4096];

static void sink(const char *text, size_t n)
{
    size_t at = strlen(said);
    n = MIN(n, sizeof(said) - 1 - at);
    memcpy(said + at, text, n);
    said[at + n] = 0;
}

static int fresh(void **state)
{
    (void)state;
    world_create(VMS, SEGMENTS, SEGMENT_SECTORS, 1);
    log_set_sink(sink);
    said[0] = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_free();
    return 0;
}

/* --- refusals ----------------------------------------------------------------------------- */

static void refused(enum err e, const char *why)
{
    said[0] = 0;
    uint8_t *before = malloc(16 * STORE_SECTOR_BYTES);
    assert_non_null(before);
    memcpy(before, world.disk.now, 16 * STORE_SECTOR_BYTES);
    assert_int_equal(world_mount(), e);
    assert_non_null(strstr(said, why));
    assert_memory_equal(before, world.disk.now, 16 * STORE_SECTOR_BYTES);
    assert_int_equal(world.disk.device.writes, 0);
    free(before);
    assert_false(store_is_open());
    assert_false(store_takes_records());
    assert_false(store_work());
    assert_true(store_settled());
}

/* Changes both superblocks, with a good checksum. */
static void change_supers(void (*change)(struct store_super *s))
{
    struct store_super s;
    memcpy(&s, world.disk.now, sizeof(s));
    change(&s);
    s.crc = 0;
    s.crc = checksum(0, &s, sizeof(s));
    fake_block_put(&world.disk, STORE_SUPER_SECTOR, &s, sizeof(s));
    fake_block_put(&world.disk, STORE_SUPER_COPY_SECTOR, &s, sizeof(s));
}

static void an_empty_device_holds_none(void **state)
{
    (void)state;
    static const uint8_t zeroes[STORE_SECTOR_BYTES];
    fake_block_put(&world.disk, STORE_SUPER_SECTOR, zeroes, sizeof(zeroes));
    fake_block_put(&world.disk, STORE_SUPER_COPY_SECTOR, zeroes, sizeof(zeroes));
    refused(ERR_NOT_FOUND, "holds none");
}

static void newer(struct store_super *s)
{
    s->version = STORE_VERSION + 1;
}

static void a_newer_version_is_refused(void **state)
{
    (void)state;
    change_supers(newer);
    refused(ERR_UNSUPPORTED, "version 2");
}

static void of_another(struct store_super *s)
{
    s->deployment = WORLD_DEPLOYMENT + 1;
}

static void another_deployment_is_refused(void **state)
{
    (void)state;
    change_supers(of_another);
    refused(ERR_DENIED, "another deployment");
}

static void too_few_places_are_refused(void **state)
{
    (void)state;
    world.deployed = VMS + 1;
    refused(ERR_RANGE, "100 VMs");
}

static void a_device_that_is_far_too_short_is_refused(void **state)
{
    (void)state;
    fake_block_truncate(&world.disk, 16 + 5 * SEGMENT_SECTORS);
    refused(ERR_RANGE, "cut off");
}

static void a_device_that_does_not_answer_is_refused(void **state)
{
    (void)state;
    world.disk.silent = true;
    assert_int_equal(world_mount(), ERR_IO);
    assert_false(store_is_open());
    assert_non_null(strstr(said, "does not answer"));
}

static void a_device_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    fake_block_fail(&world.disk, (struct fake_fault){BLOCK_READ, 0, 9, 0, 2, false});
    refused(ERR_IO, "damaged");
}

static unsigned lie;

/* Numbers that fit nothing, each by itself. */
static void lying(struct store_super *s)
{
    switch (lie) {
    case 0:
        s->segment_sectors = 1024;
        break;
    case 1:
        s->segment_sectors = 3000;
        break;
    case 2:
        s->segment_sectors = 262144;
        break;
    case 3:
        s->segments = 7;
        break;
    case 4:
        s->segments = UINT32_MAX;
        break;
    case 5:
        s->vms = 0;
        break;
    case 6:
        s->vms = UINT32_MAX;
        break;
    case 7:
        s->checkpoint_sectors = 1;
        break;
    case 8:
        s->checkpoint[0] = 8;
        break;
    case 9:
        s->checkpoint[0] = UINT64_MAX;
        break;
    case 10:
        s->checkpoint[1] = s->checkpoint[0];
        break;
    case 11:
        s->first_segment = s->checkpoint[1];
        break;
    case 12:
        s->first_segment = UINT64_MAX;
        break;
    case 13:
        s->sectors = UINT64_MAX;
        break;
    case 14:
        s->sectors = s->first_segment;
        break;
    default:
        s->segments++;
        break;
    }
}

static void superblocks_that_lie_are_refused(void **state)
{
    (void)state;
    struct store_super good;
    memcpy(&good, world.disk.now, sizeof(good));
    for (lie = 0; lie < 16; lie++) {
        change_supers(lying);
        refused(ERR_INVALID, "damaged");
        fake_block_put(&world.disk, STORE_SUPER_SECTOR, &good, sizeof(good));
        fake_block_put(&world.disk, STORE_SUPER_COPY_SECTOR, &good, sizeof(good));
    }
}

static void a_stranger_is_refused(void **state)
{
    (void)state;
    world_boot();
    assert_true(world_must_put(VMS, 3000));
    assert_true(world_settle());
    world.disk.device.writes = 0;
    said[0] = 0;
    world.deployed = VMS / 2;
    assert_int_equal(world_mount(), ERR_DENIED);
    assert_non_null(strstr(said, "holds VM 100"));
    assert_int_equal(world.disk.device.writes, 0);
}

/* --- superblocks -------------------------------------------------------------------------- */

static void one_damaged_superblock_is_survived(void **state)
{
    (void)state;
    static const uint64_t sectors[] = {STORE_SUPER_SECTOR, STORE_SUPER_COPY_SECTOR};
    for (uint64_t boots = 1; boots <= 6; boots++) {
        fake_block_flip(&world.disk, sectors[boots % 2] * 4096 + boots * 100);
        said[0] = 0;
        world_boot();
        assert_int_equal(store_boots(), boots);
        assert_non_null(strstr(said, "damaged"));
    }
    said[0] = 0;
    world_boot();
    assert_null(strstr(said, "damaged"));
    assert_int_equal(store_boots(), 7);
    struct store_super s;
    memcpy(&s, world.disk.durable, sizeof(s));
    assert_int_equal(s.boots, 7);
    assert_int_equal(s.deployment, WORLD_DEPLOYMENT);
}

static void a_read_only_device_is_only_read(void **state)
{
    (void)state;
    world_boot();
    assert_true(world_must_put(1, 3000));
    assert_true(world_settle());
    world.disk.device.read_only = true;
    world_boot();
    assert_true(store_is_open());
    assert_false(store_takes_records());
    assert_int_equal(world_put(2, 3000), ERR_DENIED);
    assert_int_equal(world.slots[1].durable, 1);
    world_check();
}

/* --- records ------------------------------------------------------------------------------ */

static void a_new_store_is_empty(void **state)
{
    (void)state;
    world_boot();
    assert_true(store_is_open());
    assert_true(store_takes_records());
    assert_true(store_settled());
    struct store_counters c = store_get_counters();
    assert_int_equal(c.found_records, 0);
    assert_int_equal(c.live_sectors, 0);
    assert_int_equal(c.segments, SEGMENTS);
    assert_int_equal(c.free_segments, SEGMENTS - 2);
    assert_int_equal(c.scanned_segments, 0);
}

static void a_record_is_believed_after_a_flush(void **state)
{
    (void)state;
    world_boot();
    uint64_t flushes = world.disk.device.flushes, writes = world.disk.device.writes;
    assert_int_equal(world_put(5, 3000), OK);
    assert_true(store_is_pending(5));
    while (!world.slots[5].durable) {
        assert_int_equal(world.slots[5].place.sector, 0);
        assert_int_equal(world.disk.device.flushes, flushes);
        store_work();
    }
    assert_int_equal(world.disk.device.flushes, flushes + 1);
    assert_int_equal(world.disk.device.writes, writes + 1);
    assert_false(store_is_pending(5));
    world_check();
}

static void what_comes_together_is_written_together(void **state)
{
    (void)state;
    world_boot();
    uint64_t writes = world.disk.device.writes;
    for (uint32_t slot = 1; slot <= 50; slot++) {
        assert_int_equal(world_put(slot, 3000), OK);
    }
    assert_true(world_settle());
    assert_int_equal(world.disk.device.writes, writes + 1);
    assert_int_equal(world.told_ok, 50);
    for (uint32_t slot = 51; slot <= 60; slot++) { /* one in flight, the others meanwhile */
        assert_int_equal(world_put(slot, 3000), OK);
        store_work();
    }
    assert_true(world_settle());
    assert_in_range(world.disk.device.writes, writes + 3, writes + 6);
    world_check();
    world_boot();
    assert_int_equal(store_get_counters().found_records, 60);
}

static void a_full_batch_is_busy(void **state)
{
    (void)state;
    world_boot();
    uint64_t changed = world.changed;
    assert_int_equal(world_put(1, 600000), OK);
    assert_int_equal(world_put(2, 600000), ERR_BUSY);
    store_work();
    assert_true(world.changed > changed);
    assert_int_equal(world_put(2, 600000), OK);
    assert_true(world_settle());
    world_check();
}

static void a_batch_has_so_many_entries(void **state)
{
    (void)state;
    world_boot();
    for (uint32_t slot = 1; slot <= VMS; slot++) {
        assert_int_equal(world_put(slot, 100), OK);
    }
    uint32_t more = STORE_BATCH_ENTRIES - VMS;
    for (uint32_t slot = 1; slot <= more; slot++) {
        store_mark(slot, STORE_DEAD);
        world.slots[slot].pending = 0;
    }
    assert_true(store_drain_marks());
    void *room;
    assert_int_equal(store_reserve(1, 100, &room), ERR_BUSY);
    assert_true(world_settle());
}

static void reserves_are_refused_by_size(void **state)
{
    (void)state;
    void *room;
    world_boot();
    assert_int_equal(store_reserve(1, STORE_RECORD_SECTORS_MAX * 512 + 1, &room), ERR_RANGE);
    assert_int_equal(store_reserve(1, UINT32_MAX, &room), ERR_RANGE);
    assert_int_equal(store_reserve(1, STORE_RECORD_SECTORS_MAX * 512, &room), OK);
    assert_true(IS_ALIGNED((uintptr_t)room, 8u));
}

/* A batch ends in zeroes, not in what an earlier batch had there. */
static void nothing_of_an_earlier_batch_is_left(void **state)
{
    (void)state;
    world_boot();
    for (unsigned round = 0; round < 6; round++) {
        assert_true(world_must_put(1, round % 2 ? 2048 : 500000));
        assert_true(world_settle());
    }
    uint32_t end_sector = world.slots[1].place.sector + world.slots[1].place.sectors;
    for (uint32_t s = end_sector; (s - store.super.first_segment) % 8; s++) {
        for (unsigned i = 0; i < STORE_SECTOR_BYTES; i++) {
            assert_int_equal(world.disk.now[s * 512ull + i], 0);
        }
    }
    assert_int_not_equal((end_sector - store.super.first_segment) % 8, 0);
}

static bool came;
static enum err came_with;

static void read_done(struct store_io *io, enum err e)
{
    (void)io;
    came = true;
    came_with = e;
}

static enum err read_now(uint32_t sector, uint32_t sectors, pa_t to)
{
    static struct store_io io;
    came = false;
    store_read(&io, sector, sectors, to, read_done);
    assert_false(came);
    for (unsigned i = 0; i < 1000 && !came; i++) {
        store_work();
    }
    assert_true(came);
    return came_with;
}

static void a_record_is_read(void **state)
{
    (void)state;
    pa_t to;
    world_boot();
    assert_true(world_must_put(7, 20000));
    assert_true(world_settle());
    struct store_place p = world.slots[7].place;
    assert_int_equal(frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, 4, &to), OK);
    assert_int_equal(read_now(p.sector, p.sectors, to), OK);
    assert_memory_equal(arch_ptr(to), world.disk.durable + p.sector * 512ull, p.sectors * 512u);
    fake_block_fail(&world.disk,
                    (struct fake_fault){BLOCK_READ, p.sector, p.sector + 1, 0, 1, false});
    assert_int_equal(read_now(p.sector, p.sectors, to), ERR_IO);
    assert_int_equal(store_get_counters().read_errors, 1);
    assert_int_equal(read_now((uint32_t)world.disk.device.sectors, 1, to), ERR_RANGE);
}

static void a_busy_device_is_waited_for(void **state)
{
    (void)state;
    static struct store_io io[20];
    pa_t to;
    world_boot();
    world.disk.limit = 3;
    assert_int_equal(frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, 4, &to), OK);
    for (unsigned i = 0; i < ARRAY_SIZE(io); i++) {
        store_read(&io[i], i, 1, PA(to.v + i * 512), read_done);
    }
    assert_true(world_must_put(1, 3000));
    assert_true(world_settle());
    while (store_work()) {
    }
    assert_int_equal(world.disk.device.in_flight_most, 3);
    assert_memory_equal(arch_ptr(to), world.disk.now, ARRAY_SIZE(io) * 512);
}

/* --- marks -------------------------------------------------------------------------------- */

static void a_mark_stays(void **state)
{
    (void)state;
    static const uint32_t markers[] = {STORE_NOTHING, STORE_DEAD, STORE_EXISTS};
    world_boot();
    for (uint32_t i = 0; i < ARRAY_SIZE(markers); i++) {
        assert_true(world_must_put(i + 1, 3000));
    }
    assert_true(world_settle());
    for (uint32_t i = 0; i < ARRAY_SIZE(markers); i++) {
        world_mark(i + 1, markers[i]);
    }
    assert_true(world_settle());
    assert_int_equal(store_get_counters().live_sectors, 0);
    world_cut();
    world_boot();
    for (uint32_t i = 0; i < ARRAY_SIZE(markers); i++) {
        assert_int_equal(world.slots[i + 1].place.sector, markers[i]);
    }
}

static void the_last_mark_counts(void **state)
{
    (void)state;
    world_boot();
    assert_true(world_must_put(1, 3000));
    assert_true(world_settle());
    world_mark(1, STORE_EXISTS);
    world_mark(2, STORE_DEAD);
    world_mark(1, STORE_DEAD);
    world_mark(2, STORE_NOTHING);
    assert_true(world_settle());
    world_boot();
    assert_int_equal(world.slots[1].place.sector, STORE_DEAD);
    assert_int_equal(world.slots[2].place.sector, STORE_NOTHING);
}

/* A mark comes after what was on its way, and before what is written next. */
static void marks_and_records_keep_their_order(void **state)
{
    (void)state;
    world_boot();
    assert_int_equal(world_put(1, 3000), OK);
    assert_int_equal(world_put(2, 3000), OK);
    world_mark(1, STORE_DEAD);
    world_mark(2, STORE_EXISTS);
    assert_int_equal(world_put(2, 5000), OK);
    assert_true(world_settle());
    assert_int_equal(world.told_ok, 1);
    assert_int_equal(world.slots[1].place.sector, STORE_DEAD);
    assert_int_equal(world.slots[2].durable, 3);
    world_check();
    world_boot();
    assert_int_equal(world.slots[1].place.sector, STORE_DEAD);
    assert_int_equal(world.slots[2].durable, 3);
}

static void too_many_marks_make_a_checkpoint(void **state)
{
    (void)state;
    world_boot();
    for (uint32_t slot = 1; slot <= VMS; slot++) {
        assert_true(world_must_put(slot, 3000));
    }
    assert_true(world_settle());
    uint64_t before = store_get_counters().checkpoints;
    for (unsigned round = 0; round < 7; round++) {
        for (uint32_t slot = 1; slot <= VMS; slot++) {
            world_mark(slot, round == 6 ? STORE_DEAD : STORE_EXISTS);
        }
    }
    assert_true(world_settle());
    assert_true(store_get_counters().checkpoints > before);
    world_cut();
    world_boot();
    for (uint32_t slot = 1; slot <= VMS; slot++) {
        assert_int_equal(world.slots[slot].place.sector, STORE_DEAD);
    }
}

/* --- checkpoints -------------------------------------------------------------------------- */

static void a_checkpoint_shortens_the_boot(void **state)
{
    (void)state;
    world_boot();
    for (uint32_t slot = 1; slot <= VMS; slot++) {
        assert_true(world_must_put(slot, 3000));
    }
    assert_true(world_must_put(store_template_slot(3), 30000));
    assert_true(world_settle());
    store_checkpoint(true);
    assert_false(store_settled());
    assert_true(world_settle());
    world_cut();
    world_boot();
    assert_int_equal(store_get_counters().replayed_batches, 0);
    assert_int_equal(store_get_counters().found_records, VMS + 1);
    assert_int_equal(store_last_ticks_ns(), world.version);
    world_check();
}

static const struct store_checkpoint *newest_checkpoint(void)
{
    const struct store_checkpoint *h[2];
    for (unsigned i = 0; i < 2; i++) {
        h[i] = (const void *)(world.disk.durable + store.super.checkpoint[i] * 512);
    }
    return h[0]->sequence > h[1]->sequence ? h[0] : h[1];
}

/* "Nothing is resident" is said of that checkpoint alone, and survives other requests. */
static void clean_is_said_once(void **state)
{
    (void)state;
    world_boot();
    store_checkpoint(true);
    index_request(false);
    assert_true(world_settle());
    assert_int_equal(newest_checkpoint()->clean, 1);
    assert_true(world_must_put(1, 3000));
    store.log_sectors = UINT32_MAX; /* it is time for one */
    assert_true(world_settle());
    assert_int_equal(newest_checkpoint()->sequence, 4);
    assert_int_equal(newest_checkpoint()->clean, 0);
}

/* --- room --------------------------------------------------------------------------------- */

static void a_store_fills_up_and_says_so(void **state)
{
    (void)state;
    world_boot();
    uint32_t slot = 1;
    while (world_must_put(slot, 100000)) {
        slot++;
        assert_true(slot <= VMS);
    }
    assert_int_equal(world_put(slot, 100000), ERR_NO_MEMORY);
    assert_true(world_settle());
    struct store_counters c = store_get_counters();
    uint64_t most = (SEGMENTS - SEGMENTS_RESERVED - 2) * SEGMENT_SECTORS / 4 * 3;
    assert_in_range(c.live_sectors, most - 200, most);
    assert_true(c.refused_full > 0);
    world_check();
    for (uint32_t i = 1; i < slot; i += 2) {
        world_mark(i, STORE_DEAD);
    }
    for (uint32_t i = 1; i < slot; i += 2) {
        assert_true(world_must_put(i, 99000));
    }
    assert_true(world_settle());
    world_check();
    world_boot();
    world_check();
}

/* The log goes round its segments many times, and stops where it is between boots. */
static void the_log_goes_round(void **state)
{
    (void)state;
    uint64_t checkpoints = 0, batches = 0;
    for (unsigned boot = 0; boot < 10; boot++) {
        world_boot();
        world_check();
        for (unsigned i = 0; i < 60; i++) {
            assert_true(world_must_put(1 + world_random(40), 2048 + world_random(60000)));
        }
        assert_true(world_settle());
        world_check();
        checkpoints += store_get_counters().checkpoints;
        batches += store_get_counters().batch_sectors;
    }
    assert_true(batches > SEGMENTS * SEGMENT_SECTORS);
    assert_true(checkpoints > 0);
}

/* When nothing is asked for, nothing is written. */
static void a_store_at_rest_rests(void **state)
{
    (void)state;
    the_log_goes_round(state);
    uint64_t done = world.disk.done;
    world_work(1000);
    assert_int_equal(world.disk.done, done);
    assert_false(store_work());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_device_holds_none),
        TEST(a_newer_version_is_refused),
        TEST(another_deployment_is_refused),
        TEST(too_few_places_are_refused),
        TEST(a_device_that_is_far_too_short_is_refused),
        TEST(a_device_that_does_not_answer_is_refused),
        TEST(a_device_that_cannot_be_read_is_refused),
        TEST(superblocks_that_lie_are_refused),
        TEST(a_stranger_is_refused),
        TEST(one_damaged_superblock_is_survived),
        TEST(a_read_only_device_is_only_read),
        TEST(a_new_store_is_empty),
        TEST(a_record_is_believed_after_a_flush),
        TEST(what_comes_together_is_written_together),
        TEST(a_full_batch_is_busy),
        TEST(a_batch_has_so_many_entries),
        TEST(reserves_are_refused_by_size),
        TEST(nothing_of_an_earlier_batch_is_left),
        TEST(a_record_is_read),
        TEST(a_busy_device_is_waited_for),
        TEST(a_mark_stays),
        TEST(the_last_mark_counts),
        TEST(marks_and_records_keep_their_order),
        TEST(too_many_marks_make_a_checkpoint),
        TEST(a_checkpoint_shortens_the_boot),
        TEST(clean_is_said_once),
        TEST(a_store_fills_up_and_says_so),
        TEST(the_log_goes_round),
        TEST(a_store_at_rest_rests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
