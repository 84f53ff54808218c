/* SPDX-License-Identifier: BSD-2-Clause */
// sources: core/base/string_copy.c
/*
 * EL2's <string.h>, against the build machine's. Each function is renamed, so that both are here.
 * The sanitizer sees any byte read or written outside of the exactly sized buffers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/base/string.h"

#define memcpy el2_memcpy
#define memmove el2_memmove
#define memset el2_memset
#define memcmp el2_memcmp
#define memchr el2_memchr
#define strlen el2_strlen
#define strnlen el2_strnlen
#define strcmp el2_strcmp
#define strncmp el2_strncmp
#define strchr el2_strchr
#define strrchr el2_strrchr
#undef CORE_BASE_STRING_H
#include "core/base/string.h"
#include "core/base/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr

#define LONGEST 80

static void fill(uint8_t *p, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)(seed + i * 7 + 1);
    }
}

/* Every length and every pair of alignments, in buffers that end where the copy ends. */
static void copies_every_length_and_alignment(void **state)
{
    (void)state;
    for (size_t n = 0; n <= LONGEST; n++) {
        for (size_t pair = 0; pair < 64; pair++) {
            size_t da = pair / 8, sa = pair % 8;
            uint8_t *dst = malloc(da + n + 1), *src = malloc(sa + n + 1);
            fill(src, sa + n + 1, 3);
            memset(dst, 0xEE, da + n + 1);
            uint8_t *from = malloc(sa + n); /* exactly what may be read */
            memcpy(from, src, sa + n);
            assert_ptr_equal(el2_memcpy(dst + da, from + sa, n), dst + da);
            assert_memory_equal(dst + da, src + sa, n);
            assert_int_equal(dst[da + n], 0xEE);
            for (size_t i = 0; i < da; i++) {
                assert_int_equal(dst[i], 0xEE);
            }
            free(from);
            free(src);
            free(dst);
        }
    }
}

static void copies_packets(void **state)
{
    (void)state;
    uint8_t src[1600], dst[1600];
    fill(src, sizeof(src), 9);
    for (size_t n = 64; n <= 1500; n += 13) {
        memset(dst, 0, sizeof(dst));
        el2_memcpy(dst + 2, src + n % 8, n);
        assert_memory_equal(dst + 2, src + n % 8, n);
        assert_int_equal(dst[2 + n], 0);
    }
}

static void moves_over_itself(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 48; n++) {
        for (size_t from = 0; from < 24; from++) {
            for (size_t to = 0; to < 24; to++) {
                uint8_t a[72], b[72];
                fill(a, sizeof(a), 1);
                fill(b, sizeof(b), 1);
                memmove(a + to, a + from, n);
                assert_ptr_equal(el2_memmove(b + to, b + from, n), b + to);
                assert_memory_equal(a, b, sizeof(a));
            }
        }
    }
}

static void sets(void **state)
{
    (void)state;
    for (size_t n = 0; n <= LONGEST; n++) {
        for (size_t at = 0; at < 8; at++) {
            uint8_t a[LONGEST + 16], b[LONGEST + 16];
            memset(a, 1, sizeof(a));
            memset(b, 1, sizeof(b));
            memset(a + at, 0xA5, n);
            assert_ptr_equal(el2_memset(b + at, 0x1A5, n), b + at);
            assert_memory_equal(a, b, sizeof(a));
        }
    }
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void compares(void **state)
{
    (void)state;
    static const char *const words[] = {"", "a", "b", "ab", "abc", "abd", "\x80", "ab\xff"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(words); j++) {
            const char *a = words[i], *b = words[j];
            size_t n = MIN(strlen(a), strlen(b));
            assert_int_equal(sign(el2_strcmp(a, b)), sign(strcmp(a, b)));
            assert_int_equal(sign(el2_strncmp(a, b, 2)), sign(strncmp(a, b, 2)));
            assert_int_equal(sign(el2_strncmp(a, b, 0)), 0);
            assert_int_equal(sign(el2_memcmp(a, b, n)), sign(memcmp(a, b, n)));
        }
    }
}

static void finds(void **state)
{
    (void)state;
    const char *s = "toklat/river";
    assert_int_equal(el2_strlen(s), 12);
    assert_int_equal(el2_strlen(""), 0);
    assert_int_equal(el2_strnlen(s, 5), 5);
    assert_int_equal(el2_strnlen(s, 50), 12);
    assert_ptr_equal(el2_strchr(s, 't'), s);
    assert_ptr_equal(el2_strrchr(s, 't'), s + 5);
    assert_ptr_equal(el2_strchr(s, 'z'), NULL);
    assert_ptr_equal(el2_strrchr(s, 'z'), NULL);
    assert_ptr_equal(el2_strchr(s, '\0'), s + 12);
    assert_ptr_equal(el2_strrchr(s, '\0'), s + 12);
    assert_ptr_equal(el2_memchr(s, 'r', 7), NULL);
    assert_ptr_equal(el2_memchr(s, 'r', 8), s + 7);
    assert_ptr_equal(el2_memchr(s, 't', 0), NULL);
}

static void copies_strings_terminated(void **state)
{
    (void)state;
    char buf[6] = "xxxxx";
    assert_true(string_copy(buf, sizeof(buf), "12345"));
    assert_string_equal(buf, "12345");
    assert_false(string_copy(buf, sizeof(buf), "abcdef"));
    assert_string_equal(buf, "abcde");
    assert_true(string_copy(buf, 1, ""));
    assert_string_equal(buf, "");
    assert_false(string_copy(buf, 1, "y"));
    assert_string_equal(buf, "");
    buf[0] = 'k';
    assert_false(string_copy(buf, 0, ""));
    assert_int_equal(buf[0], 'k');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_every_length_and_alignment),
        cmocka_unit_test(copies_packets),
        cmocka_unit_test(moves_over_itself),
        cmocka_unit_test(sets),
        cmocka_unit_test(compares),
        cmocka_unit_test(finds),
        cmocka_unit_test(copies_strings_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
