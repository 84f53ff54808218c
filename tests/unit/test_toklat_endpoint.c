/* SPDX-License-Identifier: BSD-2-Clause */
// sources: tools/toklat/client/endpoint.c tools/toklat/client/scan.c tools/toklat/common.c
/*
 * How the command finds a running machine: which file counts, and which is refused and why.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/toklat/client/endpoint.h"

#define SOUND "{\"url\": \"http://127.0.0.1:8081\", \"token_file\": \"%s\", \"pid\": %d}\n"

static char folder[] = "/tmp/toklat-endpoint-XXXXXX";
static char run_json[64], other_json[64], token[64];
static struct endpoint_places places;

static void write_file(const char *path, const char *format, ...)
{
    va_list args;
    FILE *f = fopen(path, "w");
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    fclose(f);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(run_json, sizeof(run_json), "%s/run.json", folder);
    snprintf(other_json, sizeof(other_json), "%s/other.json", folder);
    snprintf(token, sizeof(token), "%s/token", folder);
    snprintf(places.path[0], PATH_MAX, "%s/absent/run.json", folder);
    snprintf(places.path[1], PATH_MAX, "%s", run_json);
    snprintf(places.path[2], PATH_MAX, "%s", other_json);
    places.count = 3;
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(run_json);
    unlink(other_json);
    unlink(token);
    return rmdir(folder);
}

static enum endpoint_result search(struct endpoint *e, char *why)
{
    *why = 0;
    return endpoint_search(&places, e, why, PATH_MAX);
}

/* Of a process that has ended, and has not been waited for by anybody else. */
static int dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    return pid;
}

static void parsed(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{\"url\":\"http://a\",\"token_file\":\"/t\"}",
        "{\"url\":\"http://a\",\"pid\":7}",
        "{\"token_file\":\"/t\",\"pid\":7}",
        "{\"url\":\"http://a\",\"token_file\":\"/t\",\"pid\":1}",
        "{\"url\":\"http://a\",\"token_file\":\"/t\",\"pid\":\"7\"}",
        "{\"url\":\"http://a\",\"token_file\":\"/t\",\"pid\":-1}",
        "{\"url\":7,\"token_file\":\"/t\",\"pid\":7}",
    };
    struct endpoint_run run;
    (void)state;
    assert_true(
        endpoint_parse("{\"pid\":7,\"x\":[],\"token_file\":\"/t t\",\"url\":\"http://a\"}", &run));
    assert_string_equal(run.url, "http://a");
    assert_string_equal(run.token_file, "/t t");
    assert_int_equal(run.pid, 7);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        if (endpoint_parse(wrong[i], &run)) {
            fail_msg("taken: %s", wrong[i]);
        }
    }
}

static void listed(void **state)
{
    struct endpoint_places p;
    (void)state;
    endpoint_list(&p, "/src/build/toklat", "/run/user/7", "/h");
    assert_int_equal(p.count, 5);
    assert_string_equal(p.path[0], "build/run.json");
    assert_string_equal(p.path[1], "/src/build/run.json");
    assert_string_equal(p.path[2], "/src/build/run.json");
    assert_string_equal(p.path[3], "/run/user/7/toklat/run.json");
    assert_string_equal(p.path[4], "/h/.local/state/toklat/run.json");
    endpoint_list(&p, "/usr/bin/toklat", NULL, "");
    assert_int_equal(p.count, 3);
    assert_string_equal(p.path[2], "/usr/build/run.json");
    endpoint_list(&p, "", "", NULL);
    assert_int_equal(p.count, 1);
}

static void searched(void **state)
{
    struct endpoint e;
    char why[PATH_MAX];
    (void)state;
    assert_int_equal(search(&e, why), ENDPOINT_NONE);
    write_file(token, "%s\n", "secret");
    write_file(other_json, SOUND, token, (int)getpid());
    assert_int_equal(search(&e, why), ENDPOINT_FOUND);
    assert_string_equal(e.url, "http://127.0.0.1:8081");
    assert_string_equal(e.token, "secret");
    write_file(run_json, SOUND, token, dead_pid()); /* a stale one before it is passed over */
    assert_int_equal(search(&e, why), ENDPOINT_FOUND);
    unlink(other_json);
    assert_int_equal(search(&e, why), ENDPOINT_STALE);
    assert_non_null(strstr(why, run_json));
    assert_non_null(strstr(why, "has ended"));
}

static void unusable(void **state)
{
    struct endpoint e;
    char why[PATH_MAX];
    (void)state;
    write_file(run_json, "{}");
    assert_int_equal(search(&e, why), ENDPOINT_BAD);
    write_file(run_json, "%5000s", "{");
    assert_int_equal(search(&e, why), ENDPOINT_BAD);
    write_file(run_json, SOUND, "/nowhere/token", (int)getpid());
    assert_int_equal(search(&e, why), ENDPOINT_BAD);
    assert_non_null(strstr(why, "/nowhere/token"));
    write_file(run_json, SOUND, token, (int)getpid());
    write_file(token, "two words\n");
    assert_int_equal(search(&e, why), ENDPOINT_BAD);
    write_file(token, "\n");
    assert_int_equal(search(&e, why), ENDPOINT_BAD);
    write_file(token, "%300s", "x");
    assert_int_equal(search(&e, why), ENDPOINT_BAD);
}

/* Whoever may write such a file somewhere chooses where the command sends a file's content. */
static void of_somebody_else(void **state)
{
    struct endpoint e;
    char why[PATH_MAX];
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    write_file(token, "secret");
    write_file(run_json, SOUND, token, (int)getpid());
    assert_int_equal(search(&e, why), ENDPOINT_FOUND);
    assert_int_equal(chown(run_json, 65534, 65534), 0);
    assert_int_equal(search(&e, why), ENDPOINT_BAD);
    assert_non_null(strstr(why, "not permitted"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsed),   cmocka_unit_test(listed),           cmocka_unit_test(searched),
        cmocka_unit_test(unusable), cmocka_unit_test(of_somebody_else),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
