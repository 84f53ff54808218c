// SPDX-License-Identifier: BSD-2-Clause
// sources: dev/virtual/nic.c dev/virtual/vring.c tests/unit/fake_space.c arch/host/memory.c
/*
 * A VM's network interface, driven as a guest drives it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dev/virtual/nic.h"
#include "tests/unit/fake_space.h"

#define SIZE 8
#define PAGES 32
#define RX 0x1000u /* each ring: desc, avail and used on a page of its own */
#define TX 0x4000u
#define BUFFERS 0x8000u
#define HEADER sizeof(struct virtio_net_hdr)

static struct fake_space fake;
static struct space *space;
static struct nic nic;
static uint16_t rx_offered, tx_offered;

static unsigned emitted;
static uint8_t last_frame[2048];
static size_t last_bytes;

static void emit(void *context, uint8_t *frame, size_t bytes)
{
    assert_ptr_equal(context, &nic);
    memcpy(last_frame, frame, bytes);
    last_bytes = bytes;
    memset(frame, 0xEE, bytes); /* it may be changed */
    emitted++;
}

static int setup(void **state)
{
    (void)state;
    fake_space_init(&fake, PAGES);
    space = &fake.space;
    nic = (struct nic){0};
    rx_offered = tx_offered = 0;
    emitted = 0;
    assert_int_equal(vring_setup(&nic.rx, space, SIZE, IPA(RX), IPA(RX + 0x1000), IPA(RX + 0x2000)),
                     OK);
    assert_int_equal(vring_setup(&nic.tx, space, SIZE, IPA(TX), IPA(TX + 0x1000), IPA(TX + 0x2000)),
                     OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_space_free(&fake);
    return 0;
}

static void offer(uint64_t ring, uint16_t *offered, uint64_t addr, uint32_t len, uint16_t flags)
{
    struct virtq_desc d = {.addr = addr, .len = len, .flags = flags};
    uint16_t id = *offered % SIZE;
    fake_write(&fake, ring + 16u * id, &d, sizeof(d));
    fake_write(&fake, ring + 0x1000 + 4 + 2u * id, &id, sizeof(id));
    ++*offered;
    fake_write(&fake, ring + 0x1000 + 2, offered, sizeof(*offered));
}

static void offer_rx(uint32_t len)
{
    offer(RX, &rx_offered, BUFFERS + 0x1000u * (rx_offered % SIZE), len, VIRTQ_DESC_F_WRITE);
}

static void offer_tx(const struct virtio_net_hdr *header, const void *frame, size_t bytes)
{
    uint64_t at = BUFFERS + 0x1000u * (SIZE + tx_offered % SIZE);
    fake_write(&fake, at, header, HEADER);
    fake_write(&fake, at + HEADER, frame, bytes);
    offer(TX, &tx_offered, at, (uint32_t)(HEADER + bytes), 0);
}

static uint16_t used(uint64_t ring)
{
    uint16_t v;
    fake_read(&fake, ring + 0x2000 + 2, &v, sizeof(v));
    return v;
}

static uint32_t used_len(uint64_t ring, unsigned i)
{
    uint32_t v;
    fake_read(&fake, ring + 0x2000 + 4 + 8u * i + 4, &v, sizeof(v));
    return v;
}

static void quiet(uint64_t ring)
{
    uint16_t flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
    fake_write(&fake, ring + 0x1000, &flags, sizeof(flags));
}

static void test_deliver(void **state)
{
    (void)state;
    static const char frame[] = "dstdstsrcsrc\x08\0payload";
    struct virtio_net_hdr header;
    char got[sizeof(frame)];
    bool event = false;
    offer_rx(2048);
    assert_int_equal(nic_deliver(&nic, space, frame, sizeof(frame), &event), OK);
    assert_true(event);
    fake_read(&fake, BUFFERS, &header, HEADER);
    fake_read(&fake, BUFFERS + HEADER, got, sizeof(got));
    assert_memory_equal(got, frame, sizeof(frame));
    struct virtio_net_hdr expected = {.num_buffers = 1};
    assert_memory_equal(&header, &expected, HEADER);
    assert_int_equal(used_len(RX, 0), HEADER + sizeof(frame));
    assert_int_equal(nic.rx_frames, 1);
    offer_rx(2048);
    quiet(RX);
    assert_int_equal(nic_deliver(&nic, space, frame, sizeof(frame), &event), OK);
    assert_false(event);
}

static void test_deliver_without_buffer(void **state)
{
    (void)state;
    char frame[60] = {0};
    bool event = true;
    assert_int_equal(nic_deliver(&nic, space, frame, sizeof(frame), &event), ERR_BUSY);
    assert_false(event);
    assert_int_equal(nic.rx_dropped, 1);
}

static void test_deliver_to_small_buffer(void **state)
{
    (void)state;
    char frame[60] = {0};
    bool event;
    offer_rx(64);
    assert_int_equal(nic_deliver(&nic, space, frame, sizeof(frame), &event), ERR_BUSY);
    assert_true(event);
    assert_int_equal(used(RX), 1);
    assert_int_equal(used_len(RX, 0), 0);
    assert_int_equal(nic.rx_dropped, 1);
}

static void test_deliver_to_broken_ring(void **state)
{
    (void)state;
    char frame[60] = {0};
    bool event;
    offer(RX, &rx_offered, 1ull << 40, 2048, VIRTQ_DESC_F_WRITE);
    assert_int_equal(nic_deliver(&nic, space, frame, sizeof(frame), &event), ERR_INVALID);
    assert_false(event);
}

static void test_deliver_without_memory(void **state)
{
    (void)state;
    char frame[60] = {0};
    bool event;
    static const unsigned pages[] = {BUFFERS, RX + 0x2000};
    offer_rx(2048);
    for (unsigned i = 0; i < 2; i++) {
        fake.page[pages[i] >> PAGE_SHIFT] = FAKE_NO_MEMORY;
        assert_int_equal(nic_deliver(&nic, space, frame, sizeof(frame), &event), ERR_NO_MEMORY);
        fake.page[pages[i] >> PAGE_SHIFT] = FAKE_WRITABLE;
    }
    assert_int_equal(nic.rx_dropped, 2);
    assert_int_equal(nic_deliver(&nic, space, frame, sizeof(frame), &event), OK);
}

static enum err transmit(unsigned budget, bool *event, bool *more)
{
    return nic_transmit(&nic, space, budget, emit, &nic, event, more);
}

static void test_transmit(void **state)
{
    (void)state;
    struct virtio_net_hdr header = {0};
    uint8_t frame[NIC_FRAME_MAX];
    bool event, more;
    for (unsigned i = 0; i < sizeof(frame); i++) {
        frame[i] = (uint8_t)(i * 7);
    }
    offer_tx(&header, frame, NIC_FRAME_MIN);
    offer_tx(&header, frame, NIC_FRAME_MAX);
    assert_int_equal(transmit(8, &event, &more), OK);
    assert_true(event);
    assert_false(more);
    assert_int_equal(emitted, 2);
    assert_int_equal(last_bytes, NIC_FRAME_MAX);
    assert_memory_equal(last_frame, frame, NIC_FRAME_MAX);
    assert_int_equal(used(TX), 2);
    assert_int_equal(nic.tx_frames, 2);
}

static void test_transmit_nothing(void **state)
{
    (void)state;
    bool event = true, more = true;
    assert_int_equal(transmit(8, &event, &more), OK);
    assert_false(event);
    assert_false(more);
}

static void test_transmit_budget(void **state)
{
    (void)state;
    struct virtio_net_hdr header = {0};
    uint8_t frame[60] = {0};
    bool event, more;
    for (unsigned i = 0; i < 3; i++) {
        offer_tx(&header, frame, sizeof(frame));
    }
    quiet(TX);
    assert_int_equal(transmit(2, &event, &more), OK);
    assert_false(event);
    assert_true(more);
    assert_int_equal(emitted, 2);
    assert_int_equal(transmit(2, &event, &more), OK);
    assert_false(more);
    assert_int_equal(emitted, 3);
}

static void test_transmit_drops(void **state)
{
    (void)state;
    struct virtio_net_hdr plain = {0}, checksum = {.flags = 1}, segment = {.gso_type = 1};
    uint8_t frame[NIC_FRAME_MAX + 1] = {0};
    bool event, more;
    offer_tx(&plain, frame, NIC_FRAME_MIN - 1);
    offer_tx(&plain, frame, NIC_FRAME_MAX + 1);
    offer_tx(&checksum, frame, 60);
    offer_tx(&segment, frame, 60);
    offer(TX, &tx_offered, BUFFERS, 0, 0);
    offer_tx(&plain, frame, 60);
    assert_int_equal(transmit(8, &event, &more), OK);
    assert_int_equal(emitted, 1);
    assert_int_equal(last_bytes, 60);
    assert_int_equal(used(TX), 6);
    assert_int_equal(nic.tx_dropped, 5);
}

static void test_transmit_broken_ring(void **state)
{
    (void)state;
    struct virtio_net_hdr header = {0};
    uint8_t frame[60] = {0};
    bool event, more;
    offer_tx(&header, frame, sizeof(frame));
    offer(TX, &tx_offered, 0, 100, 0);
    assert_int_equal(transmit(8, &event, &more), ERR_INVALID);
    assert_int_equal(emitted, 1);
    assert_true(event);
}

static void test_transmit_without_memory_loses_nothing(void **state)
{
    (void)state;
    struct virtio_net_hdr header = {0};
    uint8_t frame[60] = {0};
    bool event, more;
    offer_tx(&header, frame, sizeof(frame));
    fake.page[(TX + 0x2000) >> PAGE_SHIFT] = FAKE_NO_MEMORY;
    assert_int_equal(transmit(8, &event, &more), ERR_NO_MEMORY);
    assert_int_equal(emitted, 0);
    fake.page[(TX + 0x2000) >> PAGE_SHIFT] = FAKE_WRITABLE;
    assert_int_equal(transmit(8, &event, &more), OK);
    assert_int_equal(emitted, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_deliver),
        TEST(test_deliver_without_buffer),
        TEST(test_deliver_to_small_buffer),
        TEST(test_deliver_to_broken_ring),
        TEST(test_deliver_without_memory),
        TEST(test_transmit),
        TEST(test_transmit_nothing),
        TEST(test_transmit_budget),
        TEST(test_transmit_drops),
        TEST(test_transmit_broken_ring),
        TEST(test_transmit_without_memory_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
