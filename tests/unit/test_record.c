/* SPDX-License-Identifier: BSD-2-Clause */
// sources: mm/record.c mm/record_read.c mm/codec.c mm/frame_init.c mm/buddy.c
// sources: mm/space.c mm/space_fault.c mm/table.c mm/guest.c mm/frame.c arch/host/memory.c
// sources: arch/host/stage2.c arch/host/cpu.c arch/host/checksum.c core/base/crc32c.c
// sources: core/base/log.c core/base/fmt.c
/*
 * Spaces into records and back: the same memory, nothing but what is the VM's own, and no trust in
 * what a record says.
 */
#include "tests/unit/space_check.h"

#include <stdlib.h>

#include "core/base/log.h"
#include "mm/record.h"

#define OWNER 5
#define TEMPLATE FRAME_OWNER_TEMPLATE
#define ROOM MIB(1)

/* Pages: 1 system, 3-4 text, 5 rodata, 6-1023 zero memory, guard, 1025-1099 stack. */
static struct layout layout = {
    .pages = 1100,
    .count = 5,
    .regions = {{1, 2, PERM_W}, {3, 5, PERM_X}, {5, 6, 0}, {6, 1024, PERM_W}, {1025, 1100, PERM_W}},
};

static const uint8_t uuid[16] = "sixteen letters";
static struct space image, vm, back;
static struct store_record *record, *other; /* ROOM bytes, exactly */

static void adds_up(void)
{
    census_start();
    const struct space *all[] = {&image, &vm, &back};
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        census_add(all[i], all[i]->owner >= TEMPLATE);
    }
    census_end();
}

static void write64(struct space *s, uint64_t page, uint64_t at, uint64_t v)
{
    assert_int_equal(guest_write(s, IPA((page << PAGE_SHIFT) + at), &v, sizeof(v)), OK);
}

static void load(void)
{
    for (uint32_t page = 3; page < 6; page++) {
        pa_t pa;
        assert_int_equal(frame_alloc(FRAME_PRIVATE, image.owner, &pa), OK);
        memset(arch_ptr(pa), (int)page, PAGE_SIZE);
        assert_int_equal(space_map(&image, page, pa, page < 5 ? PERM_X : 0), OK);
    }
    for (uint32_t page = 6; page < 20; page++) {
        write64(&image, page, 0, page);
        write64(&image, page, 4088, page);
    }
    write64(&image, 1, 0, 1);
    write64(&image, 1050, 8, 1050);
    space_freeze(&image, TEMPLATE);
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
    load();
    space_clone(&vm, &image, OWNER + 1);
    space_clone(&back, &image, OWNER + 2);
    record = malloc(ROOM);
    other = malloc(ROOM);
    assert_non_null(record);
    assert_non_null(other);
    memset(record, 0xEE, ROOM);
    return 0;
}

static int leaves_nothing(void **state)
{
    (void)state;
    adds_up();
    space_destroy(&vm);
    space_destroy(&back);
    space_destroy(&image);
    adds_up();
    assert_int_equal(frame_count(FRAME_PRIVATE) + frame_count(FRAME_SHARED), 0);
    assert_int_equal(frame_count(FRAME_STAGE2), 0);
    free(record);
    free(other);
    return 0;
}

static size_t record_bytes(void)
{
    return record->sectors * (size_t)STORE_SECTOR_BYTES;
}

/* As the store and the owner fill it in. */
static void fill_head(uint32_t flags)
{
    memset(record, 0, sizeof(*record));
    record->magic = STORE_RECORD_MAGIC;
    record->version = STORE_VERSION;
    memcpy(record->uuid, uuid, sizeof(uuid));
    record->slot = 7;
    record->flags = flags;
    if (flags & STORE_RECORD_EXTRA) {
        memset(record_extra(record), 0x5A, sizeof(struct store_extra));
    }
}

static void write_of(const struct space *s, const struct space *template)
{
    fill_head(0);
    assert_int_equal(record_write(s, template, 1, record, ROOM), OK);
    assert_true(record_head_is_sound(record, record_bytes(), uuid));
    assert_true(record_is_whole(record, record_bytes(), 7, uuid));
    assert_true(record_bytes() <= record_bytes_max(s, template, false));
    assert_int_equal(record->hot_bytes <= record_bytes(), true);
}

static void write(void)
{
    write_of(&vm, &image);
}

static void write_again_as(const struct space *s)
{
    memset(record, 0xEE, ROOM);
    write_of(s, &image);
}

/* Every page that may be read is the same in both, without a fault that changes anything. */
static void same_memory(const struct space *a, const struct space *b)
{
    static const uint8_t zeroes[PAGE_SIZE];
    for (uint32_t page = 0; page < layout.pages; page++) {
        const struct space *both[] = {a, b};
        const void *at[2];
        for (unsigned i = 0; i < 2; i++) {
            pte_t root = both[i]->root[ROOT_INDEX(page)];
            pte_t pte = root_is_table(root) ? root_table(root)[TABLE_INDEX(page)] : 0;
            assert_false(pte_is_stored(pte));
            at[i] = pte ? arch_ptr(pte_pa(pte)) : zeroes;
        }
        assert_memory_equal(at[0], at[1], PAGE_SIZE);
    }
}

static pte_t entry_of(const struct space *s, uint32_t page)
{
    pte_t root = s->root[ROOT_INDEX(page)];
    return root_is_table(root) ? root_table(root)[TABLE_INDEX(page)] : 0;
}

/* A life with all kinds of pages. */
static void live(void)
{
    uint64_t freed;
    write64(&vm, 1, 16, 77);                                                   /* system page */
    write64(&vm, 6, 8, 1);                                                     /* a word */
    write64(&vm, 7, 0, 7);                                                     /* as it was */
    write64(&vm, 300, 0, 0);                                                   /* zeroes */
    write64(&vm, 301, 8, 301);                                                 /* new */
    assert_int_equal(space_release(&vm, IPA(9 << PAGE_SHIFT), 2, &freed), OK); /* holes */
    write64(&vm, 10, 0, 99);                                                   /* new over a hole */
    for (uint64_t at = 0; at < PAGE_SIZE; at += 8) {
        write64(&vm, 302, at, at * 0x9E3779B97F4A7C15ull * (at + 1)); /* nothing to gain */
        write64(&vm, 1051, at, at / 64);                              /* LZ4 */
    }
    write64(&vm, 1099, 0, 1099);
}

static void restore(bool only_first)
{
    enum err e = record_read(&back, &image, record, record_bytes(), only_first);
    assert_int_equal(e, OK);
}

static void comes_back_the_same(void **state)
{
    (void)state;
    live();
    write();
    restore(false);
    same_memory(&vm, &back);
    assert_int_equal(back.stored_pages, 0);
    assert_int_equal(back.shared_pages, image.shared_pages - 4); /* 1, 6, 9, 10 */
    write64(&back, 301, 16, 5);
    write64(&vm, 301, 16, 5);
    same_memory(&vm, &back);
}

static void what_is_as_in_the_template_is_not_written(void **state)
{
    (void)state;
    write();
    assert_int_equal(record->pages, 0);
    assert_int_equal(record->sectors, 2);
    write64(&vm, 7, 0, 7);
    write64(&vm, 300, 0, 0);
    write();
    assert_int_equal(record->pages, 0);
    write64(&vm, 1, 0, 2);
    write();
    assert_int_equal(record->pages, 1);
    assert_int_equal(record->sectors, 2);
}

static bool is_in_table(uint32_t page, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        if (record_table(record)[i].number == page) {
            return true;
        }
    }
    return false;
}

static void touched_pages_are_first(void **state)
{
    (void)state;
    live();
    write();
    assert_int_equal(record_table(record)[0].number, 1);
    assert_int_equal(record->hot_pages + 1, record->pages); /* all but the hole */
    restore(false);
    assert_false(entry_of(&back, 301) & PTE_AF);
    uint64_t v;
    assert_int_equal(guest_read(&back, IPA(302 << PAGE_SHIFT), &v, sizeof(v)), OK);
    write64(&back, 6, 8, 2);
    assert_int_equal(space_fault(&back, IPA(1099 << PAGE_SHIFT), ACCESS_READ), OK);
    assert_true(entry_of(&back, 302) & PTE_AF);
    write_again_as(&back);
    assert_int_equal(record->hot_pages, 4);
    assert_int_equal(record_table(record)[0].number, 1);
    static const uint32_t hot[] = {6, 302, 1099}, cold[] = {301, 1051, 9, 10};
    for (unsigned i = 0; i < ARRAY_SIZE(hot); i++) {
        assert_true(is_in_table(hot[i], 0, record->hot_pages));
    }
    for (unsigned i = 0; i < ARRAY_SIZE(cold); i++) {
        assert_true(is_in_table(cold[i], record->hot_pages, record->pages));
    }
    struct store_place p = record_place(record);
    assert_true(store_size(p.hot) * 512 >= record->hot_bytes);
    assert_int_equal(p.sectors, record->sectors);
}

/* Only what is hot was read; the rest comes in pieces. */
static void cold_pages_come_when_they_are_needed(void **state)
{
    (void)state;
    live();
    write();
    restore(false);
    write64(&back, 6, 8, 1);
    write_again_as(&back);
    space_destroy(&back);
    space_clone(&back, &image, OWNER + 2);
    size_t hot = ALIGN_UP(record->hot_bytes, STORE_SECTOR_BYTES);
    assert_true(hot < record_bytes());
    struct store_record *part = malloc(hot); /* the sanitizer sees what is read beyond */
    memcpy(part, record, hot);
    assert_int_equal(record_read(&back, &image, part, hot, false), OK);
    free(part);
    assert_int_equal(back.stored_pages, 5);
    assert_int_equal(back.private_pages, 2);
    adds_up();
    static const uint32_t pages[] = {1051, 301, 10, 302, 1099};
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        uint32_t offset, bytes;
        ipa_t ipa = IPA((uint64_t)pages[i] << PAGE_SHIFT);
        assert_int_equal(space_fault(&back, ipa, ACCESS_WRITE), ERR_AWAY);
        assert_int_equal(back.away_page, pages[i]);
        memset(other, 0, sizeof(*other));
        assert_int_equal(record_write(&back, &image, 1, other, ROOM), ERR_AWAY);
        assert_int_equal(record_write(&back, &image, pages[i], other, ROOM), ERR_AWAY);
        record_locate(&back, pages[i], &offset, &bytes);
        uint8_t *data = malloc(bytes);
        memcpy(data, (uint8_t *)record + offset, bytes);
        assert_int_equal(record_fetch(&back, &image, data, offset, bytes, pages[i], false), OK);
        free(data);
        assert_int_equal(back.stored_pages, 4 - i);
        assert_int_equal(space_fault(&back, ipa, ACCESS_WRITE), OK);
        adds_up();
    }
    same_memory(&vm, &back);
}

static void one_read_brings_what_it_has(void **state)
{
    (void)state;
    live();
    write();
    restore(true);
    assert_int_equal(back.private_pages, 1);
    assert_int_equal(back.stored_pages, 6);
    adds_up();
    uint32_t offset, bytes;
    record_locate(&back, 302, &offset, &bytes);
    const uint8_t *data = (const uint8_t *)record;
    assert_int_equal(record_fetch(&back, &image, data + offset, offset, bytes, 302, true), OK);
    assert_int_equal(back.stored_pages, 5);
    assert_true(entry_of(&back, 302) & PTE_AF);
    /* one byte short of a page on either side */
    record_locate(&back, 301, &offset, &bytes);
    assert_int_equal(
        record_fetch(&back, &image, data + offset + 1, offset + 1, bytes - 1, 301, true), OK);
    assert_int_equal(record_fetch(&back, &image, data + offset, offset, bytes - 1, 301, true), OK);
    assert_int_equal(back.stored_pages, 5);
    uint32_t all = (uint32_t)record_bytes();
    assert_int_equal(record_fetch(&back, &image, record, 0, all, 301, true), OK);
    assert_int_equal(back.stored_pages, 4);
    assert_int_equal(record_fetch(&back, &image, record, 0, all, 6, false), OK);
    assert_int_equal(back.stored_pages, 0);
    assert_true(entry_of(&back, 6) & PTE_AF);
    assert_false(entry_of(&back, 10) & PTE_AF);
    same_memory(&vm, &back);
}

static void what_was_given_back_meanwhile_stays_away(void **state)
{
    (void)state;
    uint64_t freed;
    live();
    write();
    restore(true);
    assert_int_equal(space_release(&back, IPA(300 << PAGE_SHIFT), 10, &freed), OK);
    assert_int_equal(freed, 0);
    assert_int_equal(back.stored_pages, 4);
    adds_up();
    assert_int_equal(record_fetch(&back, &image, record, 0, (uint32_t)record_bytes(), 301, false),
                     OK);
    assert_int_equal(back.stored_pages, 0);
    assert_int_equal(entry_of(&back, 301), 0);
    uint64_t v = 1;
    assert_int_equal(guest_read(&back, IPA((301 << PAGE_SHIFT) + 8), &v, sizeof(v)), OK);
    assert_int_equal(v, 0);
}

/* --- room --------------------------------------------------------------------------------- */

static void no_room_is_too_small_to_notice(void **state)
{
    (void)state;
    write64(&vm, 1, 16, 77);
    write64(&vm, 301, 8, 301);
    for (uint64_t at = 0; at < PAGE_SIZE; at += 8) {
        write64(&vm, 302, at, at * 0x9E3779B97F4A7C15ull * (at + 1));
    }
    uint64_t most = record_bytes_max(&vm, &image, false);
    bool fits = false;
    for (size_t room = sizeof(struct store_record); room <= most; room += 8) {
        struct store_record *r = malloc(room);
        memset(r, 0, sizeof(*r));
        enum err e = record_write(&vm, &image, 1, r, room);
        assert_true(e == OK || (e == ERR_RANGE && !fits));
        fits = e == OK;
        if (fits) {
            assert_true(r->sectors * 512u <= room);
        }
        free(r);
    }
    assert_true(fits);
}

static void nothing_of_before_is_in_a_record(void **state)
{
    (void)state;
    live();
    memset(record, 0xEE, ROOM);
    write();
    memcpy(other, record, ROOM);
    memset(record, 0x11, ROOM);
    write();
    assert_memory_equal(other, record, record_bytes());
    size_t end = record->head_bytes;
    for (uint32_t i = 0; i < record->pages; i++) {
        end += STORE_PAGE_BYTES(record_table(record)[i].code);
    }
    assert_int_not_equal(end % STORE_SECTOR_BYTES, 0);
    for (; end < record_bytes(); end++) {
        assert_int_equal(((uint8_t *)record)[end], 0);
    }
}

static void registers_come_behind_the_head(void **state)
{
    (void)state;
    live();
    fill_head(STORE_RECORD_EXTRA);
    assert_int_equal(record_write(&vm, &image, 1, record, ROOM), OK);
    assert_true(record_is_whole(record, record_bytes(), 7, uuid));
    assert_true(record_bytes() <= record_bytes_max(&vm, &image, true));
    for (size_t i = 0; i < sizeof(struct store_extra); i++) {
        assert_int_equal(((uint8_t *)record_extra(record))[i], 0x5A);
    }
    restore(false);
    same_memory(&vm, &back);
}

static void blocks_are_refused(void **state)
{
    (void)state;
    static struct layout large = {
        .pages = 2048, .count = 1, .large = true, .regions = {{1, 2048, PERM_W}}};
    struct space big;
    space_init(&big, &large, OWNER + 5);
    write64(&big, 1, 0, 1);
    write64(&big, 600, 0, 600);
    assert_true(root_is_block(big.root[1]));
    fill_head(0);
    assert_int_equal(record_write(&big, NULL, 1, record, ROOM), ERR_RANGE);
    space_destroy(&big);
}

/* --- templates ---------------------------------------------------------------------------- */

static void a_template_comes_back(void **state)
{
    (void)state;
    struct space again;
    write_of(&image, NULL);
    assert_int_equal(record->pages, image.shared_pages);
    assert_int_equal(record->hot_pages, record->pages);
    space_init(&again, &layout, OWNER + 4);
    unsigned syncs = host_counts.icache_syncs;
    assert_int_equal(record_read_template(&again, record, record_bytes()), OK);
    assert_int_equal(host_counts.icache_syncs, syncs + 2);
    same_memory(&image, &again);
    assert_int_equal(again.private_pages, image.shared_pages);
    assert_true(entry_of(&again, 3) & PTE_AF && !(entry_of(&again, 3) & (PTE_XN | PTE_S2AP_W)));
    assert_false(entry_of(&again, 5) & PTE_S2AP_W);
    live();
    write();
    space_freeze(&again, TEMPLATE + 1);
    space_destroy(&back);
    space_clone(&back, &again, OWNER + 2);
    assert_int_equal(record_read(&back, &again, record, record_bytes(), false), OK);
    same_memory(&vm, &back);
    space_destroy(&back);
    space_destroy(&again);
}

/* --- what a record may say ---------------------------------------------------------------- */

static void sign(void)
{
    record->crc = 0;
    record->crc = checksum(0, record, record->head_bytes);
}

static struct store_page *table(void)
{
    return (struct store_page *)(void *)(record + 1);
}

static void refused(enum err wanted)
{
    sign();
    assert_int_equal(record_read(&back, &image, record, record_bytes(), false), wanted);
    space_destroy(&back);
    space_clone(&back, &image, OWNER + 2);
}

static void records_that_lie_are_refused(void **state)
{
    (void)state;
    live();
    write();
    memcpy(other, record, ROOM);
    static const uint16_t nowhere[] = {0, 2, 3, 5, 1024, 1100, 8191, 8192, 65535, 6, 301};
    for (unsigned i = 0; i < ARRAY_SIZE(nowhere); i++) {
        memcpy(record, other, ROOM);
        table()[0].number = nowhere[i]; /* text, a gap, beyond, or twice */
        refused(ERR_INVALID);
    }
    static const uint16_t codes[] = {0, 0x0200, 0x01FF, 0x1FFF, 0x1000, 0x2001, 0x4010, 0xF010};
    for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
        memcpy(record, other, ROOM);
        table()[0].code = codes[i];
        refused(ERR_INVALID);
    }
    memcpy(record, other, ROOM);
    table()[0].crc ^= 1;
    refused(ERR_INVALID);
    memcpy(record, other, ROOM);
    ((uint8_t *)record)[record->head_bytes] ^= 1;
    refused(ERR_INVALID);
    memcpy(record, other, ROOM);
    refused(OK);
}

static void damaged_pages_are_found_when_they_come(void **state)
{
    (void)state;
    uint32_t offset, bytes;
    live();
    write();
    restore(true);
    record_locate(&back, 302, &offset, &bytes);
    ((uint8_t *)record)[offset + 5] ^= 0x40;
    uint32_t all = (uint32_t)record_bytes();
    assert_int_equal(record_fetch(&back, &image, record, 0, all, 302, true), ERR_INVALID);
    assert_int_equal(record_fetch(&back, &image, record, 0, all, 301, false), OK);
    adds_up();
    assert_true(pte_is_stored(entry_of(&back, 302)));
}

static void heads_that_lie_are_not_sound(void **state)
{
    (void)state;
    live();
    write();
    uint32_t hot = record->hot_bytes;
    for (size_t n = 0; n < record->head_bytes; n += 8) {
        struct store_record *r = malloc(n + 1);
        memcpy(r, record, n);
        assert_false(record_head_is_sound(r, n, uuid));
        free(r);
    }
    assert_false(record_head_is_sound(record, record_bytes(), (const uint8_t *)"another store id"));
    assert_false(record_is_whole(record, record_bytes(), 8, uuid));
    assert_false(record_is_whole(record, record_bytes() - 512, 7, uuid));
    record->hot_bytes = (uint32_t)record_bytes() + 8;
    sign();
    assert_false(record_head_is_sound(record, ROOM, uuid));
    record->hot_bytes = record->head_bytes - 8;
    sign();
    assert_false(record_head_is_sound(record, ROOM, uuid));
    record->hot_bytes = hot;
    sign();
    assert_true(record_head_is_sound(record, ROOM, uuid));
    record->hot_pages = (uint16_t)(record->pages + 1);
    sign();
    assert_false(record_head_is_sound(record, ROOM, uuid));
}

/* Memory runs out at every allocation. */
static void without_frames(void **state)
{
    (void)state;
    live();
    write();
    pa_t taken[4096];
    unsigned n = 0;
    while (n < ARRAY_SIZE(taken) && frame_alloc(FRAME_EL2, 0, &taken[n]) == OK) {
        n++;
    }
    enum err e = ERR_NO_MEMORY;
    while (e != OK) {
        e = record_read(&back, &image, record, record_bytes(), false);
        assert_true(e == OK || e == ERR_NO_MEMORY);
        adds_up();
        if (e != OK) {
            space_destroy(&back);
            space_clone(&back, &image, OWNER + 2);
            (void)frame_unref(taken[--n]);
        }
    }
    same_memory(&vm, &back);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, leaves_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(comes_back_the_same),
        TEST(what_is_as_in_the_template_is_not_written),
        TEST(touched_pages_are_first),
        TEST(cold_pages_come_when_they_are_needed),
        TEST(one_read_brings_what_it_has),
        TEST(what_was_given_back_meanwhile_stays_away),
        TEST(no_room_is_too_small_to_notice),
        TEST(nothing_of_before_is_in_a_record),
        TEST(registers_come_behind_the_head),
        TEST(blocks_are_refused),
        TEST(a_template_comes_back),
        TEST(records_that_lie_are_refused),
        TEST(damaged_pages_are_found_when_they_come),
        TEST(heads_that_lie_are_not_sound),
        TEST(without_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
