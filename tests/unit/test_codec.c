/* SPDX-License-Identifier: BSD-2-Clause */
// sources: mm/codec.c arch/host/memory.c arch/host/cpu.c
/*
 * Pages as a store keeps them: what is coded comes back, known pages have known sizes, and nothing
 * that was not coded here is believed. Coded bytes lie at the end of their memory, where the
 * sanitizer sees what is read too far.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/host/host.h"
#include "arch/memory.h"
#include "mm/codec.h"
#include "mm/lz4.h"

#define WORDS 512
#define DELTA_WORDS_MAX 503 /* with the bitmap still shorter than a page */

static uint64_t *page, *base, *back; /* whole pages of RAM, as page_copy demands */
static uint64_t out[WORDS + 1];

static uint64_t random64(void)
{
    return (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
}

static int fresh(void **state)
{
    (void)state;
    host_memory_init(MIB(1));
    page = arch_ptr(PA(HOST_RAM_BASE));
    base = arch_ptr(PA(HOST_RAM_BASE + 2 * PAGE_SIZE));
    back = arch_ptr(PA(HOST_RAM_BASE + 4 * PAGE_SIZE));
    srand(3);
    for (unsigned i = 0; i < WORDS; i++) {
        base[i] = random64();
    }
    memcpy(page, base, PAGE_SIZE);
    return 0;
}

/* `bytes` of `in` and nothing after them. */
static enum err decode(const void *in, uint32_t bytes, enum store_coding coding,
                       const void *against)
{
    uint8_t *exact = malloc(bytes ? bytes : 1);
    memcpy(exact, in, bytes);
    memset(back, 0x5A, 2 * PAGE_SIZE);
    enum err e = codec_decode(exact, bytes, coding, against, back);
    for (unsigned i = WORDS; i < 2 * WORDS; i++) {
        assert_int_equal(back[i], 0x5A5A5A5A5A5A5A5A);
    }
    free(exact);
    return e;
}

/* Codes and decodes; returns the length. */
static uint32_t round_trip(const void *against, enum store_coding *coding)
{
    memset(out, 0xEE, sizeof(out));
    uint32_t bytes = codec_encode(page, against, out, coding);
    assert_in_range(bytes, 8, PAGE_SIZE);
    assert_int_equal(bytes % 8, 0);
    assert_int_equal(out[WORDS], 0xEEEEEEEEEEEEEEEE);
    assert_int_equal(decode(out, bytes, *coding, against), OK);
    assert_memory_equal(back, page, PAGE_SIZE);
    return bytes;
}

static void expect(const void *against, enum store_coding coding, uint32_t bytes)
{
    enum store_coding got;
    assert_int_equal(round_trip(against, &got), bytes);
    assert_int_equal(got, coding);
}

static void known_pages_have_known_sizes(void **state)
{
    (void)state;
    expect(base, STORE_DELTA, 64);
    expect(NULL, STORE_RAW, PAGE_SIZE);
    page[0] ^= 1;
    page[511] ^= 1ull << 63;
    expect(base, STORE_DELTA, 64 + 2 * 8);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[7], 1ull << 63);
    assert_int_equal(out[8], page[0]);
    assert_int_equal(out[9], page[511]);
    memset(page, 0, PAGE_SIZE);
    expect(NULL, STORE_DELTA, 64);
    page[77] = 1;
    expect(NULL, STORE_DELTA, 72);
    assert_int_equal(out[1], 1ull << 13);
}

/* Text repeats itself; noise does not. */
static void text_is_packed(void **state)
{
    (void)state;
    char *text = (char *)page;
    for (unsigned i = 0; i < PAGE_SIZE; i++) {
        text[i] = "VM 17: GET /vm/17/status.json HTTP/1.1\r\n"[i % 40];
    }
    enum store_coding coding;
    uint32_t bytes = round_trip(base, &coding);
    assert_int_equal(coding, STORE_LZ4);
    assert_in_range(bytes, 64, 128);
    assert_int_equal(ALIGN_UP(out[0], 8) + 8, bytes);
    for (uint64_t at = 8 + out[0]; at < bytes; at++) {
        assert_int_equal(((uint8_t *)out)[at], 0);
    }
    memcpy(page, base, PAGE_SIZE / 2);
    memcpy(page + WORDS / 2, base, PAGE_SIZE / 2);
    assert_in_range(round_trip(NULL, &coding), PAGE_SIZE / 2, PAGE_SIZE / 2 + 64);
    assert_int_equal(coding, STORE_LZ4);
}

/* What LZ4 would save is not worth it. */
static void noise_with_holes_is_not(void **state)
{
    (void)state;
    enum store_coding coding;
    memset(page, 0, PAGE_SIZE / 2);
    expect(NULL, STORE_DELTA, 64 + PAGE_SIZE / 2);
    memcpy(page, base, PAGE_SIZE / 2);
    memset(page, 0, 256);
    expect(NULL, STORE_DELTA, 64 + PAGE_SIZE - 256);
    memcpy(page, page + WORDS / 2, 600);
    assert_in_range(round_trip(NULL, &coding), PAGE_SIZE - 600, PAGE_SIZE - 512);
    assert_int_equal(coding, STORE_LZ4);
    memcpy(page, base, 600);
    memcpy(page, page + WORDS / 2, 500);
    expect(NULL, STORE_RAW, PAGE_SIZE);
}

static void lz4_is_tried_past_half_a_page(void **state)
{
    (void)state;
    enum store_coding coding;
    memset(page, 0, PAGE_SIZE / 2);
    memset(page + WORDS / 2, 'a', PAGE_SIZE / 2);
    expect(NULL, STORE_DELTA, 64 + PAGE_SIZE / 2);
    page[0] = 1;
    round_trip(NULL, &coding);
    assert_int_equal(coding, STORE_LZ4);
}

/* A word here, a word there, as long as a delta is shorter than the page. */
static void every_number_of_words(void **state)
{
    (void)state;
    for (uint32_t n = 0; n <= WORDS; n++) {
        memcpy(page, base, PAGE_SIZE);
        for (uint32_t i = 0; i < n; i++) {
            page[i * 263 % WORDS] ^= 1ull << i % 64; /* 263 is odd: every word once */
        }
        enum store_coding coding;
        uint32_t bytes = round_trip(base, &coding);
        if (n <= 496) {
            assert_int_equal(bytes, 64 + 8 * n);
        } else if (n > DELTA_WORDS_MAX) {
            assert_int_equal(bytes, PAGE_SIZE);
            assert_int_equal(coding, STORE_RAW);
        }
    }
}

static void random_pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        unsigned words = 1u << (unsigned)rand() % 10;
        for (unsigned w = 0; w < words; w++) {
            page[(unsigned)rand() % WORDS] = rand() % 3 ? random64() : 0;
        }
        if (rand() % 8 == 0) {
            memset(page, 0, PAGE_SIZE / 2);
        }
        enum store_coding coding;
        round_trip(base, &coding);
        round_trip(NULL, &coding);
    }
}

static void refuse(uint32_t bytes, enum store_coding coding)
{
    assert_int_equal(decode(out, bytes, coding, base), ERR_INVALID);
    assert_int_equal(decode(out, bytes, coding, NULL), ERR_INVALID);
}

/* Only one length fits a delta, and only a page is a raw page. */
static void every_other_length_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        page[i * 11] ^= 5;
    }
    enum store_coding coding;
    uint32_t length = codec_encode(page, base, out, &coding);
    assert_int_equal(length, 64 + 40 * 8);
    for (uint32_t bytes = 0; bytes <= PAGE_SIZE; bytes++) {
        if (bytes != length) {
            refuse(bytes, STORE_DELTA);
        }
        if (bytes != PAGE_SIZE) {
            refuse(bytes, STORE_RAW);
        }
    }
}

/* What store_page.code can say, and a caller may pass on without a look. */
static void lengths_and_codings_that_do_not_exist(void **state)
{
    (void)state;
    static uint64_t big[STORE_PAGE_BYTES(0xFFF) / 8];
    for (unsigned coding = 0; coding < 16; coding++) {
        assert_int_equal(decode(big, sizeof(big), (enum store_coding)coding, NULL), ERR_INVALID);
        assert_int_equal(decode(big, PAGE_SIZE + 8, (enum store_coding)coding, base), ERR_INVALID);
        if (coding > STORE_LZ4) {
            refuse(PAGE_SIZE, (enum store_coding)coding);
            refuse(64, (enum store_coding)coding);
        }
    }
}

/* A bitmap that wants one word more or less than there are. */
static void bitmaps_that_lie(void **state)
{
    (void)state;
    memset(out, 0xFF, sizeof(out));
    for (uint32_t bytes = 64; bytes <= PAGE_SIZE; bytes += 8) {
        refuse(bytes, STORE_DELTA);
    }
    memset(out, 0, 64);
    refuse(72, STORE_DELTA);
    out[7] = 1ull << 63;
    refuse(64, STORE_DELTA);
    refuse(80, STORE_DELTA);
    assert_int_equal(decode(out, 72, STORE_DELTA, base), OK);
    static uint64_t all[64 / 8 + WORDS]; /* every word of the page: longer than the page itself */
    memset(all, 0xFF, sizeof(all));
    assert_int_equal(decode(all, sizeof(all), STORE_DELTA, base), ERR_INVALID);
}

/* `n` bytes of a block, in a frame that says `length`. */
static enum err unpack(const void *block, uint32_t n, uint64_t length, uint32_t bytes)
{
    memset(out, 0, sizeof(out));
    out[0] = length;
    memcpy(out + 1, block, n);
    return decode(out, bytes, STORE_LZ4, base);
}

static void lz4_lengths_that_lie(void **state)
{
    (void)state;
    memset(page, 'a', PAGE_SIZE);
    enum store_coding coding;
    uint32_t bytes = codec_encode(page, base, out, &coding);
    assert_int_equal(coding, STORE_LZ4);
    uint32_t n = (uint32_t)out[0];
    uint8_t block[PAGE_SIZE];
    memcpy(block, out + 1, n);
    assert_int_equal(unpack(block, n, n, bytes), OK);
    for (uint64_t lie = 0; lie < 2 * PAGE_SIZE; lie++) {
        if (lie != n) {
            assert_int_equal(unpack(block, n, lie, bytes), ERR_INVALID);
        }
    }
    static const uint64_t far[] = {1ull << 31, 1ull << 32, 1ull << 63, -1ull, -8ull, -16ull};
    for (unsigned i = 0; i < ARRAY_SIZE(far); i++) {
        assert_int_equal(unpack(block, n, far[i], bytes), ERR_INVALID);
        assert_int_equal(unpack(block, n, far[i] + n, bytes), ERR_INVALID);
    }
    for (uint32_t other = 8; other <= PAGE_SIZE; other += 8) {
        if (other != bytes) {
            assert_int_equal(unpack(block, n, n, other), ERR_INVALID);
        }
    }
    assert_int_equal(unpack(block, 0, 0, 8), ERR_INVALID);
}

/* Blocks that are sound, but not of one page; and one that reaches back before the page. */
static void lz4_of_another_size(void **state)
{
    (void)state;
    static uint8_t source[PAGE_SIZE + 64], block[PAGE_SIZE];
    for (int size = PAGE_SIZE - 64; size <= (int)PAGE_SIZE + 64; size++) {
        LZ4_stream_t work;
        int n =
            LZ4_compress_fast_extState(&work, (char *)source, (char *)block, size, PAGE_SIZE, 1);
        uint32_t bytes = 8 + (uint32_t)ALIGN_UP((unsigned)n, 8u);
        enum err e = unpack(block, (uint32_t)n, (unsigned)n, bytes);
        assert_int_equal(e, size == (int)PAGE_SIZE ? OK : ERR_INVALID);
    }
    static const uint8_t before[] = {0x10, 'a', 2, 0, 0x50, 'b', 'c', 'd', 'e', 'f'};
    assert_int_equal(unpack(before, sizeof(before), sizeof(before), 24), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(known_pages_have_known_sizes, fresh),
        cmocka_unit_test_setup(text_is_packed, fresh),
        cmocka_unit_test_setup(noise_with_holes_is_not, fresh),
        cmocka_unit_test_setup(lz4_is_tried_past_half_a_page, fresh),
        cmocka_unit_test_setup(every_number_of_words, fresh),
        cmocka_unit_test_setup(random_pages, fresh),
        cmocka_unit_test_setup(every_other_length_is_refused, fresh),
        cmocka_unit_test_setup(lengths_and_codings_that_do_not_exist, fresh),
        cmocka_unit_test_setup(bitmaps_that_lie, fresh),
        cmocka_unit_test_setup(lz4_lengths_that_lie, fresh),
        cmocka_unit_test_setup(lz4_of_another_size, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
