/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tools/toklat/client/scan.c tools/toklat/client/sse.c
/*
 * What the command reads as it arrives: the list of VMs, cut into packets anywhere, members of its
 * objects, and server-sent events.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/toklat/client/scan.h"
#include "tools/toklat/client/sse.h"

static char found[16384];

static void object(void *context, const char *text, size_t n)
{
    (void)context;
    assert_int_equal(strlen(text), n);
    strcat(strcat(found, text), "\n");
}

/* In packets of `step` bytes. NULL: it is refused or not whole. */
static struct scan *scan(const char *text, size_t step)
{
    static struct scan s;
    size_t n = strlen(text);
    memset(&s, 0, sizeof(s));
    s.object = object;
    found[0] = 0;
    for (size_t i = 0; i < n; i += step) {
        scan_feed(&s, text + i, MIN(step, n - i));
    }
    return scan_end(&s) ? &s : NULL;
}

static void lists(void **state)
{
    static const char text[] =
        " {\"extra\":{\"vms\":[{}]},\"next\" : 17 ,\"x\":[1,{\"vms\":[]}],\n"
        "\"vms\":[{\"number\":1,\"n\":{\"a\":[{}]}} ,\n{\"name\":\"}]\\\"\"}],"
        "\"t\":true}\n";
    (void)state;
    for (size_t step = 1; step <= sizeof(text); step++) {
        struct scan *s = scan(text, step);
        assert_non_null(s);
        assert_int_equal(s->objects, 2);
        assert_int_equal(s->next, 17);
        assert_string_equal(found, "{\"number\":1,\"n\":{\"a\":[{}]}}\n{\"name\":\"}]\\\"\"}\n");
    }
    assert_int_equal(scan("{\"vms\":[],\"next\":100000}", 7)->next, 100000);
    assert_int_equal(scan("{\"vms\":[],\"next\":null}", 7)->next, 0);
    assert_int_equal(scan("{\"vms\":{\"a\":[{\"b\":1}]}}", 7)->objects, 0);
    assert_int_equal(scan("{\"next\":\"9\",\"vms\":[]}", 7)->objects, 0);
}

static void refused(void **state)
{
    static const char *const cases[] = {
        "",
        "[]",
        "{",
        "{]",
        "{\"vms\":[{}}",
        "{\"vms\":[{\"a\":1]}",
        "x{}",
        "{}{}",
        "{} x",
        "{\"a\":\"\n\"}",
        "<html>",
        "{\"vms\":[{}",
        "{\"a\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (scan(cases[i], 3)) {
            fail_msg("taken: %s", cases[i]);
        }
    }
}

static void long_object(void **state)
{
    static char text[3 * SCAN_OBJECT_BYTES];
    int n = sprintf(text, "{\"vms\":[{\"a\":\"");
    (void)state;
    memset(text + n, 'x', SCAN_OBJECT_BYTES - 8);
    strcpy(text + n + SCAN_OBJECT_BYTES - 8, "\"}]}"); /* the object has 4,096 */
    assert_non_null(scan(text, 100));
    strcpy(text + n + SCAN_OBJECT_BYTES - 8, "x\"}]}");
    assert_null(scan(text, 100));
    memset(text + n, 'x', 2 * SCAN_OBJECT_BYTES);
    strcpy(text + n + 2 * SCAN_OBJECT_BYTES, "\"}]}");
    assert_null(scan(text, 100));
    assert_null(scan(text, sizeof(text)));
}

static void members(void **state)
{
    const char *at = "{ \"number\": 9,\"name\":\"web/\\\"\\u0041\\n7\", \"deep\":{\"a\":[1,\"}\"]},"
                     "\"cpu_seconds\":12.0345 ,\"none\":null,\"big\":99999999999999999999}";
    struct scan_member m;
    char text[16];
    (void)state;
    assert_true(scan_member(&at, &m) && scan_key_is(&m, "number") && !m.string);
    assert_int_equal(scan_number(&m), 9);
    assert_int_equal(scan_thousandths(&m), 9000);
    assert_true(scan_member(&at, &m) && scan_key_is(&m, "name") && m.string);
    scan_text(&m, text, sizeof(text));
    assert_string_equal(text, "web/\"??7");
    scan_text(&m, text, 4);
    assert_string_equal(text, "web");
    assert_int_equal(scan_number(&m), 0);
    assert_true(scan_member(&at, &m) && scan_key_is(&m, "deep") && m.length == 13);
    assert_true(scan_member(&at, &m) && scan_thousandths(&m) == 12034);
    assert_true(scan_member(&at, &m) && scan_key_is(&m, "none") && scan_number(&m) == 0);
    assert_true(scan_member(&at, &m) && scan_number(&m) == UINT64_MAX);
    assert_false(scan_member(&at, &m));
    assert_string_equal(at, "}");
}

static void no_members(void **state)
{
    static const char *const cases[] = {
        "",       "{}",         "{1:2}",        "{\"a\"}",  "{\"a\":",     "{\"a\":1",   "{\"a",
        "{\"a\\", "{\"a\":\"b", "{\"a\":\"b\\", "{\"a\":{", "{\"a\":{\"b", "{\"a\":[\"",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *at = cases[i];
        struct scan_member m;
        assert_false(scan_member(&at, &m));
    }
}

/* --- events --------------------------------------------------------------------------------- */

static void event(void *context, const char *name, const char *data, size_t n)
{
    (void)context;
    assert_int_equal(strlen(data), n);
    snprintf(found + strlen(found), 1024, "%s=%.40s;", name, data);
}

static void events(void **state)
{
    static const char text[] = ": alive\r\n\r\nid: 5\nevent: vm\ndata: {\"a\":1}\n\n"
                               "data:one\r\ndata:  two\r\n\r\nevent: none\n\n"
                               "event:log\rdata\r\rretry: 5\ndata: x\n\nevent: vm\ndata: cut";
    static struct sse s;
    (void)state;
    for (size_t step = 1; step <= sizeof(text); step++) {
        memset(&s, 0, sizeof(s));
        s.event = event;
        found[0] = 0;
        for (size_t i = 0; i < sizeof(text) - 1; i += step) {
            sse_feed(&s, text + i, MIN(step, sizeof(text) - 1 - i));
        }
        assert_string_equal(found, "vm={\"a\":1};message=one\n two;log=;message=x;");
        assert_string_equal(s.id, "5");
        assert_int_equal(s.cut, 0);
    }
}

static void long_events(void **state)
{
    static struct sse s;
    static char line[3000];
    (void)state;
    s.event = event;
    found[0] = 0;
    memset(line, 'x', sizeof(line));
    memcpy(line, "data: ", 6);
    line[sizeof(line) - 1] = '\n';
    for (int i = 0; i < 10; i++) {
        sse_feed(&s, line, sizeof(line));
    }
    sse_feed(&s, "\n", 1);
    assert_int_equal(s.cut, 1);
    line[sizeof(line) - 1] = 'x';
    for (int i = 0; i < 10; i++) {
        sse_feed(&s, line, sizeof(line));
    }
    sse_feed(&s, "\n\n", 2);
    assert_int_equal(s.cut, 2);
    sse_feed(&s, "data: a\n\n", 9);
    assert_int_equal(s.cut, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),       cmocka_unit_test(refused),    cmocka_unit_test(long_object),
        cmocka_unit_test(members),     cmocka_unit_test(no_members), cmocka_unit_test(events),
        cmocka_unit_test(long_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
