/* SPDX-License-Identifier: BSD-2-Clause */
// sources: guests/portal/route.c guests/rt/http.c
/*
 * The portal's routes: which path leads to which VM, and which leads nowhere.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "guests/portal/route.h"

static const struct toklat_peer groups[] = {
    {.name = "web", .ipv4_first = {10, 64, 0, 2}, .count = 1000},
    {.name = "db", .ipv4_first = {10, 64, 3, 234}, .count = 3},
};

static struct http_text text(const char *string)
{
    return (struct http_text){string, strlen(string)};
}

static struct route find(const char *path)
{
    return route_find(text(path), groups, 2);
}

static void vms(void **state)
{
    static const uint8_t web_7[] = {10, 64, 0, 8};
    static const uint8_t web_255[] = {10, 64, 1, 0};
    static const uint8_t db_3[] = {10, 64, 3, 236};
    (void)state;
    struct route route = find("/vm/7/style.css?x=1");
    assert_int_equal(route.kind, ROUTE_VM);
    assert_int_equal(route.instance, 7);
    assert_memory_equal(route.ipv4, web_7, 4);
    assert_true(http_is(route.rest, "/style.css?x=1"));
    route = find("/vm/web/255/");
    assert_int_equal(route.kind, ROUTE_VM);
    assert_memory_equal(route.ipv4, web_255, 4);
    assert_true(http_is(route.rest, "/"));
    route = find("/vm/db/3/a/b");
    assert_int_equal(route.kind, ROUTE_VM);
    assert_ptr_equal(route.group, &groups[1]);
    assert_memory_equal(route.ipv4, db_3, 4);
    assert_true(http_is(route.rest, "/a/b"));
}

static void any_vm_by_its_number(void **state)
{
    static const uint8_t first[] = {10, 64, 0, 1};
    static const uint8_t vm_1003[] = {10, 64, 3, 235};
    struct toklat_system_page page = {.vm_number = 258, .ipv4 = {10, 64, 1, 2}, .peer_count = 2};
    struct toklat_peer all[ROUTE_GROUPS_MAX];
    (void)state;
    memcpy(page.peers, groups, sizeof(groups));
    strcpy(page.args, "number");
    assert_int_equal(route_groups(all, &page), 2);
    strcpy(page.args, "numbers");
    assert_int_equal(route_groups(all, &page), 3);
    assert_memory_equal(all, groups, sizeof(groups));
    assert_memory_equal(all[2].ipv4_first, first, 4);
    struct route route = route_find(text("/vm/number/1003/a"), all, 3);
    assert_int_equal(route.kind, ROUTE_VM);
    assert_int_equal(route.instance, 1003);
    assert_memory_equal(route.ipv4, vm_1003, 4);
    assert_true(http_is(route.rest, "/a"));
    assert_int_equal(route_find(text("/vm/number/0/"), all, 3).kind, ROUTE_NO_INSTANCE);
    assert_int_equal(route_find(text("/vm/number/1048577/"), all, 3).kind, ROUTE_NO_INSTANCE);
    page.peer_count = UINT32_MAX;
    assert_int_equal(route_groups(all, &page), ROUTE_GROUPS_MAX);
}

static void other_paths(void **state)
{
    static const struct {
        enum route_kind kind;
        const char *path;
    } cases[] = {
        {ROUTE_INDEX, "/"},
        {ROUTE_INDEX, "/?x"},
        {ROUTE_DEPLOYMENT, "/deployment.json"},
        {ROUTE_FORM, "/go?n=1"},
        {ROUTE_SLASH, "/vm/7"},
        {ROUTE_SLASH, "/vm/web/7?x=/"},
        {ROUTE_NO_INSTANCE, "/vm/"},
        {ROUTE_NO_INSTANCE, "/vm/0/"},
        {ROUTE_NO_INSTANCE, "/vm/1001/"},
        {ROUTE_NO_INSTANCE, "/vm/7x/"},
        {ROUTE_NO_INSTANCE, "/vm/4294967297/"},
        {ROUTE_NO_INSTANCE, "/vm/99999999999999999999/"},
        {ROUTE_NO_INSTANCE, "/vm/web"},
        {ROUTE_NO_INSTANCE, "/vm/db/4/"},
        {ROUTE_NO_INSTANCE, "/vm/db/-1/"},
        {ROUTE_NO_GROUP, "/vm/other/1/"},
        {ROUTE_NO_GROUP, "/vm/we/1/"},
        {ROUTE_NOWHERE, "/vm"},
        {ROUTE_NOWHERE, "/goo"},
        {ROUTE_NOWHERE, "/deployment.jsonx"},
        {ROUTE_NOWHERE, "*"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct route route = find(cases[i].path);
        if (route.kind != cases[i].kind) {
            fail_msg("%d instead of %d for %s", route.kind, cases[i].kind, cases[i].path);
        }
    }
    assert_int_equal(route_find(text("/vm/1/"), groups, 0).kind, ROUTE_NO_GROUP);
}

static void queries(void **state)
{
    (void)state;
    assert_true(http_is(route_query(text("/go?n=7&group=db"), "group"), "db"));
    assert_true(http_is(route_query(text("/go?n=7&group=db"), "n"), "7"));
    assert_true(http_is(route_query(text("/go?n=7"), "group"), ""));
    assert_true(http_is(route_query(text("/go?nn=7&n="), "n"), ""));
    assert_true(http_is(route_query(text("/go"), "n"), ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vms),
        cmocka_unit_test(any_vm_by_its_number),
        cmocka_unit_test(other_paths),
        cmocka_unit_test(queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
