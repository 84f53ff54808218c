// SPDX-License-Identifier: BSD-2-Clause
/*
 * The driver's side of a virtqueue: single buffers and chains.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "abi/virtq.h"

#define SIZE 8u

static struct {
    struct virtq virtq;
    struct virtq_desc desc[SIZE];
    _Alignas(4) uint8_t avail[VIRTQ_AVAIL_BYTES(SIZE)];
    _Alignas(4) uint8_t used[VIRTQ_USED_BYTES(SIZE)];
} ring;
static struct virtq *const q = &ring.virtq;

static int setup(void **state)
{
    (void)state;
    memset(&ring, 0, sizeof(ring));
    virtq_init(q, SIZE, ring.desc, ring.avail, ring.used);
    return 0;
}

static void use(uint32_t id, uint32_t len)
{
    volatile struct virtq_used_elem *e = &q->used->ring[q->used->idx % SIZE];
    e->id = id;
    e->len = len;
    q->used->idx++;
}

/* Offers a chain of `count`; returns its head. */
static uint16_t chain(unsigned count)
{
    uint16_t head = q->free_head;
    for (unsigned i = 0; i < count; i++) {
        virtq_push(q, 0x1000 * (i + 1), i, i + 1 < count ? VIRTQ_DESC_F_NEXT : VIRTQ_DESC_F_WRITE);
    }
    virtq_offer(q, head);
    return head;
}

static void test_single_buffers(void **state)
{
    (void)state;
    uint32_t len;
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < SIZE; i++) {
            int id = virtq_add(q, 0x1000 * i, 100 + i, i % 2);
            assert_in_range(id, 0, SIZE - 1);
            assert_int_equal(q->avail->ring[(q->avail->idx - 1) % SIZE], id);
            assert_int_equal(ring.desc[id].addr, 0x1000 * i);
            assert_int_equal(ring.desc[id].len, 100 + i);
            assert_int_equal(ring.desc[id].flags, i % 2 ? VIRTQ_DESC_F_WRITE : 0);
        }
        assert_int_equal(virtq_add(q, 0, 0, false), -1);
        assert_int_equal(virtq_take(q, &len), -1);
        for (unsigned i = 0; i < SIZE; i++) {
            use(SIZE - 1 - i, i);
            assert_int_equal(virtq_take(q, &len), SIZE - 1 - i);
            assert_int_equal(len, i);
        }
        assert_int_equal(q->free_count, SIZE);
    }
}

static void test_chain(void **state)
{
    (void)state;
    uint16_t head = chain(3);
    assert_int_equal(q->free_count, SIZE - 3);
    assert_int_equal(q->avail->idx, 1);
    assert_int_equal(q->avail->ring[0], head);
    const struct virtq_desc *d = &ring.desc[head];
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(d->addr, 0x1000 * (i + 1));
        assert_int_equal(d->len, i);
        assert_int_equal(d->flags, i < 2 ? VIRTQ_DESC_F_NEXT : VIRTQ_DESC_F_WRITE);
        d = &ring.desc[d->next % SIZE];
    }
    assert_ptr_equal(d, &ring.desc[q->free_head]); /* so the last one's link is the free list's */
}

/* Chains of all lengths come and go in changing order; every descriptor is always in one place. */
static void test_chains_come_and_go(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 1000; round++) {
        uint32_t len;
        unsigned a = 1 + round % 5, b = SIZE - a;
        uint16_t first = chain(a), second = chain(b);
        assert_int_equal(q->free_count, 0);
        use(round % 2 ? first : second, 7);
        use(round % 2 ? second : first, 8);
        assert_int_equal(virtq_pop(q, &len), round % 2 ? first : second);
        assert_int_equal(len, 7);
        virtq_free(q, round % 2 ? first : second, (uint16_t)(round % 2 ? a : b));
        assert_int_equal(virtq_pop(q, &len), round % 2 ? second : first);
        virtq_free(q, round % 2 ? second : first, (uint16_t)(round % 2 ? b : a));
        assert_int_equal(q->free_count, SIZE);
        unsigned seen = 0;
        for (uint16_t i = 0, id = q->free_head; i < SIZE; i++, id = ring.desc[id].next) {
            assert_in_range(id, 0, SIZE - 1);
            seen |= 1u << id;
        }
        assert_int_equal(seen, (1u << SIZE) - 1);
    }
}

static void test_wild_ids(void **state)
{
    (void)state;
    static const uint32_t wild[] = {SIZE, 0x10000, UINT32_MAX, 0x80000000};
    uint32_t len;
    uint16_t head = chain(2);
    for (unsigned i = 0; i < 4; i++) {
        use(wild[i], 0);
        assert_int_equal(i % 2 ? virtq_take(q, &len) : virtq_pop(q, &len), -1);
        assert_int_equal(q->free_count, SIZE - 2);
    }
    assert_false(virtq_has_used(q));
    use(head, 1);
    assert_int_equal(virtq_pop(q, &len), head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_single_buffers, setup),
        cmocka_unit_test_setup(test_chain, setup),
        cmocka_unit_test_setup(test_chains_come_and_go, setup),
        cmocka_unit_test_setup(test_wild_ids, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
