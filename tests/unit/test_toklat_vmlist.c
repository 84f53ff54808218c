/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tools/toklat/client/vmlist.c
/*
 * VMs as people write them: which numbers each form means, and what is refused with which words.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "tools/toklat/client/vmlist.h"

static const struct vmlist_image images[] = {
    {"portal", 1, 1}, {"web", 2, 1000}, {"my-db.2", 1002, 3}, {"none", 1005, 0}};

static void forms(void **state)
{
    static const struct {
        const char *text;
        uint32_t first, last;
        bool all;
    } cases[] = {
        {"9", 9, 9, false},
        {"3-9", 3, 9, false},
        {"1048576", 1048576, 1048576, false},
        {"web/7", 8, 8, false},
        {"web/3-9", 4, 10, false},
        {"web/1000", 1001, 1001, false},
        {"web/*", 2, 1001, true},
        {"portal/1", 1, 1, false},
        {"my-db.2/1-3", 1002, 1004, false},
        {"my-db.2/*", 1002, 1004, true},
        {"web/007", 8, 8, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vmlist_span s;
        char why[VMLIST_WHY_BYTES] = "";
        if (vmlist_parse(cases[i].text, images, ARRAY_SIZE(images), &s, why) != VMLIST_OK) {
            fail_msg("%s: %s", cases[i].text, why);
        }
        assert_int_equal(s.first, cases[i].first);
        assert_int_equal(s.last, cases[i].last);
        assert_int_equal(s.all, cases[i].all);
        assert_int_equal(s.image != NULL, vmlist_names_image(cases[i].text));
    }
}

static void refusals(void **state)
{
    static const struct {
        const char *text;
        enum vmlist_result result;
        const char *why;
    } cases[] = {
        {"", VMLIST_SYNTAX, "not a VM"},
        {"web", VMLIST_SYNTAX, "not a VM"},
        {"-3", VMLIST_SYNTAX, "not a VM"},
        {"3-", VMLIST_SYNTAX, "not a VM"},
        {"3-4-5", VMLIST_SYNTAX, "not a VM"},
        {"3x", VMLIST_SYNTAX, "not a VM"},
        {"+3", VMLIST_SYNTAX, "not a VM"},
        {"web/", VMLIST_SYNTAX, "not a VM"},
        {"web/*1", VMLIST_SYNTAX, "not a VM"},
        {"web/7/8", VMLIST_SYNTAX, "not a VM"},
        {"99999999999999999999", VMLIST_SYNTAX, "not a VM"},
        {"0", VMLIST_SYNTAX, "from 1 to 1048576"},
        {"9-3", VMLIST_SYNTAX, "from 1 to 1048576"},
        {"1048577", VMLIST_SYNTAX, "from 1 to 1048576"},
        {"web/0", VMLIST_UNKNOWN, "from 1 to 1000 in web"},
        {"web/1001", VMLIST_UNKNOWN, "from 1 to 1000 in web"},
        {"web/9-3", VMLIST_UNKNOWN, "from 1 to 1000 in web"},
        {"we/1", VMLIST_UNKNOWN, "no image"},
        {"/1", VMLIST_UNKNOWN, "no image"},
        {"none/*", VMLIST_UNKNOWN, "no image"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vmlist_span s;
        char why[VMLIST_WHY_BYTES] = "";
        enum vmlist_result result =
            vmlist_parse(cases[i].text, images, ARRAY_SIZE(images), &s, why);
        if (result != cases[i].result || !strstr(why, cases[i].why)) {
            fail_msg("%s: %d, %s", cases[i].text, result, why);
        }
    }
}

/* A word of any length fits the message. */
static void long_words(void **state)
{
    char text[4096], why[VMLIST_WHY_BYTES];
    struct vmlist_span s;
    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = 0;
    assert_int_equal(vmlist_parse(text, images, ARRAY_SIZE(images), &s, why), VMLIST_SYNTAX);
    assert_true(strlen(why) < sizeof(why));
    memcpy(text + sizeof(text) - 3, "/1", 3);
    assert_int_equal(vmlist_parse(text, images, ARRAY_SIZE(images), &s, why), VMLIST_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(refusals),
        cmocka_unit_test(long_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
