// SPDX-License-Identifier: BSD-2-Clause
// sources: tests/unit/fake_virtio.c
/*
 * The virtio network driver against a model of the device, which behaves or does not.
 *
 * The drivers are included as text, with the model's registers instead of dev/drivers/mmio.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define DEV_DRIVERS_MMIO_H
#include "tests/unit/fake_virtio.h"

#include "abi/virtq.h"

static void hooked_interrupts(struct virtq *q, bool on);

#define virtq_interrupts hooked_interrupts
#define mmio_read32 fake_virtio_read32
#define mmio_write32 fake_virtio_write32
#define mmio_read8 fake_virtio_read8
#include "dev/drivers/virtio_mmio.c"
#include "dev/drivers/virtio_net.c"

static struct uplink *uplink;

/* What was received. */
static unsigned frames;
static uint8_t last[2048];
static size_t last_bytes;
static unsigned late_frames; /* to be received while the driver drains its ring */
static unsigned last_moment; /* to be received after the driver found its ring empty */

static void take(uint8_t *frame, size_t bytes)
{
    frames++;
    memcpy(last, frame, bytes);
    last_bytes = bytes;
    memset(frame, 0xEE, bytes);
}

#undef virtq_interrupts
static void hooked_interrupts(struct virtq *q, bool on)
{
    uint8_t frame[60] = {0};
    if (on && last_moment > 0) {
        last_moment--;
        assert_true(fake_virtio_receive(frame, sizeof(frame)));
    }
    virtq_interrupts(q, on);
}

static const struct device fake_device = {.base = FAKE_VIRTIO_BASE, .irq = 77};

static int setup(void **state)
{
    (void)state;
    fake_virtio_init();
    memset(devices, 0, sizeof(devices));
    device_count = 0;
    frames = late_frames = last_moment = 0;
    return 0;
}

static int setup_running(void **state)
{
    setup(state);
    assert_int_equal(virtio_net_probe(&fake_device, &uplink), OK);
    assert_int_equal(fake_virtio.queue[0].size, 256);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_virtio_free();
    return 0;
}

static void assert_refused(enum err expected)
{
    uplink = NULL;
    assert_int_equal(virtio_net_probe(&fake_device, &uplink), expected);
    assert_null(uplink);
    assert_int_equal(fake_virtio.frames_live, 0);
}

static void test_empty_slot(void **state)
{
    (void)state;
    fake_virtio.device_id = 0;
    fake_virtio.version = 1;
    assert_refused(ERR_NOT_FOUND);
}

static void test_no_virtio(void **state)
{
    (void)state;
    fake_virtio.magic = 0;
    assert_refused(ERR_NOT_FOUND);
}

static void test_another_device(void **state)
{
    (void)state;
    fake_virtio.device_id = 2;
    assert_refused(ERR_NOT_FOUND);
}

static void test_legacy(void **state)
{
    (void)state;
    fake_virtio.version = 1;
    assert_refused(ERR_UNSUPPORTED);
}

static void test_without_version_1(void **state)
{
    (void)state;
    fake_virtio.offered = 1ull << 5;
    assert_refused(ERR_UNSUPPORTED);
}

static void test_device_refuses_features(void **state)
{
    (void)state;
    fake_virtio.refuses_features = true;
    assert_refused(ERR_UNSUPPORTED);
}

static void test_device_without_queue(void **state)
{
    (void)state;
    fake_virtio.queue[1].max = 0;
    assert_refused(ERR_UNSUPPORTED);
    assert_int_equal(fake_virtio.status, 0);
}

static void test_no_memory(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 6; n++) {
        fake_virtio.allocations_left = n;
        assert_refused(ERR_NO_MEMORY);
    }
}

/* A device that does not reset may go on writing: its memory is never given to anybody else. */
static void test_device_that_does_not_reset(void **state)
{
    (void)state;
    fake_virtio.queue[1].max = 0;
    fake_virtio.stuck_after_start = true;
    assert_int_equal(virtio_net_probe(&fake_device, &uplink), ERR_UNSUPPORTED);
    assert_true(fake_virtio.frames_live > 0);
}

static void test_probe(void **state)
{
    (void)state;
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    assert_int_equal(virtio_net_probe(&fake_device, &uplink), OK);
    assert_int_equal(uplink->irq, 77);
    assert_memory_equal(uplink->mac, mac, 6);
    assert_int_equal(fake_virtio.status, 1 | 2 | 4 | 8);
    assert_int_equal(fake_virtio.accepted, 1ull << 32 | 1ull << 5);
    assert_int_equal(fake_virtio_posted(0), 256);
    assert_int_equal(fake_virtio.notified[0], 1);
    assert_true(fake_virtio_interrupts(0));
    assert_false(fake_virtio_interrupts(1));
}

static void test_small_and_odd_queues(void **state)
{
    (void)state;
    fake_virtio.queue[0].max = 100;
    fake_virtio.queue[1].max = 1;
    assert_int_equal(virtio_net_probe(&fake_device, &uplink), OK);
    assert_int_equal(fake_virtio.queue[0].size, 64);
    assert_int_equal(fake_virtio.queue[1].size, 1);
    uint8_t frame[60] = {0};
    assert_int_equal(uplink->ops->send(uplink, frame, 60), OK);
    assert_int_equal(uplink->ops->send(uplink, frame, 60), ERR_BUSY);
    assert_int_equal(fake_virtio_transmit(), 1);
    assert_int_equal(uplink->ops->send(uplink, frame, 60), OK);
}

static void test_send(void **state)
{
    (void)state;
    uint8_t frame[1514];
    memset(frame, 0x5A, sizeof(frame));
    assert_int_equal(uplink->ops->send(uplink, frame, 60), OK);
    assert_int_equal(uplink->ops->send(uplink, frame, sizeof(frame)), OK);
    assert_int_equal(fake_virtio.notified[1], 0);
    uplink->ops->flush(uplink);
    uplink->ops->flush(uplink);
    assert_int_equal(fake_virtio.notified[1], 1); /* one for the batch */
    assert_int_equal(fake_virtio_transmit(), 2);
    assert_int_equal(fake_virtio.sent_bytes, 12 + sizeof(frame));
    static const uint8_t zero[12];
    assert_memory_equal(fake_virtio.sent, zero, 12);
    assert_memory_equal(fake_virtio.sent + 12, frame, sizeof(frame));
    assert_int_equal(uplink->tx_frames, 2);
}

static void test_send_when_device_needs_no_notification(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    fake_virtio_want_notify(1, false);
    assert_int_equal(uplink->ops->send(uplink, frame, 60), OK);
    uplink->ops->flush(uplink);
    assert_int_equal(fake_virtio.notified[1], 0);
}

static void test_send_refuses_sizes(void **state)
{
    (void)state;
    uint8_t frame[2048] = {0};
    assert_int_equal(uplink->ops->send(uplink, frame, 13), ERR_INVALID);
    assert_int_equal(uplink->ops->send(uplink, frame, 2048 - 11), ERR_INVALID);
    assert_int_equal(uplink->ops->send(uplink, frame, 2048 - 12), OK);
    assert_int_equal(uplink->tx_dropped, 2);
}

static void test_send_until_full_and_go_on(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    for (unsigned round = 0; round < 600; round++) {
        for (unsigned i = 0; i < 256; i++) {
            assert_int_equal(uplink->ops->send(uplink, frame, 60), OK);
        }
        assert_int_equal(uplink->ops->send(uplink, frame, 60), ERR_BUSY);
        assert_int_equal(fake_virtio_transmit(), 256);
    }
    assert_int_equal(uplink->refused, 0);
}

static void test_receive(void **state)
{
    (void)state;
    uint8_t frame[1514];
    memset(frame, 0xA5, sizeof(frame));
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(fake_virtio_receive(frame, 60));
        assert_true(fake_virtio_receive(frame, sizeof(frame)));
        assert_int_equal(uplink->ops->poll(uplink, 64, take), 2);
        assert_int_equal(last_bytes, sizeof(frame));
        assert_memory_equal(last, frame, sizeof(frame));
        assert_true(fake_virtio_interrupts(0));
        assert_int_equal(fake_virtio_posted(0), 256);
    }
    assert_int_equal(uplink->rx_frames, 2000);
    assert_int_equal(uplink->ops->poll(uplink, 64, take), 0);
}

static void test_receive_in_batches(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    for (unsigned i = 0; i < 256; i++) {
        assert_true(fake_virtio_receive(frame, 60));
    }
    assert_false(fake_virtio_receive(frame, 60));
    unsigned notified = fake_virtio.notified[0];
    assert_int_equal(uplink->ops->poll(uplink, 200, take), 200);
    assert_false(fake_virtio_interrupts(0)); /* there may be more: the caller polls again */
    assert_int_equal(uplink->ops->poll(uplink, 200, take), 56);
    assert_true(fake_virtio_interrupts(0));
    assert_int_equal(fake_virtio.notified[0], notified + 2);
}

static void take_and_send_more(uint8_t *frame, size_t bytes)
{
    take(frame, bytes);
    if (late_frames > 0) {
        late_frames--;
        uint8_t more[60] = {0};
        assert_false(fake_virtio_interrupts(0));
        assert_true(fake_virtio_receive(more, 60));
    }
}

static void test_frames_during_poll(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    late_frames = 10;
    assert_true(fake_virtio_receive(frame, 60));
    assert_int_equal(uplink->ops->poll(uplink, 64, take_and_send_more), 11);
    assert_true(fake_virtio_interrupts(0));
}

/* Nobody tells the driver of these: it has to look again once interrupts are on. */
static void test_frames_at_the_last_moment(void **state)
{
    (void)state;
    last_moment = 3;
    assert_int_equal(uplink->ops->poll(uplink, 64, take), 3);
    assert_true(fake_virtio_interrupts(0));
}

static void test_wild_ids(void **state)
{
    (void)state;
    uint8_t frame[60] = {0};
    fake_virtio_use(0, 256, 100);
    fake_virtio_use(0, UINT32_MAX, 100);
    assert_true(fake_virtio_receive(frame, 60));
    assert_int_equal(uplink->ops->poll(uplink, 64, take), 3);
    assert_int_equal(frames, 1);
    assert_int_equal(uplink->refused, 2);
    for (unsigned i = 0; i < 256; i++) {
        assert_int_equal(uplink->ops->send(uplink, frame, 60), OK);
    }
    fake_virtio_use(1, 12345, 0);
    assert_int_equal(uplink->ops->send(uplink, frame, 60), ERR_BUSY);
    assert_int_equal(uplink->refused, 3);
}

static void test_wild_lengths(void **state)
{
    (void)state;
    fake_virtio_use(0, 1, 0);
    fake_virtio_use(0, 2, 25);
    fake_virtio_use(0, 3, 2049);
    fake_virtio_use(0, 4, UINT32_MAX);
    fake_virtio_use(0, 5, 26);
    fake_virtio_use(0, 6, 2048);
    assert_int_equal(uplink->ops->poll(uplink, 64, take), 6);
    assert_int_equal(frames, 2);
    assert_int_equal(uplink->refused, 4);
}

/* The same buffer used again and again, and an index that leaps: bounded, and nothing is touched
 * that is not the driver's. */
static void test_device_gone_mad(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        fake_virtio_use(0, 3, 100);
        fake_virtio_use(1, 3, 0);
    }
    fake_virtio_leap(0, 40000);
    fake_virtio_leap(1, 40000);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t frame[60] = {0};
        assert_true(uplink->ops->poll(uplink, 64, take) <= 64);
        (void)uplink->ops->send(uplink, frame, 60);
    }
}

static void test_ack(void **state)
{
    (void)state;
    fake_virtio.interrupt_status = 1;
    uplink->ops->ack(uplink);
    assert_int_equal(fake_virtio.interrupt_status, 0);
}

#define PROBE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define RUN(f) cmocka_unit_test_setup_teardown(f, setup_running, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBE(test_empty_slot),
        PROBE(test_no_virtio),
        PROBE(test_another_device),
        PROBE(test_legacy),
        PROBE(test_without_version_1),
        PROBE(test_device_refuses_features),
        PROBE(test_device_without_queue),
        PROBE(test_no_memory),
        PROBE(test_device_that_does_not_reset),
        PROBE(test_probe),
        PROBE(test_small_and_odd_queues),
        RUN(test_send),
        RUN(test_send_when_device_needs_no_notification),
        RUN(test_send_refuses_sizes),
        RUN(test_send_until_full_and_go_on),
        RUN(test_receive),
        RUN(test_receive_in_batches),
        RUN(test_frames_during_poll),
        RUN(test_frames_at_the_last_moment),
        RUN(test_wild_ids),
        RUN(test_wild_lengths),
        RUN(test_device_gone_mad),
        RUN(test_ack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
