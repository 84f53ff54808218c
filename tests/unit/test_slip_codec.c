// SPDX-License-Identifier: BSD-2-Clause
// sources: core/base/slip.c
/*
 * SLIP, on lines that are good and lines that are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/slip.h"

#define PACKETS 64
#define WIRE_BYTES (PACKETS * SLIP_ENCODED_MAX(SLIP_MTU))

static uint8_t received[SLIP_MTU];
static uint8_t last[SLIP_MTU]; /* that was accepted */
static struct slip_decoder decoder;
static uint8_t wire[WIRE_BYTES], damaged[2 * WIRE_BYTES];

static uint32_t seed;

static uint32_t chance(uint32_t limit)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % limit;
}

static int setup(void **state)
{
    (void)state;
    decoder = (struct slip_decoder){.packet = received};
    seed = 1;
    return 0;
}

/* An IPv4 packet (RFC 791) whose payload is `fill`, or by chance when that is -1. */
static void make_packet(uint8_t *p, size_t bytes, int fill)
{
    static const uint8_t header[20] = {0x45, 0, 0,  0, 0, 0, 0,  0,  64, 17,
                                       0,    0, 10, 0, 0, 2, 10, 64, 0,  1};
    uint32_t sum = 0;
    memcpy(p, header, 20);
    p[2] = (uint8_t)(bytes >> 8);
    p[3] = (uint8_t)bytes;
    p[4] = (uint8_t)chance(256); /* the identification */
    for (size_t i = 0; i < 20; i += 2) {
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    }
    sum = (sum & 0xFFFF) + (sum >> 16);
    p[10] = (uint8_t)(~sum >> 8);
    p[11] = (uint8_t)~sum;
    for (size_t i = 20; i < bytes; i++) {
        p[i] = (uint8_t)(fill < 0 ? chance(256) : (uint32_t)fill);
    }
}

/* Decodes `n` bytes; how many packets came, the last of them `*bytes` long. */
static unsigned decode(const uint8_t *p, size_t n, size_t *bytes)
{
    unsigned packets = 0;
    for (size_t i = 0; i < n; i++) {
        size_t got = slip_decode(&decoder, p[i]);
        if (got) {
            assert_int_equal(slip_ipv4_bytes(received, got), got);
            memcpy(last, received, got);
            packets++;
            *bytes = got;
        }
    }
    return packets;
}

static void assert_passes(const uint8_t *packet, size_t bytes)
{
    size_t got = 0;
    size_t n = slip_encode(wire, packet, bytes);
    assert_true(n >= bytes + 2 && n <= SLIP_ENCODED_MAX(bytes));
    assert_int_equal(memchr(wire + 1, SLIP_END, n - 2) == NULL, 1);
    assert_int_equal(decode(wire, n, &got), 1);
    assert_int_equal(got, bytes);
    assert_memory_equal(last, packet, bytes);
    assert_int_equal(decoder.refused, 0);
}

static void test_every_size_and_byte(void **state)
{
    (void)state;
    uint8_t packet[SLIP_MTU];
    for (size_t bytes = 20; bytes <= SLIP_MTU; bytes++) {
        make_packet(packet, bytes, -1);
        assert_passes(packet, bytes);
    }
    for (int fill = 0; fill < 256; fill++) {
        make_packet(packet, SLIP_MTU, fill);
        assert_passes(packet, SLIP_MTU);
    }
}

/* RFC 1055: the two escapes, and nothing else is touched. */
static void test_as_the_rfc_has_it(void **state)
{
    (void)state;
    static const uint8_t packet[] = {1, 0xC0, 0xDB, 0xDC, 0xDD};
    static const uint8_t expected[] = {0xC0, 1, 0xDB, 0xDC, 0xDB, 0xDD, 0xDC, 0xDD, 0xC0};
    assert_int_equal(slip_encode(wire, packet, sizeof(packet)), sizeof(expected));
    assert_memory_equal(wire, expected, sizeof(expected));
}

/* A packet cut off at each byte, the rest never sent: the next one arrives all the same. */
static void test_cut_at_every_byte(void **state)
{
    (void)state;
    uint8_t packet[100];
    make_packet(packet, sizeof(packet), SLIP_END);
    size_t got = 0, n = slip_encode(wire, packet, sizeof(packet));
    for (size_t cut = 0; cut < n; cut++) {
        uint64_t refused = decoder.refused;
        assert_int_equal(decode(wire, cut, &got), 0);
        assert_int_equal(decode(wire, n, &got), cut == n - 1 ? 2 : 1); /* the END came late */
        assert_int_equal(decoder.refused - refused, cut > 1 && cut < n - 1);
        assert_memory_equal(last, packet, sizeof(packet));
    }
}

/* A packet without its beginning: refused, and the next is good. */
static void test_begun_at_every_byte(void **state)
{
    (void)state;
    uint8_t packet[100];
    make_packet(packet, sizeof(packet), SLIP_ESC);
    size_t got = 0, n = slip_encode(wire, packet, sizeof(packet));
    for (size_t cut = 2; cut < n; cut++) {
        assert_int_equal(decode(wire + cut, n - cut, &got), 0);
        assert_int_equal(decode(wire, n, &got), 1);
    }
}

static void assert_refused(const uint8_t *line, size_t n)
{
    size_t got = 0;
    uint64_t before = decoder.refused;
    assert_int_equal(decode(line, n, &got), 0);
    assert_int_equal(decoder.refused, before + 1);
}

static void assert_packet_refused(const uint8_t *packet, size_t bytes)
{
    assert_refused(damaged, slip_encode(damaged, packet, bytes));
}

static void test_headers(void **state)
{
    (void)state;
    uint8_t packet[60];
    for (unsigned i = 0; i < 20 * 8; i++) { /* one bit of the header is wrong */
        make_packet(packet, sizeof(packet), -1);
        packet[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_packet_refused(packet, sizeof(packet));
    }
    make_packet(packet, sizeof(packet), -1);
    for (size_t bytes = 1; bytes < sizeof(packet); bytes++) { /* shorter than it says */
        assert_packet_refused(packet, bytes);
    }
    make_packet(packet, sizeof(packet) - 1, -1); /* longer */
    assert_packet_refused(packet, sizeof(packet));
}

static void test_bad_escapes(void **state)
{
    (void)state;
    static const uint8_t text[] = {'a', SLIP_ESC, 'b', SLIP_END};
    static const uint8_t twice[] = {'a', SLIP_ESC, SLIP_ESC, SLIP_ESC_END, SLIP_END};
    static const uint8_t open[] = {'a', SLIP_ESC, SLIP_END};
    static const uint8_t alone[] = {SLIP_ESC, SLIP_END};
    assert_refused(text, sizeof(text));
    assert_refused(twice, sizeof(twice));
    assert_refused(open, sizeof(open));
    assert_refused(alone, sizeof(alone));

    uint8_t packet[40]; /* right in all but its last byte's escape */
    make_packet(packet, sizeof(packet), SLIP_ESC);
    size_t n = slip_encode(damaged, packet, sizeof(packet));
    damaged[n - 2] = 'b';
    assert_refused(damaged, n);
}

static void test_empty_packets_are_nothing(void **state)
{
    (void)state;
    size_t got = 0;
    memset(wire, SLIP_END, 1000);
    assert_int_equal(decode(wire, 1000, &got), 0);
    assert_int_equal(decoder.refused, 0);
}

/* Longer than the MTU: dropped whole, counted once, at whatever length it ends. */
static void test_too_long(void **state)
{
    (void)state;
    uint8_t packet[SLIP_MTU];
    size_t got = 0;
    make_packet(packet, SLIP_MTU, 'x');
    size_t n = slip_encode(damaged, packet, SLIP_MTU);
    damaged[n - 1] = 'y';
    assert_int_equal(decode(damaged, n, &got), 0);
    assert_int_equal(decoder.refused, 1); /* at once, not when it ends */
    memset(wire, 'z', WIRE_BYTES);
    assert_int_equal(decode(wire, WIRE_BYTES, &got), 0);
    wire[0] = SLIP_END;
    assert_int_equal(decode(wire, 1, &got), 0);
    assert_int_equal(decoder.refused, 1);
    n = slip_encode(wire, packet, SLIP_MTU);
    assert_int_equal(decode(wire, n, &got), 1);
}

/* What a damaged line is made of. */
struct damage {
    uint32_t one_in; /* a byte of so many is hit */
    bool drop, repeat, change;
};

static size_t hit(const struct damage *d, const uint8_t *from, size_t n, uint8_t *to)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = from[i];
        bool hurt = chance(d->one_in) == 0;
        if (hurt && d->change) {
            byte = (uint8_t)chance(256);
        }
        if (!hurt || !d->drop) {
            to[out++] = byte;
        }
        if (hurt && d->repeat) {
            to[out++] = byte;
        }
    }
    return out;
}

/* Whatever is accepted has a right header, and its payload is as long as was sent; a line that is
 * good again brings the second packet at the latest. */
static void lossy(const struct damage *d)
{
    uint8_t packet[SLIP_MTU];
    size_t before = 0;
    for (unsigned round = 0; round < 2000; round++) {
        size_t bytes = 20 + chance(round % 8 ? 200 : SLIP_MTU - 19), got = 0;
        make_packet(packet, bytes, round % 3 ? -1 : SLIP_END);
        size_t n = slip_encode(wire, packet, bytes);
        size_t m = hit(d, wire, n, damaged);
        if (decode(damaged, m, &got) && !d->change) {
            assert_true(got == bytes || got == before); /* the END of the one before came late */
        }
        before = bytes;
        if (round % 10 == 9) {
            (void)decode(wire, n, &got);
            assert_int_equal(decode(wire, n, &got), 1);
            assert_memory_equal(last, packet, bytes);
        }
    }
    assert_true(decoder.refused > 100);
}

static void test_lost_bytes(void **state)
{
    (void)state;
    lossy(&(struct damage){.one_in = 300, .drop = true});
}

static void test_repeated_bytes(void **state)
{
    (void)state;
    lossy(&(struct damage){.one_in = 300, .repeat = true});
}

static void test_changed_bytes(void **state)
{
    (void)state;
    lossy(&(struct damage){.one_in = 100, .change = true});
}

static void test_everything_at_once(void **state)
{
    (void)state;
    lossy(&(struct damage){.one_in = 20, .drop = true, .change = true});
    lossy(&(struct damage){.one_in = 20, .repeat = true, .change = true});
}

/* Noise alone: nothing of it is a packet. */
static void test_noise(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4000000; i++) {
        size_t got = slip_decode(&decoder, (uint8_t)chance(256));
        assert_int_equal(got, 0);
        assert_true(decoder.bytes <= SLIP_MTU);
    }
    assert_true(decoder.refused > 1000);
}

#define CASE(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_every_size_and_byte),
        CASE(test_as_the_rfc_has_it),
        CASE(test_cut_at_every_byte),
        CASE(test_begun_at_every_byte),
        CASE(test_headers),
        CASE(test_bad_escapes),
        CASE(test_empty_packets_are_nothing),
        CASE(test_too_long),
        CASE(test_lost_bytes),
        CASE(test_repeated_bytes),
        CASE(test_changed_bytes),
        CASE(test_everything_at_once),
        CASE(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
