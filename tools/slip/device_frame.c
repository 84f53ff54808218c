/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets from and to the device. On a TAP device all that is outside is at one station, `peer`.
 */
#include "tools/slip/slip.h"

#include <string.h>
#include <unistd.h>

#include "core/base/slip.h"

#define ETH_BYTES 14u
#define ETH_SRC 6
#define ETH_TYPE 12

/* ARP over Ethernet and IPv4 (RFC 826), offsets from the frame's start. */
#define ARP_FIXED 14
#define ARP_OPER 21
#define ARP_SHA 22
#define ARP_SPA 28
#define ARP_THA 32
#define ARP_TPA 38
#define ARP_END 42u

static const uint8_t peer[6] = {0x02, 'S', 'L', 'I', 'P', 2}; /* locally administered */
static const uint8_t type_ipv4[2] = {0x08, 0x00};
static const uint8_t type_arp[2] = {0x08, 0x06};

/* Answers a request for another's address. */
static void answer_arp(const struct device *d, uint8_t *frame, size_t bytes)
{
    static const uint8_t request[] = {0, 1, 8, 0, 6, 4, 0, 1};
    uint8_t target[4];
    if (bytes < ARP_END || memcmp(frame + ARP_FIXED, request, sizeof(request)) != 0 ||
        memcmp(frame + ARP_SPA, frame + ARP_TPA, 4) == 0) {
        return;
    }
    memcpy(target, frame + ARP_TPA, 4);
    memmove(frame + ARP_THA, frame + ARP_SHA, 10);
    memcpy(frame + ARP_SPA, target, 4);
    memcpy(frame + ARP_SHA, peer, 6);
    memcpy(frame, frame + ETH_SRC, 6);
    memcpy(frame + ETH_SRC, peer, 6);
    frame[ARP_OPER] = 2;
    (void)!write(d->fd, frame, ARP_END);
}

size_t device_read(const struct device *d, uint8_t *packet, uint64_t *others)
{
    uint8_t frame[ETH_BYTES + SLIP_MTU];
    size_t header = d->tap ? ETH_BYTES : 0;
    ssize_t n = read(d->fd, frame, header + SLIP_MTU);
    if (n <= (ssize_t)header) {
        return 0;
    }
    size_t bytes = 0;
    if (!d->tap || memcmp(frame + ETH_TYPE, type_ipv4, 2) == 0) {
        bytes = slip_ipv4_bytes(frame + header, (size_t)n - header);
    } else if (memcmp(frame + ETH_TYPE, type_arp, 2) == 0) {
        answer_arp(d, frame, (size_t)n);
    }
    *others += bytes == 0;
    memcpy(packet, frame + header, bytes);
    return bytes;
}

bool device_write(const struct device *d, const uint8_t *packet, size_t bytes)
{
    uint8_t frame[ETH_BYTES + SLIP_MTU];
    size_t header = d->tap ? ETH_BYTES : 0;
    memcpy(frame, d->mac, 6);
    memcpy(frame + ETH_SRC, peer, 6);
    memcpy(frame + ETH_TYPE, type_ipv4, 2);
    memcpy(frame + header, packet, bytes);
    return write(d->fd, frame, header + bytes) == (ssize_t)(header + bytes);
}
