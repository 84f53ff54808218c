// SPDX-License-Identifier: BSD-2-Clause
// sources: dev/virtual/switch.c tests/unit/fake_space.c
/*
 * Any frame from any VM or from outside. Every frame is counted once, goes to at most one place,
 * never reaches whom it may not reach, and never leaves under another's name.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dev/virtual/switch.h"

#define BASE 0x0A400000u
#define ADDRESS 0x0A7FFFFEu

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t sender; /* 0: outside */
static unsigned handed_on;
static size_t handed_bytes;

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static enum nic_reach reach_of(uint32_t n)
{
    return (enum nic_reach)(n % 3);
}

static bool exists(uint32_t n, enum nic_reach *reach)
{
    must(n >= 1 && n <= SWITCH_VMS_MAX);
    *reach = reach_of(n);
    return n < 1000;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_arp(const uint8_t *frame)
{
    return frame[13] == 6;
}

/* A frame that a VM sent, or an answer of the switch to `to`, is honest. */
static void check_honest(const uint8_t *frame, size_t bytes, uint32_t to)
{
    uint8_t own[6], ours[6];
    switch_mac(sender, own);
    switch_mac(SWITCH_NUMBER, ours);
    bool answer = to == sender;
    must(bytes >= 34 && bytes <= handed_bytes);
    if (sender != 0 && !answer) {
        must(memcmp(frame + 6, own, 6) == 0 || memcmp(frame + 6, ours, 6) == 0);
        must(be32(frame + (is_arp(frame) ? 28 : 26)) == switch_ipv4(sender));
    }
}

static void deliver(uint32_t n, const uint8_t *frame, size_t bytes)
{
    must(n >= 1 && n < 1000 && reach_of(n) != NIC_NONE);
    must(sender != 0 || reach_of(n) == NIC_UPLINK);
    check_honest(frame, bytes, n);
    handed_on++;
}

static void to_uplink(const uint8_t *frame, size_t bytes)
{
    must(sender == 0 || reach_of(sender) == NIC_UPLINK);
    check_honest(frame, bytes, 0);
    handed_on++;
}

static uint64_t dropped(const struct switch_counters *c)
{
    return c->announced + c->dropped_spoofed + c->dropped_reach + c->dropped_unknown +
           c->dropped_malformed;
}

static uint64_t passed(const struct switch_counters *c)
{
    return c->vm_to_vm + c->vm_to_uplink + c->uplink_to_vm + c->arp_answered + c->echo_answered;
}

/* Makes the frame more likely to be taken seriously, as the fuzzer wants: a bit for each field. */
static void make_plausible(uint8_t *frame, size_t bytes, uint8_t how)
{
    static const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0, 1};
    bool as_arp = how & 1;
    if (bytes < 42) {
        return;
    }
    if (how & 2) {
        switch_mac(sender, frame + 6);
    }
    if (how & 4) {
        frame[12] = 8;
        frame[13] = as_arp ? 6 : 0;
    }
    if (how & 8 && as_arp) {
        memcpy(frame + 14, arp, sizeof(arp));
        memcpy(frame + 22, frame + 6, 6);
    } else if (how & 8) {
        frame[14] = 0x45;
        frame[16] = (uint8_t)((bytes - 14) >> 8);
        frame[17] = (uint8_t)(bytes - 14);
    }
    if (how & 16) {
        uint32_t ip = switch_ipv4(sender);
        uint8_t *p = frame + (as_arp ? 28 : 26);
        for (unsigned i = 0; i < 4; i++) {
            p[i] = (uint8_t)(ip >> (24 - 8 * i));
        }
    }
    if (how & 32) {
        switch_mac(frame[5] & 1 ? SWITCH_NUMBER : frame[4], frame);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct switch_config config = {
        .base = BASE, .netmask = 0xFFC00000, .gateway = ADDRESS - 1, .address = ADDRESS};
    static const struct switch_ops ops = {
        .exists = exists, .deliver = deliver, .uplink = to_uplink};
    if (size < 3) {
        return 0;
    }
    uint8_t *frame = malloc(size); /* its exact size, so that a step beyond is seen */
    must(frame);
    switch_init(&config, &ops);
    handed_on = 0;
    handed_bytes = size - 3;
    sender = data[0] & 1 ? 0 : (uint32_t)(data[1] << 3 | data[0] >> 5);
    memcpy(frame, data + 3, handed_bytes);
    frame = realloc(frame, handed_bytes ? handed_bytes : 1);
    must(frame);
    make_plausible(frame, handed_bytes, data[2]);
    if (sender == 0) {
        switch_from_uplink(frame, handed_bytes);
    } else {
        switch_from_vm(sender, frame, handed_bytes);
    }
    struct switch_counters c = switch_get_counters();
    must(passed(&c) == handed_on && dropped(&c) + handed_on == 1);
    free(frame);
    return 0;
}
