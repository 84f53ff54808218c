/* SPDX-License-Identifier: BSD-2-Clause */
// sources: core/archive.c
/*
 * The archive reader: sound archives, and every way in which one can be cut or broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/archive.h"

#define REGULAR 0100644u
#define DIRECTORY 0040755u

struct builder {
    char bytes[4096];
    size_t used;
};

static void pad(struct builder *b)
{
    while (b->used % 4 != 0) {
        b->bytes[b->used++] = '\0';
    }
}

static void add(struct builder *b, uint32_t mode, const char *name, const char *content)
{
    b->used += (size_t)sprintf(
        b->bytes + b->used, "070701%08X%08x%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1, mode,
        0, 0, 1, 0, (unsigned)strlen(content), 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0);
    memcpy(b->bytes + b->used, name, strlen(name) + 1);
    b->used += strlen(name) + 1;
    pad(b);
    memcpy(b->bytes + b->used, content, strlen(content));
    b->used += strlen(content);
    pad(b);
}

/* A directory, two files, one of them empty, and a trailer. */
static void sample(struct builder *b)
{
    memset(b, 0, sizeof(*b));
    add(b, DIRECTORY, "folder", "");
    add(b, REGULAR, "first", "hello");
    add(b, REGULAR, "empty", "");
    add(b, REGULAR, "folder/last", "the last file");
    add(b, 0, "TRAILER!!!", "");
}

/* Looks into a copy that ends where the archive ends, so that a sanitizer sees a read behind it. */
static enum err find(const struct builder *b, size_t bytes, const char *name, char *content,
                     struct refusal *why)
{
    char *copy = malloc(bytes ? bytes : 1);
    const void *data = NULL;
    size_t n = 0;

    memcpy(copy, b->bytes, bytes);
    enum err e = archive_find(copy, bytes, name, &data, &n, why);
    if (e == OK) {
        memcpy(content, data, n);
        content[n] = '\0';
    }
    free(copy);
    return e;
}

static void finds_files(void **state)
{
    (void)state;
    struct builder b;
    struct refusal why;
    char content[64];

    sample(&b);
    assert_int_equal(find(&b, b.used, "first", content, &why), OK);
    assert_string_equal(content, "hello");
    assert_int_equal(find(&b, b.used, "empty", content, &why), OK);
    assert_string_equal(content, "");
    assert_int_equal(find(&b, b.used, "folder/last", content, &why), OK);
    assert_string_equal(content, "the last file");
}

static void says_what_is_not_there(void **state)
{
    (void)state;
    struct builder b;
    struct refusal why;
    char content[64];

    sample(&b);
    assert_int_equal(find(&b, b.used, "firs", content, &why), ERR_NOT_FOUND);
    assert_int_equal(find(&b, b.used, "folder", content, &why), ERR_NOT_FOUND);
    assert_int_equal(find(&b, b.used, "TRAILER!!!", content, &why), ERR_NOT_FOUND);
    assert_non_null(why.what);
}

/* Zeros after the trailer are usual: boot loaders and cpio itself pad. */
static void ignores_what_follows_the_trailer(void **state)
{
    (void)state;
    struct builder b;
    struct refusal why;
    char content[64];

    sample(&b);
    assert_int_equal(find(&b, b.used + 512, "missing", content, &why), ERR_NOT_FOUND);
}

static void every_cut_is_seen(void **state)
{
    (void)state;
    struct builder b;
    struct refusal why;
    char content[64];

    sample(&b);
    for (size_t cut = 0; cut < b.used; cut++) {
        assert_int_equal(find(&b, cut, "missing", content, &why), ERR_INVALID);
        assert_non_null(why.what);
        assert_int_equal(why.limit, cut);
        assert_true(why.value <= cut);
    }
}

static void a_file_before_the_cut_is_found(void **state)
{
    (void)state;
    struct builder b;
    struct refusal why;
    char content[64];

    sample(&b);
    assert_int_equal(find(&b, b.used - 20, "first", content, &why), OK);
    assert_int_equal(find(&b, 120, "first", content, &why), ERR_INVALID);
}

static void missing_trailer(void **state)
{
    (void)state;
    struct builder b = {.used = 0};
    struct refusal why;
    char content[64];

    add(&b, REGULAR, "first", "hello");
    assert_int_equal(find(&b, b.used, "second", content, &why), ERR_INVALID);
    assert_int_equal(why.value, b.used);
}

/* Every byte of the first header replaced by one that no header may hold. */
static void bad_header_bytes(void **state)
{
    (void)state;
    struct builder b;
    struct refusal why;
    char content[64];

    for (size_t i = 0; i < 110; i++) {
        sample(&b);
        b.bytes[i] = 'g';
        assert_int_equal(find(&b, b.used, "first", content, &why), ERR_INVALID);
        assert_int_equal(why.value, 0);
    }
}

static void set_field(struct builder *b, unsigned field, const char *digits)
{
    memcpy(b->bytes + 6 + 8 * field, digits, 8);
}

static void sizes_that_overflow(void **state)
{
    (void)state;
    static const char *const digits[] = {"FFFFFFFF", "fffffffc", "80000000",
                                         "7FFFFFFF", "FFFFFF92", "00001000"};
    struct builder b;
    struct refusal why;
    char content[64];

    for (size_t i = 0; i < sizeof(digits) / sizeof(digits[0]); i++) {
        sample(&b);
        set_field(&b, 6, digits[i]);
        assert_int_equal(find(&b, b.used, "first", content, &why), ERR_INVALID);
        sample(&b);
        set_field(&b, 11, digits[i]);
        assert_int_equal(find(&b, b.used, "first", content, &why), ERR_INVALID);
    }
}

static void names_must_end(void **state)
{
    (void)state;
    struct builder b;
    struct refusal why;
    char content[64];

    sample(&b);
    set_field(&b, 11, "00000000");
    assert_int_equal(find(&b, b.used, "first", content, &why), ERR_INVALID);
    sample(&b);
    set_field(&b, 11, "00000006");
    assert_int_equal(find(&b, b.used, "first", content, &why), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_files),
        cmocka_unit_test(says_what_is_not_there),
        cmocka_unit_test(ignores_what_follows_the_trailer),
        cmocka_unit_test(every_cut_is_seen),
        cmocka_unit_test(a_file_before_the_cut_is_found),
        cmocka_unit_test(missing_trailer),
        cmocka_unit_test(bad_header_bytes),
        cmocka_unit_test(sizes_that_overflow),
        cmocka_unit_test(names_must_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
