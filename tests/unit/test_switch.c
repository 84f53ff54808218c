// SPDX-License-Identifier: BSD-2-Clause
// sources: dev/virtual/switch.c tests/unit/fake_space.c
/*
 * The switch: who may say what, who hears it, and that every frame is counted exactly once.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dev/virtual/switch.h"

#define BASE 0x0A400000u    /* 10.64.0.0 */
#define NETMASK 0xFFC00000u /* /10 */
#define GATEWAY 0x0A7FFFFDu
#define ADDRESS 0x0A7FFFFEu
#define OUTSIDE 0x08080808u /* 8.8.8.8 */

/* VMs of the test: 1 and 2 with an uplink, 3 and 4 internal, 5 without a network. */
#define VM_OFFLINE 5
#define VM_ABSENT 6

static uint8_t outside_mac[6] = {0x52, 0x55, 10, 127, 255, 253};

static struct {
    uint32_t to; /* VM; 0: the uplink */
    uint8_t frame[2048];
    size_t bytes;
    unsigned count;
} got;

static uint8_t frame[2048];
static size_t frame_bytes;

static bool exists(uint32_t n, enum nic_reach *reach)
{
    static const enum nic_reach reaches[] = {
        0, NIC_UPLINK, NIC_UPLINK, NIC_INTERNAL, NIC_INTERNAL, NIC_NONE};
    assert_true(n >= 1 && n <= SWITCH_VMS_MAX);
    if (n >= VM_ABSENT && n != SWITCH_VMS_MAX) {
        return false;
    }
    *reach = n < VM_ABSENT ? reaches[n] : NIC_UPLINK;
    return true;
}

static void take(uint32_t to, const uint8_t *p, size_t bytes)
{
    got.to = to;
    memcpy(got.frame, p, bytes);
    got.bytes = bytes;
    got.count++;
}

static void to_uplink(const uint8_t *p, size_t bytes)
{
    take(0, p, bytes);
}

static const struct switch_ops test_ops = {.exists = exists, .deliver = take, .uplink = to_uplink};

static int setup(void **state)
{
    (void)state;
    static const struct switch_config config = {
        .base = BASE, .netmask = NETMASK, .gateway = GATEWAY, .address = ADDRESS};
    switch_init(&config, &test_ops);
    memset(&got, 0, sizeof(got));
    return 0;
}

static void put(size_t at, uint64_t v, unsigned bytes)
{
    while (bytes-- > 0) {
        frame[at++] = (uint8_t)(v >> (8 * bytes));
    }
}

static uint64_t value(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    while (bytes-- > 0) {
        v = v << 8 | *p++;
    }
    return v;
}

static const uint8_t *vm_mac(uint32_t n)
{
    static uint8_t mac[6];
    switch_mac(n, mac);
    return mac;
}

static void ethernet(const uint8_t *dst, uint16_t type)
{
    memset(frame, 0, sizeof(frame));
    memcpy(frame, dst, 6);
    put(12, type, 2);
}

static void source(const uint8_t *mac)
{
    memcpy(frame + 6, mac, 6);
}

static void arp(const uint8_t *dst, uint16_t oper, const uint8_t *sha, uint32_t spa, uint32_t tpa)
{
    static const uint8_t fixed[] = {0, 1, 8, 0, 6, 4};
    uint8_t sender[6];
    memcpy(sender, sha, 6);
    ethernet(dst, 0x0806);
    source(sender);
    memcpy(frame + 14, fixed, sizeof(fixed));
    put(20, oper, 2);
    memcpy(frame + 22, sender, 6);
    put(28, spa, 4);
    put(38, tpa, 4);
    frame_bytes = 42;
}

static void udp(const uint8_t *dst, const uint8_t *src, uint32_t from_ip, uint32_t to_ip)
{
    uint8_t sender[6];
    memcpy(sender, src, 6);
    ethernet(dst, 0x0800);
    source(sender);
    frame[14] = 0x45;
    put(16, 128, 2);
    frame[22] = 64;
    frame[23] = 17;
    put(26, from_ip, 4);
    put(30, to_ip, 4);
    frame_bytes = 14 + 128;
}

static const uint8_t *copy(const uint8_t *mac)
{
    static uint8_t copies[4][6];
    static unsigned next;
    return memcpy(copies[next++ % 4], mac, 6);
}

static const uint8_t broadcast[6] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

static void udp_between(uint32_t from, uint32_t to)
{
    udp(copy(vm_mac(to)), copy(vm_mac(from)), switch_ipv4(from), switch_ipv4(to));
}

static void vm_asks(uint32_t from, uint32_t ip)
{
    arp(broadcast, 1, copy(vm_mac(from)), switch_ipv4(from), ip);
}

static void outside_asks(uint32_t ip)
{
    arp(broadcast, 1, outside_mac, GATEWAY, ip);
}

static uint64_t sum_of_counters(void)
{
    struct switch_counters c = switch_get_counters();
    return c.vm_to_vm + c.vm_to_uplink + c.uplink_to_vm + c.arp_answered + c.echo_answered +
           c.announced + c.dropped_spoofed + c.dropped_reach + c.dropped_unknown +
           c.dropped_malformed;
}

static void from_vm(uint32_t n)
{
    uint64_t before = sum_of_counters();
    switch_from_vm(n, frame, frame_bytes);
    assert_int_equal(sum_of_counters(), before + 1);
}

static void from_uplink(void)
{
    uint64_t before = sum_of_counters();
    switch_from_uplink(frame, frame_bytes);
    assert_int_equal(sum_of_counters(), before + 1);
}

static void assert_arp_reply(uint32_t to, const uint8_t *to_mac, uint32_t to_ip, uint32_t owner,
                             uint32_t owner_ip)
{
    assert_int_equal(got.count, 1);
    assert_int_equal(got.to, to);
    assert_int_equal(got.bytes, 42);
    assert_memory_equal(got.frame, to_mac, 6);
    assert_memory_equal(got.frame + 6, vm_mac(owner), 6);
    assert_int_equal(value(got.frame + 20, 2), 2);
    assert_memory_equal(got.frame + 22, vm_mac(owner), 6);
    assert_int_equal(value(got.frame + 28, 4), owner_ip);
    assert_memory_equal(got.frame + 32, to_mac, 6);
    assert_int_equal(value(got.frame + 38, 4), to_ip);
}

static void test_addresses(void **state)
{
    (void)state;
    static const uint8_t mac[6] = {0x02, 0x54, 0x4b, 0x01, 0x02, 0x03};
    assert_memory_equal(vm_mac(0x010203), mac, 6);
    assert_int_equal(switch_ipv4(7), BASE + 7);
    assert_int_equal(switch_get_config()->gateway, GATEWAY);
}

static void test_vm_to_vm(void **state)
{
    (void)state;
    udp_between(1, 2);
    from_vm(1);
    assert_int_equal(got.to, 2);
    assert_int_equal(got.bytes, frame_bytes);
    assert_memory_equal(got.frame, frame, frame_bytes);
    udp_between(3, 1);
    from_vm(3);
    assert_int_equal(got.to, 1);
    assert_int_equal(switch_get_counters().vm_to_vm, 2);
}

static void test_vm_to_nobody(void **state)
{
    (void)state;
    udp_between(1, VM_ABSENT);
    from_vm(1);
    udp_between(1, VM_OFFLINE);
    from_vm(1);
    udp_between(1, 0);
    from_vm(1);
    assert_int_equal(got.count, 0);
    assert_int_equal(switch_get_counters().dropped_unknown, 3);
}

static void test_vm_without_network(void **state)
{
    (void)state;
    udp_between(VM_OFFLINE, 1);
    from_vm(VM_OFFLINE);
    vm_asks(VM_OFFLINE, ADDRESS);
    from_vm(VM_OFFLINE);
    udp_between(VM_ABSENT, 1);
    from_vm(VM_ABSENT);
    udp_between(0, 1);
    from_vm(0); /* a template that boots */
    assert_int_equal(got.count, 0);
    assert_int_equal(switch_get_counters().dropped_reach, 4);
}

static void test_spoofed_by_vm(void **state)
{
    (void)state;
    udp(copy(vm_mac(2)), copy(vm_mac(3)), switch_ipv4(1), switch_ipv4(2));
    from_vm(1);
    udp(copy(vm_mac(2)), copy(vm_mac(1)), switch_ipv4(3), switch_ipv4(2));
    from_vm(1);
    udp(outside_mac, copy(vm_mac(1)), 0, OUTSIDE);
    from_vm(1);
    arp(broadcast, 1, copy(vm_mac(1)), switch_ipv4(2), switch_ipv4(3));
    from_vm(1);
    arp(broadcast, 1, copy(vm_mac(2)), switch_ipv4(1), switch_ipv4(3));
    from_vm(1);
    assert_int_equal(switch_get_counters().dropped_spoofed, 5);
    arp(broadcast, 1, copy(vm_mac(2)), switch_ipv4(1), switch_ipv4(3));
    source(vm_mac(1)); /* Ethernet says one thing, ARP another */
    from_vm(1);
    assert_int_equal(switch_get_counters().dropped_malformed, 1);
    assert_int_equal(got.count, 0);
}

static void test_spoofed_from_outside(void **state)
{
    (void)state;
    udp(copy(vm_mac(1)), outside_mac, switch_ipv4(2), switch_ipv4(1));
    from_uplink();
    udp(copy(vm_mac(1)), outside_mac, ADDRESS, switch_ipv4(1));
    from_uplink();
    arp(copy(vm_mac(1)), 2, outside_mac, switch_ipv4(2), switch_ipv4(1));
    from_uplink();
    assert_int_equal(got.count, 0);
    assert_int_equal(switch_get_counters().dropped_spoofed, 3);
}

static void test_vm_to_outside(void **state)
{
    (void)state;
    udp(outside_mac, copy(vm_mac(1)), switch_ipv4(1), OUTSIDE);
    from_vm(1);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.to, 0);
    assert_memory_equal(got.frame, frame, frame_bytes);
    udp(outside_mac, copy(vm_mac(3)), switch_ipv4(3), OUTSIDE);
    from_vm(3);
    assert_int_equal(got.count, 1);
    assert_int_equal(switch_get_counters().dropped_reach, 1);
}

static void test_arp_of_vm_for_vm(void **state)
{
    (void)state;
    vm_asks(3, switch_ipv4(2));
    from_vm(3);
    assert_arp_reply(3, copy(vm_mac(3)), switch_ipv4(3), 2, switch_ipv4(2));
}

static void test_arp_of_vm_for_switch(void **state)
{
    (void)state;
    vm_asks(3, ADDRESS);
    from_vm(3);
    assert_arp_reply(3, copy(vm_mac(3)), switch_ipv4(3), SWITCH_NUMBER, ADDRESS);
}

static void test_arp_of_vm_for_outside(void **state)
{
    (void)state;
    vm_asks(1, GATEWAY);
    from_vm(1);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.to, 0);
    assert_memory_equal(got.frame, frame, 42);
    vm_asks(3, GATEWAY);
    from_vm(3);
    assert_int_equal(got.count, 1);
    assert_int_equal(switch_get_counters().dropped_reach, 1);
}

/* A serial line has one peer and no ARP: it is all that is outside, for those who may go there. */
static void test_arp_of_vm_for_a_peer(void **state)
{
    (void)state;
    static const uint8_t peer[6] = {2, 1, 2, 3, 4, 5};
    switch_set_peer(peer);
    vm_asks(1, GATEWAY);
    from_vm(1);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.to, 1);
    assert_memory_equal(got.frame + 6, peer, 6);
    assert_int_equal(value(got.frame + 20, 2), 2);
    assert_memory_equal(got.frame + 22, peer, 6);
    assert_int_equal(value(got.frame + 28, 4), GATEWAY);
    vm_asks(3, GATEWAY);
    from_vm(3);
    assert_int_equal(got.count, 1);
    assert_int_equal(switch_get_counters().dropped_reach, 1);
    vm_asks(1, ADDRESS);
    from_vm(1);
    assert_memory_equal(got.frame + 22, vm_mac(SWITCH_NUMBER), 6);
}

static void test_gratuitous_arp(void **state)
{
    (void)state;
    vm_asks(1, switch_ipv4(1));
    from_vm(1);
    arp(broadcast, 2, copy(vm_mac(1)), switch_ipv4(1), switch_ipv4(1));
    from_vm(1);
    assert_int_equal(got.count, 0);
    assert_int_equal(switch_get_counters().announced, 2);
}

static void test_arp_reply_of_vm_goes_nowhere(void **state)
{
    (void)state;
    arp(copy(vm_mac(2)), 2, copy(vm_mac(1)), switch_ipv4(1), switch_ipv4(2));
    from_vm(1);
    assert_int_equal(got.count, 0);
    assert_int_equal(switch_get_counters().dropped_unknown, 1);
}

static void test_arp_from_outside(void **state)
{
    (void)state;
    outside_asks(switch_ipv4(2));
    from_uplink();
    assert_arp_reply(0, outside_mac, GATEWAY, 2, switch_ipv4(2));
    got.count = 0;
    outside_asks(ADDRESS);
    from_uplink();
    assert_arp_reply(0, outside_mac, GATEWAY, SWITCH_NUMBER, ADDRESS);
    got.count = 0;
    outside_asks(switch_ipv4(3)); /* internal */
    from_uplink();
    outside_asks(switch_ipv4(VM_ABSENT));
    from_uplink();
    outside_asks(OUTSIDE);
    from_uplink();
    assert_int_equal(got.count, 0);
    assert_int_equal(switch_get_counters().dropped_unknown, 3);
}

static void test_arp_reply_from_outside(void **state)
{
    (void)state;
    arp(copy(vm_mac(1)), 2, outside_mac, GATEWAY, switch_ipv4(1));
    from_uplink();
    assert_int_equal(got.to, 1);
    assert_int_equal(got.count, 1);
    arp(copy(vm_mac(3)), 2, outside_mac, GATEWAY, switch_ipv4(3));
    from_uplink();
    arp(copy(vm_mac(VM_ABSENT)), 2, outside_mac, GATEWAY, switch_ipv4(VM_ABSENT));
    from_uplink();
    arp(broadcast, 2, outside_mac, GATEWAY, GATEWAY);
    from_uplink();
    assert_int_equal(got.count, 1);
}

static void test_uplink_to_vm(void **state)
{
    (void)state;
    udp(copy(vm_mac(2)), outside_mac, OUTSIDE, switch_ipv4(2));
    from_uplink();
    assert_int_equal(got.to, 2);
    assert_memory_equal(got.frame, frame, frame_bytes);
    udp(copy(vm_mac(3)), outside_mac, OUTSIDE, switch_ipv4(3));
    from_uplink();
    assert_int_equal(got.count, 1);
    assert_int_equal(switch_get_counters().dropped_reach, 1);
    udp(outside_mac, outside_mac, OUTSIDE, switch_ipv4(1)); /* another station's */
    from_uplink();
    assert_int_equal(switch_get_counters().dropped_unknown, 1);
    assert_int_equal(switch_get_counters().uplink_to_vm, 1);
}

static void test_uplink_routed_by_address(void **state)
{
    (void)state;
    udp(copy(vm_mac(SWITCH_NUMBER)), outside_mac, OUTSIDE, switch_ipv4(2));
    from_uplink();
    assert_int_equal(got.to, 2);
    assert_memory_equal(got.frame, vm_mac(2), 6);
    assert_memory_equal(got.frame + 6, vm_mac(SWITCH_NUMBER), 6);
    assert_memory_equal(got.frame + 12, frame + 12, frame_bytes - 12);
    udp(copy(vm_mac(SWITCH_NUMBER)), outside_mac, OUTSIDE, switch_ipv4(3));
    from_uplink();
    udp(copy(vm_mac(SWITCH_NUMBER)), outside_mac, OUTSIDE, switch_ipv4(VM_ABSENT));
    from_uplink();
    udp(copy(vm_mac(SWITCH_NUMBER)), outside_mac, OUTSIDE, 0x7F000001);
    from_uplink();
    assert_int_equal(got.count, 1);
}

static void test_vm_routed_by_address(void **state)
{
    (void)state;
    udp(copy(vm_mac(SWITCH_NUMBER)), copy(vm_mac(3)), switch_ipv4(3), switch_ipv4(1));
    from_vm(3);
    assert_int_equal(got.to, 1);
    assert_memory_equal(got.frame, vm_mac(1), 6);
    udp(copy(vm_mac(SWITCH_NUMBER)), copy(vm_mac(1)), switch_ipv4(1), OUTSIDE);
    from_vm(1);
    assert_int_equal(got.count, 1);
    assert_int_equal(switch_get_counters().dropped_unknown, 1);
}

static void test_broadcast_and_multicast(void **state)
{
    (void)state;
    static const uint8_t multicast[6] = {0x01, 0x00, 0x5E, 0, 0, 1};
    udp(broadcast, copy(vm_mac(1)), switch_ipv4(1), 0xFFFFFFFF);
    from_vm(1);
    udp(multicast, copy(vm_mac(1)), switch_ipv4(1), 0xE0000001);
    from_vm(1);
    udp(broadcast, outside_mac, OUTSIDE, 0xFFFFFFFF);
    from_uplink();
    udp(multicast, outside_mac, OUTSIDE, 0xE0000001);
    from_uplink();
    assert_int_equal(got.count, 0);
    assert_int_equal(switch_get_counters().dropped_unknown, 4);
}

static uint16_t checksum(const uint8_t *p, size_t bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i += 2) {
        sum += value(p + i, 2);
    }
    while (sum >> 16) {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static void echo(const uint8_t *src, uint32_t from_ip, uint16_t salt)
{
    udp(copy(vm_mac(SWITCH_NUMBER)), src, from_ip, ADDRESS);
    frame[22] = 9;
    frame[23] = 1;
    frame[34] = 8;
    put(38, salt, 2);
    memset(frame + 42, 0x5A, 100);
    put(24, checksum(frame + 14, 20), 2);
    put(36, checksum(frame + 34, 108), 2);
    frame_bytes += 6; /* padding that does not come back */
}

static void test_ping(void **state)
{
    (void)state;
    for (uint32_t salt = 0; salt < 0x10000; salt++) { /* every value of the checksum */
        got.count = 0;
        echo(outside_mac, OUTSIDE, (uint16_t)salt);
        from_uplink();
        assert_int_equal(got.count, 1);
        assert_int_equal(checksum(got.frame + 34, 108), 0);
    }
    assert_int_equal(got.to, 0);
    assert_int_equal(got.bytes, 142);
    assert_memory_equal(got.frame, outside_mac, 6);
    assert_memory_equal(got.frame + 6, vm_mac(SWITCH_NUMBER), 6);
    assert_int_equal(value(got.frame + 26, 4), ADDRESS);
    assert_int_equal(value(got.frame + 30, 4), OUTSIDE);
    assert_int_equal(got.frame[22], 64);
    assert_int_equal(got.frame[34], 0);
    assert_int_equal(checksum(got.frame + 14, 20), 0);
    echo(copy(vm_mac(3)), switch_ipv4(3), 1);
    from_vm(3);
    assert_int_equal(got.to, 3);
}

static void test_not_a_ping(void **state)
{
    (void)state;
    echo(outside_mac, OUTSIDE, 1);
    frame[20] = 0x20; /* a fragment */
    from_uplink();
    echo(outside_mac, OUTSIDE, 1);
    frame[34] = 0; /* a reply */
    from_uplink();
    echo(outside_mac, OUTSIDE, 1);
    put(16, 27, 2); /* too short for its header */
    from_uplink();
    udp(copy(vm_mac(SWITCH_NUMBER)), outside_mac, OUTSIDE, ADDRESS);
    from_uplink();
    assert_int_equal(got.count, 0);
    assert_int_equal(switch_get_counters().dropped_unknown, 4);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        size_t bytes;
    } cases[] = {
        {0, 0, 13},      /* no Ethernet header */
        {0, 0, 33},      /* no IPv4 header */
        {0, 0, 141},     /* cut short */
        {14, 0x65, 142}, /* version 6 */
        {14, 0x44, 142}, /* header of 16 bytes */
        {17, 19, 142},   /* total below the header's */
        {16, 0xFF, 142}, /* total beyond the frame */
        {0, 0, NIC_FRAME_MAX + 1},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        udp_between(1, 2);
        if (cases[i].at) {
            frame[cases[i].at] = cases[i].value;
        }
        frame_bytes = cases[i].bytes;
        from_vm(1);
        from_uplink();
    }
    assert_int_equal(switch_get_counters().dropped_malformed, 16);
    for (size_t at = 14; at < 20; at++) {
        vm_asks(1, switch_ipv4(2));
        frame[at] ^= 1;
        from_vm(1);
    }
    vm_asks(1, switch_ipv4(2));
    frame_bytes = 41;
    from_vm(1);
    assert_int_equal(switch_get_counters().dropped_malformed, 23);
    assert_int_equal(got.count, 0);
}

static void test_other_protocols(void **state)
{
    (void)state;
    static const uint16_t types[] = {0x86DD, 0x8100, 0x0026, 0x0801};
    for (unsigned i = 0; i < 4; i++) {
        udp_between(1, 2);
        put(12, types[i], 2);
        from_vm(1);
        from_uplink();
    }
    assert_int_equal(got.count, 0);
    assert_int_equal(switch_get_counters().dropped_unknown, 8);
}

/* The highest VM number works; the numbers around it do not wrap into something else. */
static void test_last_number(void **state)
{
    (void)state;
    static const struct switch_config wide = {
        .base = 0x0A000000, .netmask = 0xFF000000, .gateway = 0x0B000001, .address = 0x0AFFFFFF};
    switch_init(&wide, &test_ops);
    udp_between(1, SWITCH_VMS_MAX);
    from_vm(1);
    assert_int_equal(got.to, SWITCH_VMS_MAX);
    vm_asks(1, 0x0A000000);
    from_vm(1);
    assert_int_equal(got.to, 0); /* number 0 is no VM: an outside address */
    vm_asks(1, 0x09FFFFFF);
    from_vm(1);
    assert_int_equal(got.to, 0);
    vm_asks(1, 0x0B000002); /* in 24 bits this would be VM 2 */
    from_vm(1);
    assert_int_equal(got.to, 0);
    assert_int_equal(switch_get_counters().arp_answered, 0);
}

/* A VM whose number leads out of the network is reached by MAC only. */
static void test_number_outside_netmask(void **state)
{
    (void)state;
    vm_asks(1, BASE + SWITCH_VMS_MAX);
    from_vm(1);
    assert_int_equal(got.to, 0);
    assert_int_equal(switch_get_counters().vm_to_uplink, 1);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_addresses),
        TEST(test_vm_to_vm),
        TEST(test_vm_to_nobody),
        TEST(test_vm_without_network),
        TEST(test_spoofed_by_vm),
        TEST(test_spoofed_from_outside),
        TEST(test_vm_to_outside),
        TEST(test_arp_of_vm_for_vm),
        TEST(test_arp_of_vm_for_switch),
        TEST(test_arp_of_vm_for_outside),
        TEST(test_arp_of_vm_for_a_peer),
        TEST(test_gratuitous_arp),
        TEST(test_arp_reply_of_vm_goes_nowhere),
        TEST(test_arp_from_outside),
        TEST(test_arp_reply_from_outside),
        TEST(test_uplink_to_vm),
        TEST(test_uplink_routed_by_address),
        TEST(test_vm_routed_by_address),
        TEST(test_broadcast_and_multicast),
        TEST(test_ping),
        TEST(test_not_a_ping),
        TEST(test_malformed),
        TEST(test_other_protocols),
        TEST(test_last_number),
        TEST(test_number_outside_netmask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
