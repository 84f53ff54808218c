/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A store with its device and its owner.
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
#include "mm/record.h"
#include "tests/unit/store_world.h"

#define RAM MIB(12)
#define PATIENCE 100000u

struct world world;

uint32_t world_random(uint32_t below)
{
    return fake_random(&world.disk, below);
}

/* --- the owner ---------------------------------------------------------------------------- */

static uint64_t deadline_of(uint32_t slot, uint64_t version)
{
    return version * 1000000 + slot;
}

static struct store_place *owner_place(uint32_t slot)
{
    assert_true(slot > 0 && slot <= world.vms + STORE_TEMPLATES_MAX);
    return &world.slots[slot].place;
}

static void owner_found(uint32_t slot, const struct store_place *p, uint64_t deadline_ns)
{
    *owner_place(slot) = *p;
    world.slots[slot].deadline_ns = deadline_ns;
}

static uint64_t owner_describe(uint32_t slot, struct store_place *p)
{
    assert_memory_equal(p, owner_place(slot), sizeof(*p));
    return world.slots[slot].deadline_ns;
}

static void owner_written(uint32_t slot, enum err e)
{
    struct world_slot *s = &world.slots[slot];
    assert_true(s->pending != 0);
    if (e == OK) {
        s->durable = s->pending;
        s->markers = 0;
        s->deadline_ns = deadline_of(slot, s->durable);
        world.told_ok++;
    } else {
        world.told_error++;
    }
    s->pending = 0;
}

static void owner_changed(void)
{
    world.changed++;
}

static uint64_t owner_time(void)
{
    return world.version;
}

static const struct store_ops ops = {.place = owner_place,
                                     .found = owner_found,
                                     .describe = owner_describe,
                                     .written = owner_written,
                                     .changed = owner_changed,
                                     .wall_ns = owner_time,
                                     .ticks_ns = owner_time};

/* --- records ------------------------------------------------------------------------------ */

#define PAGE_BYTES 2048u
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))
#define PAGES_MAX 500u

static uint64_t pattern(uint32_t slot, uint64_t version, uint64_t word)
{
    return (version << 40 | (uint64_t)slot << 20 | word) * 0x9E3779B97F4A7C15ull;
}

/* Fills `r`, of whose `sectors` sectors a part is the table of pages. */
static void make_record(struct store_record *r, uint32_t slot, uint64_t version, uint32_t bytes)
{
    uint32_t pages = MAX(bytes / PAGE_BYTES, 1u);
    uint32_t head = (uint32_t)(sizeof(*r) + pages * sizeof(struct store_page));
    memset(r, 0, head);
    store_stamp(r);
    r->slot = slot;
    r->generation = version;
    r->deadline_ns = deadline_of(slot, version);
    r->head_bytes = head;
    r->pages = (uint16_t)pages;
    r->hot_pages = 1;
    r->hot_bytes = head + PAGE_BYTES;
    r->sectors = (uint32_t)ALIGN_UP(head + pages * PAGE_BYTES, STORE_SECTOR_BYTES) / 512u;
    uint8_t *at = (uint8_t *)r + head;
    for (uint32_t i = 0; i < pages; i++, at += PAGE_BYTES) {
        for (uint32_t j = 0; j < PAGE_WORDS; j++) {
            ((uint64_t *)(void *)at)[j] = pattern(slot, version, i * PAGE_WORDS + j);
        }
        ((struct store_page *)(void *)(r + 1))[i] = (struct store_page){
            .number = (uint16_t)i,
            .code = STORE_PAGE_CODE(STORE_DELTA, PAGE_BYTES),
            .crc = checksum(0, at, PAGE_BYTES),
        };
    }
    memset(at, 0, (size_t)((uint8_t *)r + r->sectors * STORE_SECTOR_BYTES - at));
    r->crc = 0;
    r->crc = checksum(0, r, head);
}

static bool content_is_right(const struct store_record *r)
{
    const uint64_t *data = (const void *)((const uint8_t *)r + r->head_bytes);
    for (size_t i = 0; i < r->pages * PAGE_WORDS; i++) {
        if (data[i] != pattern(r->slot, r->generation, i)) {
            return false;
        }
    }
    return true;
}

/* The record of a slot at a place of the disk as it is now, or NULL. */
static const struct store_record *record_at(uint32_t slot, const struct store_place *p)
{
    if ((uint64_t)p->sector + p->sectors > world.disk.device.sectors) {
        return NULL;
    }
    const struct store_record *r =
        (const void *)(world.disk.durable + (uint64_t)p->sector * STORE_SECTOR_BYTES);
    return r->magic == STORE_RECORD_MAGIC && r->slot == slot ? r : NULL;
}

uint64_t world_version_at(uint32_t slot, const struct store_place *p)
{
    const struct store_record *r = record_at(slot, p);
    if (!r || !record_is_whole(r, p->sectors * STORE_SECTOR_BYTES, slot, store.super.uuid)) {
        return 0;
    }
    struct store_place said = record_place(r);
    assert_true(content_is_right(r));
    assert_int_equal(said.sectors, p->sectors);
    assert_int_equal(said.hot, p->hot);
    assert_int_equal(said.frames, p->frames);
    return r->generation;
}

/* --- what the owner does ------------------------------------------------------------------ */

enum err world_put(uint32_t slot, uint32_t bytes)
{
    uint32_t pages = MAX(bytes / PAGE_BYTES, 1u);
    uint32_t room = (uint32_t)sizeof(struct store_record) + pages * (PAGE_BYTES + 8);
    void *r;
    assert_true(world.slots[slot].pending == 0 && pages <= PAGES_MAX);
    enum err e = store_reserve(slot, room, &r);
    if (e != OK) {
        return e;
    }
    struct world_slot *s = &world.slots[slot];
    s->pending = s->newest = ++world.version;
    make_record(r, slot, s->pending, bytes);
    struct store_place p = record_place(r);
    store_commit(slot, slot > store.super.vms ? STORE_KIND_TEMPLATE : STORE_KIND_RECORD, &p,
                 deadline_of(slot, s->pending));
    world.committed++;
    return OK;
}

bool world_must_put(uint32_t slot, uint32_t bytes)
{
    for (unsigned i = 0; i < PATIENCE && !world.disk.dead; i++) {
        enum err e = world.slots[slot].pending ? ERR_BUSY : world_put(slot, bytes);
        if (e != ERR_BUSY) {
            return e == OK;
        }
        store_work();
    }
    return false;
}

void world_mark(uint32_t slot, uint32_t marker)
{
    struct world_slot *s = &world.slots[slot];
    world.voided += s->pending != 0;
    s->pending = 0;
    s->markers |= 1u << marker;
    store_mark(slot, marker);
    assert_int_equal(s->place.sector, marker);
}

void world_work(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        store_work();
    }
}

/* A slot has what its place says, and nothing older will be found. */
static void settle(struct world_slot *s)
{
    if (s->place.sector < STORE_MARKERS) {
        s->markers = 1u << s->place.sector;
        s->durable = s->newest;
    }
}

static void settle_marks(void)
{
    for (uint32_t slot = 1; slot <= world.vms && !store.read_only; slot++) {
        settle(&world.slots[slot]);
    }
}

bool world_settle(void)
{
    for (unsigned i = 0; i < PATIENCE && !world.disk.dead; i++) {
        store_work();
        if (store_settled()) {
            settle_marks();
            return true;
        }
    }
    return false;
}

/* --- what must hold ----------------------------------------------------------------------- */

static void check_slot(uint32_t slot, uint64_t *live)
{
    const struct world_slot *s = &world.slots[slot];
    if (s->place.sector < STORE_MARKERS) {
        assert_true(s->markers & 1u << s->place.sector);
        return;
    }
    uint32_t segment = store_segment_of(s->place.sector);
    assert_int_not_equal(segment, NO_SEGMENT);
    assert_false(store_segment_is_free(segment));
    live[segment] += s->place.sectors;
    const struct store_record *r = record_at(slot, &s->place);
    assert_non_null(r);
    assert_int_equal(r->generation, s->durable);
    assert_true(content_is_right(r));
}

void world_check(void)
{
    uint64_t *live = calloc(store.segments, sizeof(*live)), sum = 0;
    assert_non_null(live);
    for (uint32_t slot = 1; slot <= world.vms + STORE_TEMPLATES_MAX; slot++) {
        check_slot(slot, live);
    }
    for (uint32_t i = 0; i < store.segments; i++) {
        sum += live[i];
        assert_true(live[i] <= store.segment_table[i].live);
    }
    assert_int_equal(sum, store.live_sectors);
    free(live);
}

/* --- boots -------------------------------------------------------------------------------- */

void world_create(uint32_t vms, uint32_t segments, uint32_t segment_sectors, uint64_t seed)
{
    uint64_t index = ALIGN_UP(store_checkpoint_sectors(vms), 8ull);
    assert_true(vms <= WORLD_VMS_MAX);
    memset(&world, 0, sizeof(world));
    world.vms = world.deployed = vms;
    for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
        world.slots[slot].markers = 1u << STORE_NOTHING;
    }
    fake_block_init(&world.disk, 16 + 2 * index + (uint64_t)segments * segment_sectors, seed);
    fake_store_create(&world.disk, vms, segment_sectors);
}

void world_free(void)
{
    fake_block_free(&world.disk);
}

enum err world_mount(void)
{
    struct frame_range ram = {PA(HOST_RAM_BASE), RAM};
    host_memory_init(RAM);
    host_cpu_set(0);
    assert_int_equal(frame_init(&ram, 1, NULL, 0), OK);
    for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
        world.slots[slot].place = (struct store_place){0};
        world.slots[slot].deadline_ns = 0;
    }
    return store_mount(&world.disk.device, &ops, world.deployed, WORLD_DEPLOYMENT);
}

/* What was found of a slot is what it will be from now on. */
static void check_found(uint32_t slot)
{
    struct world_slot *s = &world.slots[slot];
    bool record = s->place.sector >= STORE_MARKERS;
    uint64_t version = record ? world_version_at(slot, &s->place) : 0;
    bool right = record ? version && version >= s->durable && version <= s->newest
                        : s->markers & 1u << s->place.sector;
    if (!right) {
        world.found_damaged++;
        if (!world.forgiving) {
            fail_msg("slot %u: found sector %u with version %llu, not %llu to %llu", slot,
                     s->place.sector, (unsigned long long)version, (unsigned long long)s->durable,
                     (unsigned long long)s->newest);
        }
    } else if (record) {
        assert_int_equal(s->deadline_ns, deadline_of(slot, version));
        s->durable = s->newest = version;
        s->markers = 0;
    }
    settle(s);
    s->pending = 0;
}

void world_adopt(void)
{
    world.found_damaged = 0;
    for (uint32_t slot = 1; slot <= world.vms + STORE_TEMPLATES_MAX; slot++) {
        check_found(slot);
    }
}

void world_boot(void)
{
    assert_int_equal(world_mount(), OK);
    world_adopt();
}

void world_cut(void)
{
    fake_block_cut(&world.disk);
}
