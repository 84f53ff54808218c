/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tests/bench/response.c
/*
 * Responses, whole and byte by byte, and what is none. Each is given in a block of its own size, so
 * that the sanitizer sees a read beyond it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/response.h"

#define ROOM 4096

static const char sound[] = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 9\r\n\r\n{\"vm\": 7}";

static enum response_state parse(const char *text, size_t bytes, size_t room, bool ended,
                                 struct response *r)
{
    char *copy = malloc(bytes);
    memcpy(copy, text, bytes);
    enum response_state state = response_parse(copy, bytes, room, ended, r);
    free(copy);
    return state;
}

static enum response_state state_of(const char *text, bool ended)
{
    struct response r;
    return parse(text, strlen(text), ROOM, ended, &r);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    struct response r;
    for (size_t n = 1; n < strlen(sound); n++) {
        assert_int_equal(parse(sound, n, ROOM, false, &r), RESPONSE_MORE);
        assert_int_equal(parse(sound, n, ROOM, true, &r), RESPONSE_MALFORMED);
        assert_int_equal(parse(sound, n, n, false, &r), RESPONSE_MALFORMED);
    }
    assert_int_equal(parse(sound, strlen(sound), ROOM, false, &r), RESPONSE_COMPLETE);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.length, 9);
    assert_memory_equal(sound + r.body, "{\"vm\": 7}", 9);
}

static void test_without_a_length_the_end_counts(void **state)
{
    (void)state;
    struct response r;
    const char *text = "HTTP/1.0 404 No\r\n\r\nabc";
    assert_int_equal(state_of(text, false), RESPONSE_MORE);
    assert_int_equal(parse(text, strlen(text), ROOM, true, &r), RESPONSE_COMPLETE);
    assert_int_equal(r.status, 404);
    assert_int_equal(r.length, 3);
}

static void test_any_case_of_the_header(void **state)
{
    (void)state;
    assert_int_equal(state_of("HTTP/1.1 200 OK\r\ncONTENT-lENGTH:0\r\n\r\n", false),
                     RESPONSE_COMPLETE);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "SMTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n1",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    };
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(state_of(texts[i], false), RESPONSE_MALFORMED);
    }
}

static bool has(const char *body, const char *name, uint32_t value)
{
    size_t bytes = strlen(body);
    char *copy = malloc(bytes);
    memcpy(copy, body, bytes);
    bool found = response_has(copy, bytes, name, value);
    free(copy);
    return found;
}

static void test_members(void **state)
{
    (void)state;
    const char *body = "{\"vm\": 71, \"instance\":70, \"name\": \"x\", \"last\": 5";
    assert_true(has(body, "vm", 71));
    assert_false(has(body, "vm", 7));
    assert_false(has(body, "vm", 711));
    assert_true(has(body, "instance", 70));
    assert_false(has(body, "name", 0));
    assert_false(has(body, "none", 0));
    assert_true(has(body, "last", 5));
    assert_false(has("\"vm\":", "vm", 0));
    assert_false(has("\"vm\": 4294967303", "vm", 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_without_a_length_the_end_counts),
        cmocka_unit_test(test_any_case_of_the_header),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
