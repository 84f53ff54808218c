/* SPDX-License-Identifier: BSD-2-Clause */
// sources: core/base/log.c core/base/fmt.c core/base/error.c
/*
 * Formatting against the build machine's printf; the log's lines; panic.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/base/error.h"
#include "core/base/log.h"

static char said[8192];
static size_t said_bytes;
static unsigned said_calls;

static void listen(const char *text, size_t n)
{
    assert_true(said_bytes + n < sizeof(said));
    memcpy(said + said_bytes, text, n);
    said_bytes += n;
    said[said_bytes] = '\0';
    said_calls++;
}

static void forget(void)
{
    said_bytes = 0;
    said_calls = 0;
    said[0] = '\0';
}

/* Both printfs give the same text and the same length. */
#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours[128], theirs[128];                                                               \
        int n = fmt_snprintf(ours, sizeof(ours), __VA_ARGS__);                                     \
        assert_int_equal(n, snprintf(theirs, sizeof(theirs), __VA_ARGS__));                        \
        assert_string_equal(ours, theirs);                                                         \
    } while (0)

static void formats_numbers(void **state)
{
    (void)state;
    SAME("%d %i %u", 0, -1, 42u);
    SAME("%d %d", INT32_MIN, INT32_MAX);
    SAME("%ld %lld", INT64_MIN, (long long)INT64_MAX);
    SAME("%lu %llu %zu", UINT64_MAX, 0ull, (size_t)77);
    SAME("%x %X %lx", 0xBEEFu, 0xBEEFu, 0x123456789ABCDEFul);
    SAME("%hd %hhd %hu %hhu", (short)-3, (signed char)-4, (unsigned short)65535,
         (unsigned char)255);
    SAME("[%5d] [%-5d] [%05d] [%1d]", 42, 42, 42, 12345);
    SAME("[%05d] [%08x]", -42, 0xABu);
    SAME("[%*d] [%-*d] [%*d]", 6, 1, 6, 2, -6, 3);
    SAME("[%20lu]", UINT64_MAX);
    SAME("[%030ld]", INT64_MIN);
    SAME("%p", (void *)(uintptr_t)0x40000000);
}

static void formats_text(void **state)
{
    (void)state;
    SAME("%s|%5s|%-5s|%2s", "abc", "abc", "abc", "abc");
    SAME("%.*s|%.2s|%.0s|%.9s", 3, "abcdef", "abcdef", "abcdef", "abc");
    SAME("%c%3c%-3c%%", 'x', 'y', 'z');
    SAME("%8.3s|%-8.3s|", "abcdef", "abcdef");
    static const char unterminated[3] = {'a', 'b', 'c'};
    SAME("%.*s", 3, unterminated);
    char buf[32];
    const char *volatile none = NULL;
    fmt_snprintf(buf, sizeof(buf), "%s", none);
    assert_string_equal(buf, "(null)");
}

static void shows_what_it_does_not_know(void **state)
{
    (void)state;
    char buf[32];
    const char *odd = "%q %", *end = "%5";
    fmt_snprintf(buf, sizeof(buf), odd, 0);
    assert_string_equal(buf, "%q %");
    fmt_snprintf(buf, sizeof(buf), end, 0);
    assert_string_equal(buf, "%5");
}

static void never_overflows(void **state)
{
    (void)state;
    char buf[4] = "???";
    assert_int_equal(fmt_snprintf(buf, 0, "hello"), 5);
    assert_string_equal(buf, "???");
    assert_int_equal(fmt_snprintf(buf, 1, "hello"), 5);
    assert_string_equal(buf, "");
    assert_int_equal(fmt_snprintf(buf, sizeof(buf), "hello"), 5);
    assert_string_equal(buf, "hel");
    assert_int_equal(fmt_snprintf(buf, sizeof(buf), "abc"), 3);
    assert_string_equal(buf, "abc");
    assert_int_equal(fmt_snprintf(NULL, 0, "%5d", 1), 5);
}

static void early_lines_reach_the_first_sink(void **state)
{
    (void)state;
    log_info("first %d", 1);
    log_raw("raw");
    log_set_sink(listen);
    assert_string_equal(said, "toklat: first 1\nraw");
    forget();
    log_warn("w");
    log_error("e %s", "x");
    log_raw("%u", 5u);
    assert_string_equal(said, "toklat: warning: w\ntoklat: error: e x\n5");
    assert_int_equal(said_calls, 3);
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    log_set_sink(listen);
    forget();
    log_info("%600d", 1);
    assert_int_equal(said_bytes, 511);
    assert_string_equal(said + said_bytes - 4, "...\n");
    forget();
    log_raw("%600d", 1);
    assert_string_equal(said + said_bytes - 3, "...");
}

static void early_buffer_is_bounded(void **state)
{
    (void)state;
    log_set_sink(NULL);
    forget();
    for (int i = 0; i < 100; i++) {
        log_info("a line of some thirty bytes, no. %d", i);
    }
    log_set_sink(listen);
    assert_int_equal(said_bytes, 2048);
    assert_memory_equal(said, "toklat: a line", 14);
}

static jmp_buf halted;

static void halt(void)
{
    longjmp(halted, 1);
}

static void panic_says_where_and_halts(void **state)
{
    (void)state;
    log_set_sink(listen);
    panic_set_halt(halt);
    forget();
    if (setjmp(halted) == 0) {
        CHECK(1 + 1 == 2);
        CHECK(1 + 1 == 3);
        fail();
    }
    assert_non_null(strstr(said, "toklat: error: panic: "));
    assert_non_null(strstr(said, "test_log.c"));
    assert_non_null(strstr(said, "1 + 1 == 3"));
}

static void results_have_names(void **state)
{
    (void)state;
    assert_string_equal(err_name(OK), "ok");
    for (int e = OK; e <= ERR_AWAY; e++) {
        assert_string_not_equal(err_name((enum err)e), "unknown error");
    }
    assert_string_equal(err_name((enum err)(ERR_AWAY + 1)), "unknown error");
    assert_string_equal(err_name((enum err) - 1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_numbers),
        cmocka_unit_test(formats_text),
        cmocka_unit_test(shows_what_it_does_not_know),
        cmocka_unit_test(never_overflows),
        cmocka_unit_test(early_lines_reach_the_first_sink),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(early_buffer_is_bounded),
        cmocka_unit_test(panic_says_where_and_halts),
        cmocka_unit_test(results_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
