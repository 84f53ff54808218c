/* SPDX-License-Identifier: BSD-2-Clause */
// sources: core/base/crc32c.c arch/host/checksum.c
/*
 * CRC32C: the vectors of RFC 3720, B.4, and, for every alignment, length and split, the same as one
 * bit at a time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/memory.h"
#include "core/base/crc32c.h"

static uint8_t buffer[4096 + 8];

/* As the RFC defines it: the remainder of a division, lowest bit first. */
static uint32_t divide(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (size_t bit = 0; bit < n * 8; bit++) {
        unsigned out = (crc ^ (unsigned)p[bit / 8] >> bit % 8) & 1;
        crc = crc >> 1 ^ (out ? 0x82F63B78u : 0);
    }
    return ~crc;
}

static int fill(void **state)
{
    (void)state;
    srand(1);
    for (size_t i = 0; i < sizeof(buffer); i++) {
        buffer[i] = (uint8_t)rand();
    }
    return 0;
}

static void vectors_of_the_rfc(void **state)
{
    (void)state;
    uint8_t p[32];
    memset(p, 0, sizeof(p));
    assert_int_equal(crc32c(0, p, sizeof(p)), 0x8a9136aa);
    memset(p, 0xff, sizeof(p));
    assert_int_equal(crc32c(0, p, sizeof(p)), 0x62a8ab43);
    for (unsigned i = 0; i < sizeof(p); i++) {
        p[i] = (uint8_t)i;
    }
    assert_int_equal(crc32c(0, p, sizeof(p)), 0x46dd794e);
    for (unsigned i = 0; i < sizeof(p); i++) {
        p[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(crc32c(0, p, sizeof(p)), 0x113fdb5c);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, p, 0), 0);
}

static void every_alignment_and_length(void **state)
{
    (void)state;
    for (size_t at = 0; at < 8; at++) {
        for (size_t n = 0; n < 200; n++) {
            uint8_t *p = malloc(MAX(at + n, 1u)); /* exactly what may be read */
            memcpy(p, buffer, at + n);
            uint32_t crc = (uint32_t)(at * 0x01234567 + n);
            assert_int_equal(crc32c(crc, p + at, n), divide(crc, buffer + at, n));
            free(p);
        }
        assert_int_equal(crc32c(0, buffer + at, 4096), divide(0, buffer + at, 4096));
    }
}

static void every_split(void **state)
{
    (void)state;
    uint32_t whole = crc32c(0, buffer, 300);
    for (size_t n = 0; n <= 300; n++) {
        assert_int_equal(crc32c(crc32c(0, buffer, n), buffer + n, 300 - n), whole);
        assert_int_equal(checksum(checksum(0, buffer, n), buffer + n, 300 - n), whole);
    }
}

static void every_bit_counts(void **state)
{
    (void)state;
    uint32_t whole = crc32c(0, buffer, 72);
    for (unsigned bit = 0; bit < 72 * 8; bit++) {
        buffer[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(crc32c(0, buffer, 72), whole);
        buffer[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(vectors_of_the_rfc, fill),
        cmocka_unit_test_setup(every_alignment_and_length, fill),
        cmocka_unit_test_setup(every_split, fill),
        cmocka_unit_test_setup(every_bit_counts, fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
