// SPDX-License-Identifier: BSD-2-Clause
// sources: dev/virtual/console.c
/*
 * Consoles: lines come out whole, broken at the limit, and harmless.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "dev/virtual/console.h"

static char shown[4096];
static unsigned lines;

static void collect(const struct console_owner *o, const char *line, size_t n)
{
    size_t used = strlen(shown);
    assert_true(n <= CONSOLE_LINE_MAX);
    snprintf(shown + used, sizeof(shown) - used, "[%s/%u] %.*s\n", o->name, (unsigned)o->instance,
             (int)n, line);
    lines++;
}

static int setup(void **state)
{
    (void)state;
    shown[0] = '\0';
    lines = 0;
    console_set_output(collect);
    return 0;
}

static const struct console_owner first = {"web", 1, 2};

static void put(struct console *c, uint32_t instance, const char *text)
{
    struct console_owner owner = {"web", instance, instance + 1};
    console_write(c, &owner, text, strlen(text));
}

static void test_lines_do_not_mix(void **state)
{
    (void)state;
    struct console a = {0}, b = {0};
    put(&a, 1, "one ");
    put(&b, 2, "two\nthr");
    put(&a, 1, "line\n");
    put(&b, 2, "ee\n");
    assert_string_equal(shown, "[web/2] two\n[web/1] one line\n[web/2] three\n");
}

static void test_empty_line(void **state)
{
    (void)state;
    struct console c = {0};
    put(&c, 1, "\n\n");
    assert_string_equal(shown, "[web/1] \n[web/1] \n");
}

static void test_long_lines_are_broken(void **state)
{
    (void)state;
    struct console c = {0};
    char text[2 * CONSOLE_LINE_MAX + 1];
    memset(text, 'x', sizeof(text));
    console_write(&c, &first, text, CONSOLE_LINE_MAX);
    assert_int_equal(lines, 0);
    put(&c, 1, "\n"); /* exactly full: one line, no empty one after it */
    assert_int_equal(lines, 1);
    console_write(&c, &first, text, sizeof(text));
    assert_int_equal(lines, 3);
    console_flush(&c, &first);
    assert_int_equal(lines, 4);
    assert_string_equal(shown + strlen(shown) - 10, "[web/1] x\n");
}

static void test_control_characters_are_shown(void **state)
{
    (void)state;
    struct console c = {0};
    static const char text[] = "a\x1b[2Jb\0c\rd\x7f\x9b\te\n";
    console_write(&c, &first, text, sizeof(text) - 1);
    assert_string_equal(shown, "[web/1] a?[2Jb?c?d??\te\n");
}

static void test_flush(void **state)
{
    (void)state;
    struct console c = {0};
    console_flush(&c, &first);
    assert_int_equal(lines, 0);
    put(&c, 1, "rest");
    console_flush(&c, &first);
    console_flush(&c, &first);
    assert_string_equal(shown, "[web/1] rest\n");
}

static void test_no_output_yet(void **state)
{
    (void)state;
    struct console c = {0};
    console_set_output(NULL);
    put(&c, 1, "lost\nkept");
    console_set_output(collect);
    put(&c, 1, "\n");
    assert_string_equal(shown, "[web/1] kept\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines_do_not_mix, setup),
        cmocka_unit_test_setup(test_empty_line, setup),
        cmocka_unit_test_setup(test_long_lines_are_broken, setup),
        cmocka_unit_test_setup(test_control_characters_are_shown, setup),
        cmocka_unit_test_setup(test_flush, setup),
        cmocka_unit_test_setup(test_no_output_yet, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
