/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch: layer 2, keyed by VM number.
 *
 * VM n has MAC 02:54:4b + n in 24 bits and IPv4 address base + n, so forwarding is an index at any
 * scale and there is no table to learn or to overflow. The switch
 *   - answers ARP for every VM that exists and for its own address, so broadcasts wake nobody;
 *   - refuses what a VM sends under another's MAC or IPv4 address, and what comes from outside
 *     under the IPv4 address of a VM or its own;
 *   - forwards frames that come from the uplink for its own MAC by IPv4 destination, so that one
 *     route outside reaches every VM;
 *   - lets the outside speak for itself: a VM's ARP request for an address that is no VM's goes out
 *     as it is, and the answer comes back by MAC; on a wire with one peer and no ARP the switch
 *     answers for that peer;
 *   - answers pings to its own address.
 * Only unicast IPv4 and ARP pass; everything else is dropped and counted. Forwarding is not
 * routing: TTLs stay as they are.
 */
#ifndef DEV_VIRTUAL_SWITCH_H
#define DEV_VIRTUAL_SWITCH_H

#include "core/base/error.h"
#include "dev/virtual/nic.h"

#define SWITCH_VMS_MAX 0xFFFFFEu /* 24 bits of MAC, without 0 and the switch's own */
#define SWITCH_NUMBER 0xFFFFFFu  /* the switch's own, for switch_mac() */

struct switch_ops {
    /* Whether VM `n`, 1 to SWITCH_VMS_MAX, exists (it need not be resident) and how far it may
     * talk. */
    bool (*exists)(uint32_t n, enum nic_reach *reach);
    /* Hands a frame to VM `n`, which exists. `frame` is the caller's; copy it. */
    void (*deliver)(uint32_t n, const uint8_t *frame, size_t bytes);
    /* Sends a frame on the uplink; drops it when there is none or it is full. */
    void (*uplink)(const uint8_t *frame, size_t bytes);
};

/* IPv4 addresses in host byte order. */
struct switch_config {
    uint32_t base; /* VM n is at base + n */
    uint32_t netmask;
    uint32_t gateway; /* outside, for the VMs' default route */
    uint32_t address; /* of the switch itself */
};

struct switch_counters {
    uint64_t vm_to_vm, vm_to_uplink, uplink_to_vm;
    uint64_t arp_answered, echo_answered;
    uint64_t announced; /* gratuitous ARP of a VM: taken, told to nobody */
    uint64_t dropped_spoofed, dropped_reach, dropped_unknown, dropped_malformed;
};

void switch_init(const struct switch_config *config, const struct switch_ops *ops);

/* All that is outside is reached through the station `mac`, which nobody can ask: the switch
 * answers for it. All zero, as after switch_init: the outside answers for itself. */
void switch_set_peer(const uint8_t mac[6]);

void switch_mac(uint32_t n, uint8_t mac[6]);
uint32_t switch_ipv4(uint32_t n);
const struct switch_config *switch_get_config(void);
struct switch_counters switch_get_counters(void);

/* A frame from VM `n`; `frame` has room for NIC_FRAME_MAX bytes and may be changed. */
void switch_from_vm(uint32_t n, uint8_t *frame, size_t bytes);

/* A frame from the uplink; may be changed. */
void switch_from_uplink(uint8_t *frame, size_t bytes);

#endif
