// SPDX-License-Identifier: BSD-2-Clause
// sources: core/base/slip.c
/*
 * Any bytes on the line. What is accepted has a right header and the length that it says; it passes
 * once more, unchanged; and after all of them a good packet arrives with its first or second copy.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/slip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static size_t decode(struct slip_decoder *d, const uint8_t *line, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        size_t got = slip_decode(d, line[i]);
        bytes = got ? got : bytes;
    }
    return bytes;
}

static void check(const uint8_t *packet, size_t bytes)
{
    static uint8_t again[SLIP_MTU], line[SLIP_ENCODED_MAX(SLIP_MTU)];
    struct slip_decoder d = {.packet = again};
    must(bytes >= 20 && bytes <= SLIP_MTU && slip_ipv4_bytes(packet, bytes) == bytes);
    size_t n = slip_encode(line, packet, bytes);
    must(n <= SLIP_ENCODED_MAX(bytes));
    must(decode(&d, line, n) == bytes && memcmp(again, packet, bytes) == 0);
}

/* Makes a header's checksum right, so that the fuzzer comes past it. */
static void make_right(uint8_t *p)
{
    uint32_t sum = 0;
    p[10] = p[11] = 0;
    for (unsigned i = 0; i < 20; i += 2) {
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    }
    sum = (sum & 0xFFFF) + (sum >> 16);
    p[10] = (uint8_t)(~sum >> 8);
    p[11] = (uint8_t)~sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *packet = malloc(SLIP_MTU); /* its exact size, so that a step beyond is seen */
    uint8_t good[20] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17};
    uint8_t line[2 * SLIP_ENCODED_MAX(SLIP_MTU)];
    must(packet);
    struct slip_decoder d = {.packet = packet};
    for (size_t i = 0; i < size; i++) {
        if (data[i] == SLIP_END && d.bytes == 20 && size & 1) {
            make_right(packet);
        }
        size_t bytes = slip_decode(&d, data[i]);
        must(d.bytes <= SLIP_MTU);
        if (bytes > 0) {
            check(packet, bytes);
        }
    }
    make_right(good);
    size_t n = slip_encode(line, good, sizeof(good));
    (void)decode(&d, line, n);
    must(decode(&d, line, n) == sizeof(good) && memcmp(packet, good, sizeof(good)) == 0);
    if (size >= 20 && size <= SLIP_MTU) {
        memcpy(packet, data, size);
        n = slip_encode(line, packet, size);
        must(line[0] == SLIP_END && !memchr(line + 1, SLIP_END, n - 2));
    }
    free(packet);
    return 0;
}
