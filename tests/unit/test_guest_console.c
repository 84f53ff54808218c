/* SPDX-License-Identifier: BSD-2-Clause */
// sources: guests/rt/input.c
/*
 * Console input of a guest: a ring that EL2 fills and the guest empties.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guests/rt/input.h"

#define RING TOKLAT_CONSOLE_IN_BYTES

static struct toklat_system_page page;

static int set_up(void **state)
{
    (void)state;
    memset(&page, 0, sizeof(page));
    return 0;
}

/* As EL2 does it: only where there is room. */
static void put(const char *text)
{
    for (; *text && page.console_in_put - page.console_in_taken < RING; text++) {
        page.console_in[page.console_in_put++ % RING] = *text;
    }
}

static void expect(size_t n, const char *text)
{
    char out[2 * RING];
    size_t got = input_take(&page, out, n);
    assert_int_equal(got, strlen(text));
    assert_memory_equal(out, text, got);
}

static void nothing_waits_at_first(void **state)
{
    (void)state;
    assert_false(input_waits(&page));
    expect(10, "");
}

static void what_was_put_is_taken_once_and_in_order(void **state)
{
    (void)state;
    put("one\ntwo\n");
    assert_true(input_waits(&page));
    expect(4, "one\n");
    assert_true(input_waits(&page));
    put("3\n");
    expect(100, "two\n3\n");
    assert_false(input_waits(&page));
    expect(100, "");
}

static void no_byte_is_lost_where_the_ring_and_the_indices_wrap(void **state)
{
    (void)state;
    page.console_in_put = page.console_in_taken = UINT32_MAX - RING - 5;
    for (unsigned round = 0; round < 3 * RING; round++) {
        put("abc");
        expect(2, "ab");
        expect(2, "c");
    }
    assert_true(page.console_in_put < 8 * RING); /* it did wrap */
}

static void a_full_ring_is_taken_whole(void **state)
{
    (void)state;
    char text[RING + 1];
    memset(text, 'x', RING);
    text[RING] = '\0';
    put("12345");
    expect(5, "12345");
    put(text);
    put("no room");
    expect(2 * RING, text);
}

static void wild_indices_read_nothing_but_the_ring(void **state)
{
    (void)state;
    char out[2 * RING];
    memset(out, '?', sizeof(out));
    page.console_in_put = 0x80000000;
    assert_int_equal(input_take(&page, out, sizeof(out)), RING);
    assert_int_equal(out[RING], '?');
    assert_int_equal(page.console_in_taken, RING);
    page.console_in_taken = page.console_in_put + 1;
    assert_int_equal(input_take(&page, out, 3), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_waits_at_first, set_up),
        cmocka_unit_test_setup(what_was_put_is_taken_once_and_in_order, set_up),
        cmocka_unit_test_setup(no_byte_is_lost_where_the_ring_and_the_indices_wrap, set_up),
        cmocka_unit_test_setup(a_full_ring_is_taken_whole, set_up),
        cmocka_unit_test_setup(wild_indices_read_nothing_but_the_ring, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
