/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tools/toklat/client/table.c tools/toklat/client/clean.c tools/toklat/common.c
/*
 * What the command shows: tables that fit, sizes and times, and text that nobody vouches for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/table.h"

static const struct table_column columns[] = {
    {"N", TABLE_NUMBER}, {"NAME", TABLE_CUT}, {"STATE", TABLE_STATE}, {"FILE", TABLE_CUT}};

/* The caller's. */
static char *drawn(size_t width, bool colour)
{
    static const char *const rows[][4] = {
        {"1", "short", "idle", "a.elf"},
        {"1234", "a-name-of-some-length/7", "running", "a-file-of-some-length.elf"},
        {"5", "e\033[2J\xC2\x9B", "dead", ""},
    };
    struct table t;
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    table_begin(&t, columns, 4);
    for (size_t i = 0; i < 3; i++) {
        table_row(&t, rows[i]);
    }
    assert_true(table_end(&t, f, width, colour));
    fclose(f);
    return text;
}

static void whole(void **state)
{
    char *text = drawn(80, false);
    (void)state;
    assert_string_equal(text, "   N  NAME                     STATE    FILE\n"
                              "   1  short                    idle     a.elf\n"
                              "1234  a-name-of-some-length/7  running  a-file-of-some-length.elf\n"
                              "   5  e?[2J??                  dead     \n");
    free(text);
}

/* The "C" locale's ellipsis is "..". */
static void cut(void **state)
{
    char *text = drawn(40, false);
    (void)state;
    assert_string_equal(text, "   N  NAME         STATE    FILE\n"
                              "   1  short        idle     a.elf\n"
                              "1234  a-name-of..  running  a-file-of-..\n"
                              "   5  e?[2J??      dead     \n");
    free(text);
}

static void never_wider(void **state)
{
    (void)state;
    for (size_t width = 1; width <= 80; width++) {
        char *text = drawn(width, false);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
            if (strlen(line) > width) {
                fail_msg("%zu columns instead of %zu: %s", strlen(line), width, line);
            }
        }
        free(text);
    }
}

static void colours(void **state)
{
    char *text = drawn(80, true);
    (void)state;
    assert_non_null(strstr(text, "\033[1mNAME\033[0m"));
    assert_non_null(strstr(text, "\033[32mrunning\033[0m"));
    assert_non_null(strstr(text, "\033[31mdead\033[0m"));
    assert_non_null(strstr(text, "e?[2J"));
    free(text);
}

static void widths(void **state)
{
    (void)state;
    /* The tests' stdout may be a terminal, whose own width goes first. */
    setenv("COLUMNS", "33", 1);
    size_t given = terminal_width();
    setenv("COLUMNS", "x", 1);
    size_t usual = terminal_width();
    assert_true(given == usual || (given == 33 && usual == 80));
}

static void numbers(void **state)
{
    static const struct {
        uint64_t value;
        const char *size, *seconds;
    } cases[] = {
        {0, "0", "0.000"},
        {12, "12", "0.012"},
        {1023, "1023", "1.023"},
        {1024, "1K", "1.024"},
        {1536, "1.5K", "1.536"},
        {24576, "24K", "24.576"},
        {103424, "101K", "103.424"},
        {1ull << 30, "1G", "298:15:41"},
        {UINT64_MAX, "15.9E", "5124095576030:25:51"},
    };
    char text[SIZE_BYTES];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_string_equal(size_text(cases[i].value, text), cases[i].size);
        assert_string_equal(seconds_text(cases[i].value, text), cases[i].seconds);
    }
    assert_string_equal(number_text(UINT64_MAX, text), "18446744073709551615");
}

/* --- text ----------------------------------------------------------------------------------- */

static void cleaned(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"a\tb\nc", "a\tb\nc"},
        {"\033]0;title\007\r\b\177", "?]0;title????"},
        {"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"},
        {"\xC2\x9B"
         "31m",
         "?31m"}, /* CSI of eight bits */
        {"\xC1\x81|\xE0\x81\x81|\xF0\x80\x81\x81", "?|?|?"},
        {"\xC0\x9B|\xE0\x80\x9B|\xF0\x80\x80\x9B", "?|?|?"}, /* longer than they need be */
        {"\xED\xA0\x80|\xF4\x90\x80\x80|\xFF|\x80", "?|?|?|?"},
        {"\xE2\x80\xAE"
         "txt\xE2\x81\xA6",
         "?txt?"},
        {"\xE2\x82", "?"},
        {"\xE2\x82\033[", "??["},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t length = strlen(cases[i].from);
        for (size_t step = 1; step <= length; step++) {
            struct clean c = {0};
            char *text;
            size_t n;
            FILE *f = open_memstream(&text, &n);
            for (size_t k = 0; k < length; k += step) {
                clean_write(&c, cases[i].from + k, MIN(step, length - k), f);
            }
            clean_end(&c, f);
            fclose(f);
            assert_string_equal(text, cases[i].to);
            free(text);
        }
    }
}

static void cells(void **state)
{
    char text[6];
    (void)state;
    assert_string_equal(clean_cell(text, sizeof(text), "a\nb\xC3\xA9long"), "a?b??");
    assert_string_equal(clean_cell(text, 1, "a"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),   cmocka_unit_test(cut),    cmocka_unit_test(never_wider),
        cmocka_unit_test(colours), cmocka_unit_test(widths), cmocka_unit_test(numbers),
        cmocka_unit_test(cleaned), cmocka_unit_test(cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
