// SPDX-License-Identifier: BSD-2-Clause
// sources: dev/virtual/vring.c tests/unit/fake_space.c arch/host/memory.c
/*
 * The device side of virtqueues, with drivers that behave and drivers that do not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dev/virtual/vring.h"
#include "tests/unit/fake_space.h"

#define SIZE 8
#define PAGES 16
#define DESC 0x1000u
#define AVAIL 0x2000u
#define USED 0x3000u
#define BUFFERS 0x4000u

static struct fake_space fake;
static struct space *space;
static struct vring ring;
static uint16_t avail_idx;

static int setup(void **state)
{
    (void)state;
    fake_space_init(&fake, PAGES);
    space = &fake.space;
    avail_idx = 0;
    assert_int_equal(vring_setup(&ring, space, SIZE, IPA(DESC), IPA(AVAIL), IPA(USED)), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_space_free(&fake);
    return 0;
}

static void put16(uint64_t at, uint16_t v)
{
    fake_write(&fake, at, &v, sizeof(v));
}

static uint16_t used_idx(void)
{
    uint16_t v;
    fake_read(&fake, ring.used.v + 2, &v, sizeof(v));
    return v;
}

static struct virtq_used_elem used_elem(unsigned i)
{
    struct virtq_used_elem e;
    fake_read(&fake, ring.used.v + 4 + 8 * i, &e, sizeof(e));
    return e;
}

static void describe(uint16_t i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
    struct virtq_desc d = {.addr = addr, .len = len, .flags = flags, .next = next};
    fake_write(&fake, ring.desc.v + 16u * i, &d, sizeof(d));
}

static void offer(uint16_t head)
{
    put16(ring.avail.v + 4 + 2u * (avail_idx % SIZE), head);
    put16(ring.avail.v + 2, ++avail_idx);
}

static struct vring_chain chain;

static enum err pop_read(char *buf, size_t max, size_t *n)
{
    return vring_pop_read(&ring, space, buf, max, &chain, n);
}

static enum err pop_write(const char *header, const char *body, uint16_t *head)
{
    enum err e = vring_pop_write(&ring, space, header, strlen(header), body, strlen(body), &chain);
    *head = chain.head;
    return e;
}

static void test_setup_refuses(void **state)
{
    (void)state;
    struct vring r = ring;
    uint64_t end = PAGES * PAGE_SIZE;
    assert_int_equal(vring_setup(&r, space, 3, IPA(DESC), IPA(AVAIL), IPA(USED)), ERR_INVALID);
    assert_int_equal(vring_setup(&r, space, 512, IPA(DESC), IPA(AVAIL), IPA(USED)), ERR_INVALID);
    assert_int_equal(vring_setup(&r, space, 1ull << 63, IPA(DESC), IPA(AVAIL), IPA(USED)),
                     ERR_INVALID);
    assert_int_equal(vring_setup(&r, space, 8, IPA(DESC + 8), IPA(AVAIL), IPA(USED)), ERR_INVALID);
    assert_int_equal(vring_setup(&r, space, 8, IPA(DESC), IPA(AVAIL + 1), IPA(USED)), ERR_INVALID);
    assert_int_equal(vring_setup(&r, space, 8, IPA(DESC), IPA(AVAIL), IPA(USED + 2)), ERR_INVALID);
    assert_int_equal(vring_setup(&r, space, 8, IPA(end - 112), IPA(AVAIL), IPA(USED)), ERR_RANGE);
    assert_int_equal(vring_setup(&r, space, 8, IPA(DESC), IPA(end), IPA(USED)), ERR_RANGE);
    assert_int_equal(vring_setup(&r, space, 8, IPA(DESC), IPA(AVAIL), IPA(-4ull)), ERR_RANGE);
    assert_memory_equal(&r, &ring, sizeof(r));
    assert_int_equal(vring_setup(&r, space, 8, IPA(end - 128), IPA(AVAIL), IPA(USED)), OK);
    assert_int_equal(vring_setup(&r, space, 256, IPA(DESC), IPA(AVAIL), IPA(USED)), OK);
}

static void test_ring_not_set_up(void **state)
{
    (void)state;
    uint16_t head;
    size_t n;
    char buf[4];
    assert_int_equal(vring_setup(&ring, space, 0, IPA(1), IPA(1), IPA(1)), OK);
    assert_int_equal(ring.size, 0);
    assert_int_equal(pop_read(buf, sizeof(buf), &n), ERR_NOT_FOUND);
    assert_int_equal(pop_write("a", "b", &head), ERR_NOT_FOUND);
}

static void test_read_chain_of_three(void **state)
{
    (void)state;
    char buf[64] = {0};
    size_t n;
    fake_write(&fake, BUFFERS, "ab", 2);
    fake_write(&fake, BUFFERS + 100, "cdefgh", 6);
    describe(5, BUFFERS, 2, VIRTQ_DESC_F_NEXT, 1);
    describe(1, BUFFERS + 50, 0, VIRTQ_DESC_F_NEXT, 7); /* empty ones are allowed */
    describe(7, BUFFERS + 100, 6, 0, 99);
    offer(5);
    assert_int_equal(pop_read(buf, sizeof(buf), &n), OK);
    assert_int_equal(chain.head, 5);
    assert_int_equal(chain.left, 0);
    assert_int_equal(n, 8);
    assert_string_equal(buf, "abcdefgh");
    assert_int_equal(pop_read(buf, sizeof(buf), &n), ERR_NOT_FOUND);
    assert_int_equal(used_idx(), 0);
    assert_int_equal(vring_push(&ring, space, chain.head, 0), OK);
    assert_int_equal(used_idx(), 1);
    assert_int_equal(used_elem(0).id, 5);
}

static void test_write_chain_over_pages(void **state)
{
    (void)state;
    char got[8] = {0};
    uint16_t head;
    describe(0, BUFFERS + PAGE_SIZE - 2, 3, VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT, 2);
    describe(2, BUFFERS + 16, 100, VIRTQ_DESC_F_WRITE, 0);
    offer(0);
    assert_int_equal(pop_write("he", "body", &head), OK);
    fake_read(&fake, BUFFERS + PAGE_SIZE - 2, got, 3);
    fake_read(&fake, BUFFERS + 16, got + 3, 3);
    assert_string_equal(got, "hebody");
    assert_int_equal(vring_push(&ring, space, head, 6), OK);
    assert_int_equal(used_elem(0).len, 6);
}

static void test_many_rounds(void **state)
{
    (void)state;
    describe(3, BUFFERS, 4, 0, 0);
    for (unsigned i = 0; i < 70000; i++) { /* the 16-bit indices wrap */
        char buf[4];
        size_t n;
        fake_write(&fake, BUFFERS, &i, sizeof(i));
        offer(3);
        assert_int_equal(pop_read(buf, sizeof(buf), &n), OK);
        assert_memory_equal(buf, &i, sizeof(i));
        assert_int_equal(vring_push(&ring, space, 3, 0), OK);
        assert_int_equal(used_idx(), (uint16_t)(i + 1));
    }
}

static void test_too_large_and_too_small_are_taken(void **state)
{
    (void)state;
    char buf[4];
    uint16_t head;
    size_t n;
    describe(1, BUFFERS, 5, 0, 0);
    describe(2, BUFFERS, 3, VIRTQ_DESC_F_WRITE, 0);
    offer(1);
    offer(2);
    assert_int_equal(pop_read(buf, sizeof(buf), &n), ERR_RANGE);
    assert_int_equal(pop_write("12", "34", &head), ERR_RANGE);
    assert_int_equal(head, 2);
    assert_int_equal(pop_write("12", "34", &head), ERR_NOT_FOUND);
}

static void assert_read_refused(void)
{
    char buf[64];
    size_t n;
    uint16_t before = ring.next_avail;
    offer(0);
    assert_int_equal(pop_read(buf, sizeof(buf), &n), ERR_INVALID);
    assert_int_equal(ring.next_avail, before);
}

static void test_loop(void **state)
{
    (void)state;
    describe(0, BUFFERS, 1, VIRTQ_DESC_F_NEXT, 1);
    describe(1, BUFFERS, 0, VIRTQ_DESC_F_NEXT, 0);
    assert_read_refused();
}

static void test_loop_of_empty_ones(void **state)
{
    (void)state;
    describe(0, BUFFERS, 0, VIRTQ_DESC_F_NEXT, 0);
    assert_read_refused();
}

static void test_wild_next(void **state)
{
    (void)state;
    describe(0, BUFFERS, 1, VIRTQ_DESC_F_NEXT, SIZE);
    assert_read_refused();
}

static void test_wild_head(void **state)
{
    (void)state;
    char buf[4];
    size_t n;
    offer(SIZE);
    assert_int_equal(pop_read(buf, sizeof(buf), &n), ERR_INVALID);
}

static void test_indirect(void **state)
{
    (void)state;
    describe(0, BUFFERS, 16, VIRTQ_DESC_F_INDIRECT, 0);
    assert_read_refused();
}

static void test_wrong_direction(void **state)
{
    (void)state;
    uint16_t head;
    describe(0, BUFFERS, 16, VIRTQ_DESC_F_WRITE, 0);
    assert_read_refused();
    describe(0, BUFFERS, 16, 0, 0);
    assert_int_equal(pop_write("a", "b", &head), ERR_INVALID);
}

static void test_wild_addresses(void **state)
{
    (void)state;
    static const uint64_t wild[] = {0,          0xFFF,          PAGES * PAGE_SIZE - 3,
                                    1ull << 32, UINT64_MAX - 2, UINT64_MAX};
    for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        describe(0, wild[i], 8, 0, 0);
        avail_idx = ring.next_avail;
        assert_read_refused();
    }
}

static void test_write_to_read_only_page(void **state)
{
    (void)state;
    uint16_t head;
    fake.page[BUFFERS >> PAGE_SHIFT] = FAKE_READ_ONLY;
    describe(0, BUFFERS, 8, VIRTQ_DESC_F_WRITE, 0);
    offer(0);
    assert_int_equal(pop_write("a", "b", &head), ERR_INVALID);
}

static void test_index_that_runs_ahead(void **state)
{
    (void)state;
    char buf[4];
    size_t n;
    describe(0, BUFFERS, 1, 0, 0);
    put16(AVAIL + 2, SIZE);
    assert_int_equal(pop_read(buf, sizeof(buf), &n), OK);
    assert_int_equal(chain.left, SIZE - 1);
    put16(AVAIL + 2, 1 + SIZE + 1);
    assert_int_equal(pop_read(buf, sizeof(buf), &n), ERR_INVALID);
    put16(AVAIL + 2, 0xFFFF); /* backwards is far ahead */
    assert_int_equal(pop_read(buf, sizeof(buf), &n), ERR_INVALID);
}

static void test_no_memory_takes_nothing(void **state)
{
    (void)state;
    uint16_t head;
    describe(0, BUFFERS, 8, VIRTQ_DESC_F_WRITE, 0);
    offer(0);
    static const unsigned pages[] = {DESC, AVAIL, BUFFERS};
    for (unsigned i = 0; i < 3; i++) {
        fake.page[pages[i] >> PAGE_SHIFT] = FAKE_NO_MEMORY;
        assert_int_equal(pop_write("a", "b", &head), ERR_NO_MEMORY);
        fake.page[pages[i] >> PAGE_SHIFT] = FAKE_WRITABLE;
    }
    assert_int_equal(pop_write("a", "b", &head), OK);
    fake.page[USED >> PAGE_SHIFT] = FAKE_NO_MEMORY;
    assert_int_equal(vring_push(&ring, space, head, 2), ERR_NO_MEMORY);
    vring_unpop(&ring);
    fake.page[USED >> PAGE_SHIFT] = FAKE_WRITABLE;
    assert_int_equal(pop_write("a", "b", &head), OK);
    assert_int_equal(vring_push(&ring, space, head, 2), OK);
    assert_int_equal(used_idx(), 1);
}

static void test_used_ring_on_read_only_page(void **state)
{
    (void)state;
    fake.page[USED >> PAGE_SHIFT] = FAKE_READ_ONLY;
    assert_int_equal(vring_push(&ring, space, 0, 0), ERR_INVALID);
}

/* Every place where a part can cross a page. */
static void test_parts_over_page_ends(void **state)
{
    (void)state;
    for (uint64_t before = 0; before <= 128; before += 2) {
        uint64_t desc = 0x2000 - ALIGN_UP(before, 16);
        uint64_t avail = 0x5000 - before;
        uint64_t used = 0x8000 - ALIGN_UP(before, 4);
        assert_int_equal(vring_setup(&ring, space, SIZE, IPA(desc), IPA(avail), IPA(used)), OK);
        avail_idx = 0;
        put16(used + 2, 0);
        for (uint16_t i = 0; i < 2 * SIZE; i++) {
            char buf[4] = {0};
            size_t n;
            fake_write(&fake, 0xA000, &i, sizeof(i));
            describe(i % SIZE, 0xA000, sizeof(i), 0, 0);
            offer(i % SIZE);
            assert_int_equal(pop_read(buf, 4, &n), OK);
            assert_int_equal(chain.head, i % SIZE);
            assert_memory_equal(buf, &i, sizeof(i));
            assert_int_equal(vring_push(&ring, space, chain.head, i), OK);
            assert_int_equal(used_elem(i % SIZE).id, chain.head);
            assert_int_equal(used_elem(i % SIZE).len, i);
            assert_int_equal(used_idx(), i + 1);
        }
    }
}

/* A buffer in the page of a ring that is shared with the template: once it is written, what was
 * read before is another page. */
static void test_buffer_in_the_ring_s_own_page(void **state)
{
    (void)state;
    uint16_t head;
    char got[5] = {0};
    describe(0, DESC + 0x800, 2, VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT, 1);
    describe(1, DESC + 0x810, 2, VIRTQ_DESC_F_WRITE, 0);
    offer(0);
    fake.copies_on_write[DESC >> PAGE_SHIFT] = true;
    assert_int_equal(pop_write("12", "34", &head), OK);
    fake_read(&fake, DESC + 0x800, got, 2);
    fake_read(&fake, DESC + 0x810, got + 2, 2);
    assert_string_equal(got, "1234");
    assert_false(fake.copies_on_write[DESC >> PAGE_SHIFT]);
    fake.page[DESC >> PAGE_SHIFT] = FAKE_READ_ONLY;
    offer(0);
    assert_int_equal(pop_write("56", "78", &head), ERR_INVALID);
    fake_read(&fake, DESC + 0x800, got, 2);
    assert_string_equal(got, "1234");
}

static void test_event_flag(void **state)
{
    (void)state;
    char buf[4];
    size_t n;
    describe(0, BUFFERS, 1, 0, 0);
    offer(0);
    assert_int_equal(pop_read(buf, sizeof(buf), &n), OK);
    assert_true(chain.wants_event);
    put16(AVAIL, VIRTQ_AVAIL_F_NO_INTERRUPT);
    offer(0);
    assert_int_equal(pop_read(buf, sizeof(buf), &n), OK);
    assert_false(chain.wants_event);
}

/* One translation for each part that lies in one page: the packet budget rests on it. */
static void test_translations_are_few(void **state)
{
    (void)state;
    char buf[64];
    size_t n;
    describe(0, BUFFERS, 60, 0, 0);
    offer(0);
    fake.resolved = 0;
    assert_int_equal(pop_read(buf, sizeof(buf), &n), OK);
    assert_int_equal(vring_push(&ring, space, chain.head, 0), OK);
    assert_int_equal(fake.resolved, 4);

    assert_int_equal(vring_setup(&ring, space, SIZE, IPA(DESC), IPA(DESC + 0x100), IPA(USED)), OK);
    avail_idx = 0;
    offer(0);
    fake.resolved = 0;
    assert_int_equal(pop_read(buf, sizeof(buf), &n), OK);
    assert_int_equal(fake.resolved, 2); /* both parts that it reads are in one page */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_setup_refuses),
        TEST(test_ring_not_set_up),
        TEST(test_read_chain_of_three),
        TEST(test_write_chain_over_pages),
        TEST(test_many_rounds),
        TEST(test_too_large_and_too_small_are_taken),
        TEST(test_loop),
        TEST(test_loop_of_empty_ones),
        TEST(test_wild_next),
        TEST(test_wild_head),
        TEST(test_indirect),
        TEST(test_wrong_direction),
        TEST(test_wild_addresses),
        TEST(test_write_to_read_only_page),
        TEST(test_index_that_runs_ahead),
        TEST(test_no_memory_takes_nothing),
        TEST(test_used_ring_on_read_only_page),
        TEST(test_parts_over_page_ends),
        TEST(test_buffer_in_the_ring_s_own_page),
        TEST(test_event_flag),
        TEST(test_translations_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
