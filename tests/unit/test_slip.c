// SPDX-License-Identifier: BSD-2-Clause
// sources: core/base/slip.c core/base/log.c core/base/fmt.c core/base/error.c
// sources: arch/host/time.c arch/host/cpu.c arch/host/memory.c
/*
 * The serial uplink, over a UART that a test fills and empties. The driver is included as text, so
 * that each test begins with a new one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dev/drivers/slip.c"

#include "arch/host/host.h"

#define BASE 42u
#define FOREVER SIZE_MAX
#define WIRE_BYTES (1u << 20)

static struct {
    size_t room; /* of the transmitter */
    uint8_t sent[WIRE_BYTES];
    size_t sent_bytes;
    uint8_t given[WIRE_BYTES]; /* to the receiver */
    size_t given_bytes, got_bytes;
    bool endless; /* it always has one more byte */
    unsigned starts, acks;
    bool wants_room;
} wire;

static struct uplink *u;
static unsigned frames;
static uint8_t last[ETH_BYTES + SLIP_MTU];
static size_t last_bytes;
static char said[4096];
static uint32_t seed;

static uint32_t chance(uint32_t limit)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % limit;
}

static bool wire_put(uintptr_t base, char c)
{
    assert_int_equal(base, BASE);
    if (wire.room == 0) {
        return false;
    }
    wire.room -= wire.room != FOREVER;
    assert_true(wire.sent_bytes < WIRE_BYTES);
    wire.sent[wire.sent_bytes++] = (uint8_t)c;
    return true;
}

static int wire_get(uintptr_t base)
{
    assert_int_equal(base, BASE);
    if (wire.endless) {
        return 'x';
    }
    return wire.got_bytes < wire.given_bytes ? wire.given[wire.got_bytes++] : -1;
}

static void wire_start(uintptr_t base)
{
    assert_int_equal(base, BASE);
    wire.starts++;
}

static void wire_room(uintptr_t base, bool on)
{
    assert_int_equal(base, BASE);
    assert_true(on != wire.wants_room); /* a register is not written for nothing */
    wire.wants_room = on;
}

static void wire_ack(uintptr_t base)
{
    assert_int_equal(base, BASE);
    wire.acks++;
}

static const struct uart_ops wire_ops = {wire_put, wire_get, wire_start, wire_room, wire_ack};

static void listen(const char *text, size_t n)
{
    strncat(said, text, n);
}

static void take(uint8_t *frame, size_t bytes)
{
    assert_in_range(bytes, ETH_BYTES + 20, sizeof(last));
    frames++;
    memcpy(last, frame, bytes);
    last_bytes = bytes;
    memset(frame, 0xEE, bytes);
}

static int setup(void **state)
{
    (void)state;
    memset(&wire, 0, sizeof(wire));
    memset(&line, 0, sizeof(line));
    memset(last, 0, sizeof(last));
    frames = 0;
    seed = 1;
    said[0] = 0;
    log_set_sink(listen);
    host_time_advance(ticks_from_ns(NS_PER_S));
    assert_int_equal(slip_start(&wire_ops, BASE, 77, &u), OK);
    memcpy(u->mac, "\x02\x54\x4b\xff\xff\xff", 6);
    return 0;
}

/* An Ethernet frame with an IPv4 packet of `bytes`, and all the padding there is room for. */
static void make_frame(uint8_t *frame, size_t bytes)
{
    static const uint8_t header[] = {0x02, 'S', 'L',  'I', 'P', 1, 0x02, 0x54, 0x4b, 0, 0,  7,
                                     8,    0,   0x45, 0,   0,   0, 0,    0,    0,    0, 64, 17};
    uint32_t sum = 0;
    memset(frame, 0, ETH_BYTES + 20);
    memcpy(frame, header, sizeof(header));
    frame[16] = (uint8_t)(bytes >> 8);
    frame[17] = (uint8_t)bytes;
    frame[18] = (uint8_t)chance(256);
    for (size_t i = 14; i < 34; i += 2) {
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    }
    sum = (sum & 0xFFFF) + (sum >> 16);
    frame[24] = (uint8_t)(~sum >> 8);
    frame[25] = (uint8_t)~sum;
    for (size_t i = 20; i < bytes; i++) {
        frame[ETH_BYTES + i] = (uint8_t)chance(256);
    }
}

/* Gives the receiver the packet of a frame. */
static void arrive(const uint8_t *frame, size_t bytes)
{
    assert_true(wire.given_bytes + SLIP_ENCODED_MAX(bytes) < WIRE_BYTES);
    wire.given_bytes += slip_encode(wire.given + wire.given_bytes, frame + ETH_BYTES, bytes);
}

static void arrive_noise(const char *text)
{
    memcpy(wire.given + wire.given_bytes, text, strlen(text));
    wire.given_bytes += strlen(text);
}

static unsigned poll_all(void)
{
    return u->ops->poll(u, 64, take);
}

static void test_start(void **state)
{
    (void)state;
    struct uplink *second = NULL;
    assert_int_equal(wire.starts, 1);
    assert_int_equal(u->irq, 77);
    assert_int_equal(u->peer[0] & 3, 2); /* unicast, locally administered */
    assert_int_equal(slip_start(&wire_ops, BASE, 78, &second), ERR_BUSY);
    assert_null(second);
    u->ops->ack(u);
    assert_int_equal(wire.acks, 1);
    assert_int_equal(wire.sent_bytes, 0);
}

/* Header and padding stay here; what finds no room goes with the interrupt. */
static void test_send(void **state)
{
    (void)state;
    uint8_t frame[60], expected[SLIP_ENCODED_MAX(40)];
    memset(frame, 0, sizeof(frame));
    make_frame(frame, 40);
    size_t n = slip_encode(expected, frame + ETH_BYTES, 40);
    wire.room = 10;
    assert_int_equal(u->ops->send(u, frame, sizeof(frame)), OK);
    assert_int_equal(wire.sent_bytes, 0);
    u->ops->flush(u);
    assert_int_equal(wire.sent_bytes, 10);
    assert_true(wire.wants_room);
    wire.room = FOREVER;
    assert_int_equal(poll_all(), 0);
    assert_false(wire.wants_room);
    assert_int_equal(wire.sent_bytes, n);
    assert_memory_equal(wire.sent, expected, n);
    assert_int_equal(u->tx_frames, 1);
}

static void test_send_refuses(void **state)
{
    (void)state;
    uint8_t frame[ETH_BYTES + SLIP_MTU + 1];
    wire.room = FOREVER;
    make_frame(frame, SLIP_MTU + 1);
    assert_int_equal(u->ops->send(u, frame, sizeof(frame)), ERR_INVALID);
    make_frame(frame, 100);
    assert_int_equal(u->ops->send(u, frame, ETH_BYTES + 99), ERR_INVALID);
    assert_int_equal(u->ops->send(u, frame, ETH_BYTES), ERR_INVALID);
    assert_int_equal(u->ops->send(u, frame, 0), ERR_INVALID);
    frame[13] = 6; /* ARP */
    assert_int_equal(u->ops->send(u, frame, ETH_BYTES + 100), ERR_INVALID);
    make_frame(frame, 100);
    frame[24] ^= 1; /* the checksum */
    assert_int_equal(u->ops->send(u, frame, ETH_BYTES + 100), ERR_INVALID);
    u->ops->flush(u);
    assert_int_equal(wire.sent_bytes, 0);
    assert_int_equal(u->tx_dropped, 6);
    assert_int_equal(u->tx_frames, 0);
}

/* What leaves is whole, in order, whenever the transmitter takes how much of it. */
static void test_send_through_a_slow_line(void **state)
{
    (void)state;
    uint8_t frame[ETH_BYTES + SLIP_MTU];
    uint8_t packet[SLIP_MTU];
    struct slip_decoder d = {.packet = packet};
    unsigned taken = 0, arrived = 0, busy = 0;
    uint8_t ids[4096];
    for (unsigned round = 0; round < 3000; round++) {
        size_t bytes = 20 + chance(round % 4 ? 100 : SLIP_MTU - 19);
        make_frame(frame, bytes);
        if (u->ops->send(u, frame, ETH_BYTES + bytes) == OK) {
            ids[taken++] = frame[18];
        } else {
            busy++;
        }
        wire.room = chance(400);
        (round % 3) ? u->ops->flush(u) : (void)poll_all();
    }
    wire.room = FOREVER;
    (void)poll_all();
    for (size_t i = 0; i < wire.sent_bytes; i++) {
        if (slip_decode(&d, wire.sent[i])) {
            assert_int_equal(packet[4], ids[arrived]);
            arrived++;
        }
    }
    assert_int_equal(arrived, taken);
    assert_int_equal(d.refused, 0);
    assert_int_equal(u->tx_frames, taken);
    assert_int_equal(u->tx_dropped, busy);
    assert_true(busy > 10 && taken > 1000);
}

/* A line that takes nothing: frames are dropped, nobody waits, and it goes on afterwards. */
static void test_send_to_a_dead_line(void **state)
{
    (void)state;
    uint8_t frame[ETH_BYTES + SLIP_MTU];
    make_frame(frame, SLIP_MTU);
    unsigned taken = 0;
    while (u->ops->send(u, frame, sizeof(frame)) == OK) {
        taken++;
        assert_true(taken < 10);
    }
    assert_in_range(taken, 3, 5);
    assert_int_equal(u->ops->send(u, frame, sizeof(frame)), ERR_BUSY);
    u->ops->flush(u);
    wire.room = FOREVER;
    (void)poll_all();
    assert_int_equal(u->ops->send(u, frame, sizeof(frame)), OK);
}

static void test_receive(void **state)
{
    (void)state;
    uint8_t frame[ETH_BYTES + SLIP_MTU];
    for (size_t bytes = 20; bytes <= SLIP_MTU; bytes += 37) {
        make_frame(frame, bytes);
        arrive(frame, bytes);
        assert_int_equal(poll_all(), 1);
        assert_int_equal(last_bytes, ETH_BYTES + bytes);
        assert_memory_equal(last, u->mac, 6);
        assert_memory_equal(last + 6, u->peer, 6);
        assert_memory_equal(last + 12, "\x08\x00", 2);
        assert_memory_equal(last + ETH_BYTES, frame + ETH_BYTES, bytes);
    }
    assert_int_equal(u->rx_frames, frames);
    assert_int_equal(u->refused, 0);
    assert_int_equal(poll_all(), 0);
}

/* However the bytes are spread over interrupts. */
static void test_receive_in_pieces(void **state)
{
    (void)state;
    uint8_t frame[ETH_BYTES + 200];
    make_frame(frame, 200);
    arrive(frame, 200);
    size_t n = wire.given_bytes;
    for (size_t cut = 0; cut <= n; cut++) {
        unsigned before = frames;
        wire.got_bytes = 0;
        wire.given_bytes = cut;
        (void)poll_all();
        assert_int_equal(frames, before + (cut == n));
        wire.given_bytes = n;
        (void)poll_all();
        assert_int_equal(frames, before + 1);
    }
    assert_int_equal(u->refused, 0);
}

static void test_budget(void **state)
{
    (void)state;
    uint8_t frame[ETH_BYTES + 40];
    make_frame(frame, 40);
    for (unsigned i = 0; i < 10; i++) {
        arrive(frame, 40);
    }
    assert_int_equal(u->ops->poll(u, 4, take), 4);
    assert_int_equal(frames, 4);
    assert_int_equal(u->ops->poll(u, 64, take), 6);
}

/* A receiver that is broken and never runs dry: each poll ends, and says that there may be more. */
static void test_receiver_gone_mad(void **state)
{
    (void)state;
    wire.endless = true;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(poll_all(), 64);
    }
    assert_int_equal(frames, 0);
    assert_int_equal(u->refused, 1);
}

static void test_packets_between_noise(void **state)
{
    (void)state;
    uint8_t frame[ETH_BYTES + 40];
    for (unsigned i = 0; i < 100; i++) {
        arrive_noise("login: ");
        make_frame(frame, 40);
        arrive(frame, 40);
    }
    assert_int_equal(poll_all() + poll_all(), 100);
    assert_int_equal(u->refused, 100);
}

static unsigned count_said(const char *what)
{
    unsigned n = 0;
    for (const char *p = said; (p = strstr(p, what)); p++) {
        n++;
    }
    return n;
}

static void good_packets(unsigned n)
{
    uint8_t frame[ETH_BYTES + 40];
    make_frame(frame, 40);
    for (unsigned i = 0; i < n; i++) {
        arrive(frame, 40);
        (void)poll_all();
    }
}

static void test_what_is_said(void **state)
{
    (void)state;
    good_packets(100);
    assert_string_equal(said, "");
    for (unsigned i = 0; i < 1000; i++) { /* bad, now and then good, within the ten seconds */
        arrive_noise("noise\xC0");
        (void)poll_all();
        good_packets(i % 20);
        host_time_advance(ticks_from_ns(NS_PER_MS));
    }
    assert_int_equal(count_said("no packet; 1 refused"), 1);
    assert_int_equal(count_said("slip:"), 1);
    host_time_advance(ticks_from_ns(20 * NS_PER_S));
    good_packets(20);
    assert_int_equal(count_said("good again"), 1);
    arrive_noise("noise\xC0");
    (void)poll_all();
    assert_int_equal(count_said("slip:"), 2); /* too soon */
    host_time_advance(ticks_from_ns(20 * NS_PER_S));
    good_packets(1);
    arrive_noise("noise\xC0");
    (void)poll_all();
    assert_int_equal(count_said("slip:"), 3);
    assert_int_equal(u->refused, 1002);
}

#define CASE(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_start),
        CASE(test_send),
        CASE(test_send_refuses),
        CASE(test_send_through_a_slow_line),
        CASE(test_send_to_a_dead_line),
        CASE(test_receive),
        CASE(test_receive_in_pieces),
        CASE(test_budget),
        CASE(test_receiver_gone_mad),
        CASE(test_packets_between_noise),
        CASE(test_what_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
