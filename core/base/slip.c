/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SLIP: one byte at a time in, whole packets out.
 *
 * Invariant: bytes <= SLIP_MTU. Whatever came before, the decoder is as new after an END.
 */
#include "core/base/slip.h"

#define IPV4_HEADER_MIN 20u
#define IPV4_TOTAL 2

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

size_t slip_ipv4_bytes(const uint8_t *packet, size_t bytes)
{
    uint32_t sum = 0;
    if (bytes < IPV4_HEADER_MIN || packet[0] >> 4 != 4) {
        return 0;
    }
    size_t header = (packet[0] & 0xFu) * 4u;
    size_t total = get16(packet + IPV4_TOTAL);
    if (header < IPV4_HEADER_MIN || total < header || total > bytes) {
        return 0;
    }
    for (size_t i = 0; i < header; i += 2) {
        sum += get16(packet + i);
    }
    return (sum & 0xFFFF) + (sum >> 16) == 0xFFFF ? total : 0;
}

static void begin(struct slip_decoder *d)
{
    d->bytes = 0;
    d->escaped = d->skipping = false;
}

static void refuse(struct slip_decoder *d)
{
    d->refused += !d->skipping;
    d->skipping = true;
}

static size_t end(struct slip_decoder *d)
{
    size_t bytes = d->bytes;
    if (d->escaped || (bytes > 0 && slip_ipv4_bytes(d->packet, bytes) != bytes)) {
        refuse(d);
    }
    bytes = d->skipping ? 0 : bytes;
    begin(d);
    return bytes;
}

size_t slip_decode(struct slip_decoder *d, uint8_t byte)
{
    if (byte == SLIP_END) {
        return end(d);
    }
    if (byte == SLIP_ESC && !d->escaped) {
        d->escaped = true;
        return 0;
    }
    if (d->escaped && byte != SLIP_ESC_END && byte != SLIP_ESC_ESC) {
        refuse(d);
    } else if (d->escaped) {
        byte = byte == SLIP_ESC_END ? SLIP_END : SLIP_ESC;
    }
    d->escaped = false;
    if (d->bytes == SLIP_MTU) {
        refuse(d);
    }
    if (!d->skipping) {
        d->packet[d->bytes++] = byte;
    }
    return 0;
}

size_t slip_encode(uint8_t *out, const uint8_t *packet, size_t bytes)
{
    size_t n = 0;
    out[n++] = SLIP_END;
    for (size_t i = 0; i < bytes; i++) {
        bool special = packet[i] == SLIP_END || packet[i] == SLIP_ESC;
        if (special) {
            out[n++] = SLIP_ESC;
        }
        out[n++] = !special ? packet[i] : packet[i] == SLIP_END ? SLIP_ESC_END : SLIP_ESC_ESC;
    }
    out[n++] = SLIP_END;
    return n;
}
