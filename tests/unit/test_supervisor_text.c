/* SPDX-License-Identifier: BSD-2-Clause */
// sources: guests/supervisor/out.c guests/supervisor/utf8.c guests/supervisor/query.c
// sources: guests/supervisor/ranges.c guests/supervisor/json.c guests/supervisor/token.c
// sources: guests/rt/http.c
/*
 * What the supervisor reads and writes: numbers, strings, UTF-8, queries, ranges, JSON, the token.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "guests/supervisor/json.h"
#include "guests/supervisor/out.h"
#include "guests/supervisor/query.h"
#include "guests/supervisor/ranges.h"
#include "guests/supervisor/token.h"
#include "guests/supervisor/utf8.h"

static char buffer[512];
static struct out out;

static const char *written(void)
{
    buffer[out.length] = '\0';
    return buffer;
}

static void begin(void)
{
    out = (struct out){.at = buffer, .size = sizeof(buffer) - 1};
}

static void numbers(void **state)
{
    static const uint64_t values[] = {0,   9,    10,         99,         100,
                                      101, 9999, 1234567890, UINT32_MAX, UINT64_MAX};
    char wanted[32];
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        begin();
        out_u64(&out, values[i]);
        snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long)values[i]);
        assert_string_equal(written(), wanted);
    }
    begin();
    out_i64(&out, -1);
    out_char(&out, ' ');
    out_i64(&out, INT64_MIN);
    assert_string_equal(written(), "-1 -9223372036854775808");
    begin();
    out_seconds(&out, 12345678);
    out_char(&out, ' ');
    out_seconds(&out, 1999999999);
    assert_string_equal(written(), "0.012345 1.999999");
}

static void what_does_not_fit_is_cut(void **state)
{
    (void)state;
    out = (struct out){.at = buffer, .size = 3};
    out_text(&out, "abc");
    assert_false(out.cut);
    out_u64(&out, 12);
    assert_true(out.cut);
    assert_int_equal(out.length, 3);
}

static void strings(void **state)
{
    (void)state;
    begin();
    out_json(&out, "a\"b\\c\n\t\x01 \xc3\xa9 \xff\xc3", 20);
    assert_string_equal(written(),
                        "\"a\\\"b\\\\c\\n\\t\\u0001 \xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\"");
    begin();
    out_json(&out, "abcdef", 3);
    assert_string_equal(written(), "\"abc\"");
}

static void utf8(void **state)
{
    static const char *const sound[] = {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xbb"};
    static const char *const wrong[] = {"\x80",
                                        "\xc0\x80",
                                        "\xc3",
                                        "\xed\xa0\x80",
                                        "\xf4\x90\x80\x80",
                                        "\xe2\x82",
                                        "\xf8\x88\x80\x80\x80"};
    (void)state;
    for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
        assert_true(utf8_sound(sound[i], strlen(sound[i])));
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(utf8_sound(wrong[i], strlen(wrong[i])));
    }
}

static bool decodes(const char *text, const char *wanted)
{
    char to[16];
    size_t length = 0;
    bool done = query_decode((struct http_text){text, strlen(text)}, to, sizeof(to), &length);
    return done && strcmp(to, wanted) == 0 && length == strlen(wanted);
}

static void percent_encoding(void **state)
{
    char to[16];
    size_t length;
    (void)state;
    assert_true(decodes("a%2Fb+c%C3%a9", "a/b+c\xc3\xa9"));
    assert_true(decodes("", ""));
    assert_true(decodes("123456789012345", "123456789012345"));
    static const char *const wrong[] = {
        "%", "%2", "%2g", "%00", "%0a", "%c3%28", "1234567890123456"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct http_text text = {wrong[i], strlen(wrong[i])};
        assert_false(query_decode(text, to, sizeof(to), &length));
    }
}

static void queries(void **state)
{
    struct http_text rest = {"a=1&b&=2&&c=3=4", 15};
    struct http_text name;
    struct http_text value;
    static const char *const wanted[][2] = {
        {"a", "1"}, {"b", ""}, {"", "2"}, {"", ""}, {"c", "3=4"}};
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(query_next(&rest, &name, &value));
        assert_true(http_is(name, wanted[i][0]));
        assert_true(http_is(value, wanted[i][1]));
    }
    assert_false(query_next(&rest, &name, &value));
}

static bool parses(struct ranges *r, const char *text)
{
    return ranges_parse(r, (struct http_text){text, strlen(text)});
}

static void ranges(void **state)
{
    struct ranges r;
    (void)state;
    assert_true(parses(&r, "2-100,105"));
    assert_int_equal(ranges_total(&r), 100);
    assert_true(ranges_hold(&r, 100) && ranges_hold(&r, 105) && !ranges_hold(&r, 101));
    assert_true(parses(&r, "1-4294967295"));
    static const char *const wrong[] = {"",   "0",   "1-",    "-1", "2-1",   "1,1",        "1,",
                                        ",1", "5,1", "1-3,3", "a",  "1-2-3", "4294967296", " 1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(parses(&r, wrong[i]));
    }
    char many[RANGES_MAX * 5 + 8] = "";
    for (unsigned i = 1; i <= RANGES_MAX; i++) {
        snprintf(&many[strlen(many)], 8, "%s%u", i > 1 ? "," : "", 2 * i);
    }
    assert_true(parses(&r, many));
    strcat(many, ",999");
    assert_false(parses(&r, many));
}

static void ranges_grow_in_any_order(void **state)
{
    static const uint32_t order[] = {9, 8, 10, 5, 7, 6, 20};
    struct ranges r = {0};
    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        assert_true(ranges_add(&r, order[i]));
    }
    begin();
    ranges_write(&r, &out);
    assert_string_equal(written(), "[[5,10],[20,20]]");
    for (uint32_t n = 30; r.count < RANGES_MAX; n += 2) {
        assert_true(ranges_add(&r, n));
    }
    assert_false(ranges_add(&r, 1000));
    assert_true(ranges_add(&r, 11));
}

static char fields[256];

static bool note(void *context, const char *key, const struct json_value *value)
{
    (void)context;
    snprintf(&fields[strlen(fields)], sizeof(fields) - strlen(fields), "%s:%d:%s;", key,
             (int)value->type, value->text);
    return strcmp(key, "no") != 0;
}

/* Whether the text is an object, however it is cut. */
static bool is_object(const char *text)
{
    struct json j;
    bool whole = false;
    for (size_t piece = 1; piece < 4; piece++) {
        json_begin(&j);
        fields[0] = '\0';
        for (size_t i = 0; i < strlen(text); i += piece) {
            size_t left = strlen(text) - i;
            json_feed(&j, text + i, left < piece ? left : piece, note, NULL);
        }
        assert_true(piece == 1 || whole == json_whole(&j));
        whole = json_whole(&j);
    }
    return whole;
}

static void json_objects(void **state)
{
    (void)state;
    assert_true(is_object(" { } \n"));
    assert_true(
        is_object("{\"a\":1,\"b\" : \"x\\u00e9\\ud83d\\udc3b\\n\", \"c\":true,\"d\":null}"));
    assert_string_equal(fields, "a:1:1;b:0:x\xc3\xa9\xf0\x9f\x90\xbb\n;c:3:true;d:5:null;");
    assert_true(is_object("{\"a\":-1,\"b\":1.5e+3,\"c\":0,\"d\":99999999999999999999}"));
    assert_string_equal(fields, "a:2:-1;b:2:1.5e+3;c:1:0;d:2:99999999999999999999;");
}

static void what_is_no_json(void **state)
{
    static const char *const wrong[] = {
        "",
        "{",
        "[]",
        "{\"a\":1",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":+1}",
        "{\"a\":1e}",
        "{\"a\":tru}",
        "{\"a\":True}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1}x",
        "{\"a\":1}{}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":[1]}",
        "{\"a\":{}}",
        "{\"no\":1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":\"\\ud83dx\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(is_object(wrong[i]));
    }
    struct json j;
    json_begin(&j);
    json_feed(&j, "{\"a\":[", 6, note, NULL);
    assert_int_equal(j.error, JSON_NESTED);
    char text[200] = "{\"a\":\"";
    memset(&text[6], 'x', JSON_TEXT_MAX);
    strcpy(&text[6 + JSON_TEXT_MAX], "\"}");
    assert_true(is_object(text));
    strcpy(&text[6 + JSON_TEXT_MAX], "x\"}");
    assert_false(is_object(text));
}

#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"

static bool matches(const char *token, const char *value)
{
    return token_matches(token, (struct http_text){value, strlen(value)});
}

static void token(void **state)
{
    char found[TOKEN_CHARACTERS];
    (void)state;
    assert_true(token_from_args(found, "token=" TOKEN));
    assert_true(token_from_args(found, "x token=" TOKEN " y"));
    assert_false(token_from_args(found, ""));
    assert_false(token_from_args(found, "token=" TOKEN "0"));
    assert_false(token_from_args(found, "token=12"));
    assert_false(token_from_args(found, "nottoken=" TOKEN));
    assert_true(token_from_args(found, "nottoken=1 token=" TOKEN));
    assert_true(matches(found, "Bearer " TOKEN));
    assert_true(matches(found, "bearer " TOKEN));
    assert_false(matches(found, "Bearer " TOKEN "0"));
    assert_false(matches(found, "Basic  " TOKEN));
    assert_false(matches(found, ""));
    char other[] = "Bearer " TOKEN;
    for (size_t i = 0; i < TOKEN_CHARACTERS; i++) {
        other[7 + i] ^= 1;
        assert_false(matches(found, other));
        other[7 + i] ^= 1;
    }
}

static void guesses(void **state)
{
    struct bucket bucket = {0};
    uint64_t now = 5000000000;
    (void)state;
    for (unsigned i = 0; i < BUCKET_SIZE; i++) {
        assert_true(bucket_take(&bucket, now));
    }
    assert_false(bucket_take(&bucket, now));
    now += 1000000000 / BUCKET_SIZE;
    assert_true(bucket_take(&bucket, now));
    assert_false(bucket_take(&bucket, now));
    now += 1000000000000;
    for (unsigned i = 0; i < BUCKET_SIZE; i++) {
        assert_true(bucket_take(&bucket, now));
    }
    assert_false(bucket_take(&bucket, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(what_does_not_fit_is_cut),
        cmocka_unit_test(strings),
        cmocka_unit_test(utf8),
        cmocka_unit_test(percent_encoding),
        cmocka_unit_test(queries),
        cmocka_unit_test(ranges),
        cmocka_unit_test(ranges_grow_in_any_order),
        cmocka_unit_test(json_objects),
        cmocka_unit_test(what_is_no_json),
        cmocka_unit_test(token),
        cmocka_unit_test(guesses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
