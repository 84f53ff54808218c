/* SPDX-License-Identifier: BSD-2-Clause */
// sources: core/base/random.c core/base/log.c core/base/fmt.c
/*
 * ChaCha20 against RFC 8439, and what the streams promise.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "core/base/random.h"

static void block_of(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3],
                     const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t out[64];
    char text[129] = "";
    chacha20_block(key, counter, nonce, out);
    for (unsigned i = 0; i < 64; i++) {
        text[2 * i] = digits[out[i] >> 4];
        text[2 * i + 1] = digits[out[i] & 15];
    }
    assert_string_equal(text, hex);
}

/* RFC 8439, section 2.3.2. */
static void block_of_section_2_3_2(void **state)
{
    (void)state;
    const uint32_t key[8] = {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                             0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c};
    const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
    block_of(key, 1, nonce,
             "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
             "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e");
}

/* RFC 8439, appendix A.1, vectors 1 to 5. */
static void blocks_of_appendix_a1(void **state)
{
    (void)state;
    const uint32_t zero[8] = {0}, last_one[8] = {0, 0, 0, 0, 0, 0, 0, 0x01000000};
    const uint32_t second_ff[8] = {0x0000ff00};
    const uint32_t nonce[3] = {0}, nonce_two[3] = {0, 0, 0x02000000};
    block_of(zero, 0, nonce,
             "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
             "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
    block_of(zero, 1, nonce,
             "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
             "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
    block_of(last_one, 1, nonce,
             "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
             "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0");
    block_of(second_ff, 2, nonce,
             "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
             "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096");
    block_of(zero, 0, nonce_two,
             "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
             "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d");
}

static void streams_differ_and_repeat(void **state)
{
    (void)state;
    uint8_t a[64], b[64];
    random_stream(1, 0, a, 64);
    random_stream(1, 0, b, 64);
    assert_memory_equal(a, b, 64);
    random_stream(2, 0, b, 64);
    assert_memory_not_equal(a, b, 64);
    random_stream(1, 1, b, 64);
    assert_memory_not_equal(a, b, 64);
    random_stream(1ull << 32, 0, b, 64);
    assert_memory_not_equal(a, b, 64);
}

static void short_streams_are_prefixes(void **state)
{
    (void)state;
    uint8_t a[64], b[64];
    random_stream(5, 5, a, 64);
    for (size_t n = 0; n < 64; n++) {
        memset(b, 0x5C, sizeof(b));
        random_stream(5, 5, b, n);
        assert_memory_equal(a, b, n);
        assert_int_equal(b[n], 0x5C);
    }
}

static void every_bit_of_entropy_changes_all(void **state)
{
    (void)state;
    uint8_t before[64], after[64], chunk[100] = {0};
    random_stream(7, 0, before, 64);
    random_add_entropy(chunk, 0);
    random_stream(7, 0, after, 64);
    assert_memory_equal(before, after, 64);
    /* The same bytes twice do not cancel, nor do zeros count for nothing. */
    for (unsigned i = 0; i < 4; i++) {
        random_add_entropy(chunk, sizeof(chunk));
        random_stream(7, 0, after, 64);
        assert_memory_not_equal(before, after, 64);
        memcpy(before, after, 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_of_section_2_3_2),
        cmocka_unit_test(blocks_of_appendix_a1),
        cmocka_unit_test(streams_differ_and_repeat),
        cmocka_unit_test(short_streams_are_prefixes),
        cmocka_unit_test(every_bit_of_entropy_changes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
