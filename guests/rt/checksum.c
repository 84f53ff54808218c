/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Internet checksum (RFC 1071), eight bytes a step. A ones' complement sum may be taken over
 * words of any width and folded at the end; a start at an odd address swaps the bytes of the sum.
 */
#include <stdint.h>

#include "lwip/opt.h"

static uint64_t add_carry(uint64_t sum, uint64_t value)
{
    sum += value;
    return sum + (sum < value ? 1 : 0);
}

static uint64_t sum_bytes(uint64_t sum, const uint8_t *data, unsigned count, unsigned position)
{
    for (unsigned i = 0; i < count; i++) {
        sum = add_carry(sum, (uint64_t)data[i] << (8 * ((position + i) % 2)));
    }
    return sum;
}

static uint16_t fold(uint64_t sum)
{
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint16_t)sum;
}

/* Sums `length` bytes as little-endian 16-bit words; does not complement. */
uint16_t rt_checksum(const void *data, int length)
{
    const uint8_t *bytes = data;
    unsigned left = (unsigned)length;
    unsigned odd = (unsigned)((uintptr_t)bytes & 1);
    unsigned head = (unsigned)(-(uintptr_t)bytes & 7);
    head = head < left ? head : left;
    uint64_t sum = sum_bytes(0, bytes, head, odd);
    bytes += head;
    left -= head;
    for (; left >= 8; left -= 8, bytes += 8) {
        sum = add_carry(sum, *(const uint64_t *)(const void *)bytes);
    }
    sum = sum_bytes(sum, bytes, left, 0);
    uint16_t folded = fold(sum);
    return odd ? (uint16_t)(folded << 8 | folded >> 8) : folded;
}
