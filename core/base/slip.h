/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 packets on a serial line: SLIP (RFC 1055), for EL2 and for the host's toklat-slip.
 *
 * SLIP has no checksum, and a UART that is late loses bytes. So a packet is handed on only when its
 * IPv4 header says exactly as many bytes as came, and is right by its own checksum: a byte lost or
 * repeated costs the packet that it was in (two, when it was the END between them), never more. A
 * byte that was changed inside the payload is left to the checksums of UDP and TCP.
 */
#ifndef CORE_BASE_SLIP_H
#define CORE_BASE_SLIP_H

#include "core/base/types.h"

#define SLIP_END 0xC0
#define SLIP_ESC 0xDB
#define SLIP_ESC_END 0xDC
#define SLIP_ESC_ESC 0xDD

/* The largest packet, either way; RFC 1055 has 1006, this is what Ethernet carries. */
#define SLIP_MTU 1500u

/* What a packet of `n` bytes takes on the line, at most. */
#define SLIP_ENCODED_MAX(n) (2 * (n) + 2)

struct slip_decoder {
    uint8_t *packet;  /* the user's, SLIP_MTU bytes */
    uint32_t bytes;   /* of it that have come */
    bool escaped;     /* the last byte was ESC */
    bool skipping;    /* until the next END: what comes belongs to no packet */
    uint64_t refused; /* packets and stretches of noise that were dropped */
};

/* Takes one byte of the line. When it ends a good packet, that packet's length; it stays in
 * `d->packet` until the next call. 0: not yet, or what ended was refused and counted. */
size_t slip_decode(struct slip_decoder *d, uint8_t byte);

/* Writes a packet as the line carries it, END before and after, and returns how many bytes that
 * takes; `out` has room for SLIP_ENCODED_MAX(bytes). */
size_t slip_encode(uint8_t *out, const uint8_t *packet, size_t bytes);

/* The length that an IPv4 header (RFC 791) says of its packet, or 0: it is none, wrong by its
 * checksum (RFC 1071), or longer than the `bytes` that are there. */
size_t slip_ipv4_bytes(const uint8_t *packet, size_t bytes);

#endif
