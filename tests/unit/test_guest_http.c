/* SPDX-License-Identifier: BSD-2-Clause */
// sources: guests/rt/http.c
/*
 * Heads of HTTP messages: what is taken, what is refused and with which status, and that nothing
 * is read beyond the bytes that were given (each is copied to a block of its exact size).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "guests/rt/http.h"

#define LINE_MAX 40
#define HEAD_MAX 120

static struct http_request request;

static int parse(const char *text)
{
    static char *copy;
    size_t length = strlen(text);
    free(copy);
    copy = malloc(length + (length == 0));
    memcpy(copy, text, length);
    return http_parse_request(&request, copy, length, LINE_MAX, HEAD_MAX);
}

static void sound_requests(void **state)
{
    (void)state;
    assert_int_equal(parse("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\nrest"), HTTP_OK);
    assert_true(http_is(request.method, "GET"));
    assert_true(http_is(request.target, "/a?b=c"));
    assert_int_equal(request.head.bytes, strlen("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_true(request.head.keep_alive);
    assert_int_equal(parse("\r\n\r\nGET http://x/y HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP_OK);
    assert_true(http_is(request.target, "/y"));
    assert_int_equal(parse("GET http://x HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP_OK);
    assert_true(http_is(request.target, "/"));
    assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n"), HTTP_OK);
    assert_false(request.head.keep_alive);
}

static void connection_and_body(void **state)
{
    (void)state;
    assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: a, Keep-Alive\r\n\r\n"), HTTP_OK);
    assert_true(request.head.keep_alive);
    assert_int_equal(parse("GET / HTTP/1.1\r\nHost: x\r\nconnection:\tCLOSE \r\n\r\n"), HTTP_OK);
    assert_false(request.head.keep_alive);
    assert_int_equal(parse("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n"), HTTP_OK);
    assert_true(request.head.has_length);
    assert_int_equal(request.head.length, 12);
    assert_int_equal(parse("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
                     HTTP_OK);
    assert_true(request.head.has_coding);
}

static void refusals(void **state)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {400, "nonsense\r\n\r\n"},
        {400, "GET / HTTP/1.1\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\ry\r\n\r\n"},
        {400, "GET relative HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET /  HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "G\001T / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET / http/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET /\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"},
        {414, "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
        {414, "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: x\r\n\r\n"},
        {431,
         "GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status = parse(cases[i].text);
        if (status != cases[i].status) {
            fail_msg("%d instead of %d for %s", status, cases[i].status, cases[i].text);
        }
    }
}

/* Whatever is cut off a sound request, the rest is incomplete and not refused. */
static void every_prefix_is_incomplete(void **state)
{
    static const char whole[] = "\r\nGET /a HTTP/1.1\r\nHost: x\r\nX: y\r\n\r\n";
    char part[sizeof(whole)];
    (void)state;
    for (size_t length = 0; length < sizeof(whole) - 1; length++) {
        memcpy(part, whole, length);
        part[length] = '\0';
        assert_int_equal(parse(part), HTTP_INCOMPLETE);
    }
    assert_int_equal(parse(whole), HTTP_OK);
}

static void responses(void **state)
{
    struct http_response response;
    const char *text = "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc";
    (void)state;
    assert_int_equal(http_parse_response(&response, text, strlen(text), HEAD_MAX), HTTP_OK);
    assert_int_equal(response.status, 404);
    assert_int_equal(response.head.length, 3);
    assert_int_equal(response.head.bytes, strlen(text) - 3);
    text = "HTTP/1.1 20 OK\r\n\r\n";
    assert_int_equal(http_parse_response(&response, text, strlen(text), HEAD_MAX), 502);
    text = "junk\r\n\r\n";
    assert_int_equal(http_parse_response(&response, text, strlen(text), HEAD_MAX), 502);
    text = "HTTP/1.1 200 OK\r\n";
    assert_int_equal(http_parse_response(&response, text, strlen(text), HEAD_MAX), HTTP_INCOMPLETE);
    assert_int_equal(http_parse_response(&response, text, strlen(text), 4), 502);
}

static void words_and_numbers(void **state)
{
    uint64_t value;
    (void)state;
    assert_true(http_is_word((struct http_text){"CoNtEnT", 7}, "content"));
    assert_false(http_is_word((struct http_text){"content", 6}, "content"));
    assert_false(http_is_word((struct http_text){"contents", 8}, "content"));
    assert_true(http_number((struct http_text){"0123", 4}, &value));
    assert_int_equal(value, 123);
    assert_false(http_number((struct http_text){"", 0}, &value));
    assert_false(http_number((struct http_text){"99999999999999999999", 20}, &value));
    assert_string_equal(http_reason(414), "URI Too Long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_requests), cmocka_unit_test(connection_and_body),
        cmocka_unit_test(refusals),       cmocka_unit_test(every_prefix_is_incomplete),
        cmocka_unit_test(responses),      cmocka_unit_test(words_and_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
