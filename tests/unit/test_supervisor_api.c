/* SPDX-License-Identifier: BSD-2-Clause */
// sources: supervisor
/*
 * The API from a request's bytes to its answer's, with a machine that the test plays.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/api_talk.h"

#define BEARER "Authorization: Bearer " TALK_TOKEN "\r\n"

static int begin(void **state)
{
    (void)state;
    talk_begin();
    return 0;
}

/* Every test leaves nothing behind: what one request held another gets. */
static int end(void **state)
{
    (void)state;
    exchange_end(&talk);
    assert_int_equal(ask("GET /v1/footprint", NULL), 200);
    return 0;
}

static void who_has_no_token_learns_nothing(void **state)
{
    (void)state;
    assert_int_equal(talk_with("GET /v1/health", "", NULL), 200);
    assert_int_equal(talk_with("GET /", "", NULL), 200);
    assert_int_equal(talk_with("GET /v1/machine", "", NULL), 401);
    assert_true(has_header("WWW-Authenticate: Bearer"));
    assert_true(has_header("Content-Type: application/problem+json"));
    assert_int_equal(talk_with("GET /nothing", "", NULL), 401);
    assert_int_equal(talk_with("GET /v1/vms?x=1", "", NULL), 401);
    assert_int_equal(talk_with("POST /v1/vms", "", "{}"), 401);
    assert_int_equal(talk_with("GET /v1/machine", BEARER BEARER, NULL), 400);
    assert_int_equal(fake.calls[TOKLAT_VM_CREATE], 0);
    for (unsigned i = 0; i < 40; i++) {
        talk_with("GET /v1/machine", "Authorization: Bearer 1\r\n", NULL);
    }
    assert_int_equal(talk_with("GET /v1/machine", "", NULL), 429);
    assert_true(has_header("Retry-After: 1\r\n"));
    assert_int_equal(ask("GET /v1/machine", NULL), 200);
}

static void without_a_token_of_its_own_it_does_nothing(void **state)
{
    static const uint8_t ipv4[4] = {10, 64, 0, 1};
    (void)state;
    api_begin("token=12", 1, ipv4);
    assert_int_equal(ask("GET /v1/machine", NULL), 503);
    assert_true(says("\"field\":\"args\""));
    assert_int_equal(talk_with("GET /v1/health", "", NULL), 200);
    talk_begin();
}

static void refusals(void **state)
{
    static const struct {
        int status;
        const char *line, *body, *says;
    } cases[] = {
        {404, "GET /v1", NULL, "path"},
        {404, "GET /v1/vms/", NULL, "path"},
        {404, "GET /v1//vms", NULL, "path"},
        {404, "GET /v1/../v1/vms", NULL, "path"},
        {404, "GET /v1/vms/0", NULL, "number"},
        {404, "GET /v1/vms/x", NULL, "number"},
        {404, "GET /v1/vms/399", NULL, "number"},
        {404, "GET /v1/images/none", NULL, "image"},
        {400, "GET /v1/vms%00", NULL, "path"},
        {400, "GET /v1/vms%ff", NULL, "path"},
        {400, "GET /v1/vms%2", NULL, "path"},
        {405, "PUT /v1/vms", NULL, "GET, HEAD, POST, DELETE"},
        {405, "POST /v1/health", "", "GET, HEAD"},
        {405, "GET /v1/vms/1/start", NULL, "POST"},
        {400, "GET /v1/vms?limit=0", NULL, "\"limit\":\"from 1 to 100000\""},
        {400, "GET /v1/vms?limit=100001", NULL, "limit: 100001: from 1 to 100000"},
        {400, "GET /v1/vms?limit=1&limit=1", NULL, "given once"},
        {400, "GET /v1/vms?state=asleep", NULL, "\"field\":\"state\""},
        {400, "GET /v1/vms?sort=name", NULL, "\"field\":\"sort\""},
        {400, "GET /v1/vms?order=up", NULL, "\"field\":\"order\""},
        {400, "GET /v1/vms?fields=all", NULL, "\"field\":\"fields\""},
        {400, "GET /v1/vms?nonsense=1", NULL, "\"value\":\"nonsense\""},
        {400, "GET /v1/vms?image=%c3", NULL, "\"field\":\"image\""},
        {400, "GET /v1/vms?sort=uss&after=5", NULL, "\"field\":\"after\""},
        {404, "GET /v1/vms?image=none", NULL, "\"value\":\"none\""},
        {400, "GET /v1/machine?x=1", NULL, "query"},
        {400, "DELETE /v1/vms", NULL, "numbers"},
        {400, "DELETE /v1/vms?numbers=5-2", NULL, "numbers"},
        {403, "DELETE /v1/vms?numbers=1-9", NULL, "supervisor"},
        {403, "DELETE /v1/vms/1", NULL, "supervisor"},
        {411, "POST /v1/vms", NULL, "Content-Length"},
        {400, "POST /v1/vms", "", "no JSON object"},
        {400, "POST /v1/vms", "{\"image\":\"web\"", "no JSON object"},
        {400, "POST /v1/vms", "{\"image\":7}", "\"field\":\"image\""},
        {400, "POST /v1/vms", "{\"count\":1}", "image: : has to be given"},
        {400, "POST /v1/vms", "{\"image\":\"web\",\"count\":0}", "count: 0: from 1 to 100000"},
        {400, "POST /v1/vms", "{\"image\":\"web\",\"count\":1.5}", "count: 1.5: from 1 to 100000"},
        {400, "POST /v1/vms", "{\"image\":\"web\",\"count\":1,\"count\":1}", "given once"},
        {400, "POST /v1/vms", "{\"image\":\"web\",\"start\":1}", "true or false"},
        {400, "POST /v1/vms", "{\"image\":\"web\",\"x\":1}", "no such field"},
        {400, "POST /v1/vms", "{\"image\":[\"web\"]}", "no array"},
        {404, "POST /v1/vms", "{\"image\":\"none\"}", "none"},
        {409, "POST /v1/vms", "{\"image\":\"web\",\"count\":100}", "count: 100: at most 99"},
        {400, "PATCH /v1/images/web", "{}", "weight"},
        {400, "PATCH /v1/images/web", "{\"weight\":65536}", "from 1 to 65535"},
        {400, "PATCH /v1/images/web", "{\"memory_limit_bytes\":1}", "a multiple of 4096"},
        {409, "DELETE /v1/images/web", NULL, "deployment"},
        {409, "POST /v1/vms/2/pause", NULL, "state: defined: running"},
        {409, "POST /v1/vms/1/resume", NULL, "state: running: paused"},
        {409, "POST /v1/vms/1/start", NULL, "state: running: defined or dead"},
        {400, "GET /v1/vms/2/console?lines=-1", NULL, "lines"},
        {404, "GET /v1/vms/399/console", NULL, "number"},
        {400, "GET /v1/events?machine=0", NULL, "from 1 to 60"},
        {400, "GET /metrics?top=101", NULL, "from 0 to 100"},
        {400, "POST /v1/images?reserve=1", "x", "name: : has to be given"},
        {400, "POST /v1/images?name=a", "x", "reserve: : has to be given"},
        {400, "POST /v1/images?name=a%20b&reserve=1", "x", "name"},
        {400, "POST /v1/images?name=a&reserve=1&peers=none", "x", "peers"},
        {400, "POST /v1/images?name=a&reserve=1&memory=5", "x", "a multiple"},
        {400, "POST /v1/images?name=a&reserve=1&network=control", "x", "network"},
        {409, "POST /v1/images?name=web&reserve=1", "x", "name"},
        {409, "POST /v1/images?name=a&reserve=51", "x", "at most 50"},
        {422, "POST /v1/images?name=a&reserve=1", "", "ELF"},
        {400, "GET /v1/health", "{}", "no body"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status = ask(cases[i].line, cases[i].body);
        if (status != cases[i].status || !says(cases[i].says)) {
            fail_msg("%s %s: %d %s", cases[i].line, cases[i].body, status, said());
        }
        assert_true(has_header("Content-Type: application/problem+json"));
    }
}

static void heads_that_are_refused(void **state)
{
    (void)state;
    assert_int_equal(talk_with("POST /v1/vms", BEARER "Transfer-Encoding: chunked\r\n", NULL), 411);
    assert_true(has_header("Connection: close"));
    assert_int_equal(talk_with("POST /v1/vms", BEARER "Content-Type: text/html\r\n", "{}"), 415);
    assert_int_equal(talk_with("POST /v1/vms", BEARER "Content-Length: 65537\r\n", NULL), 413);
    assert_true(has_header("Connection: close"));
    assert_int_equal(
        talk_with("POST /v1/images?name=a&reserve=1", BEARER "Content-Length: 2097153\r\n", NULL),
        413);
    assert_int_equal(talk_with("POST /v1/vms/1/console", BEARER "Content-Length: 4097\r\n", NULL),
                     413);
    assert_int_equal(talk_with("POST /v1/vms", BEARER "Idempotency-Key: a b\r\n", "{}"), 400);
    assert_int_equal(talk_with("GET /v1/events", BEARER "Last-Event-ID: x\r\n", NULL), 400);
}

static void machine_and_images(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /v1/version", NULL), 200);
    assert_true(says("\"abi\":\"1.1\""));
    assert_int_equal(ask("GET /v1/machine", NULL), 200);
    assert_true(says("\"vms\":{\"defined\":10,\"live\":1,"));
    assert_true(says("\"store\":{\"capacity_bytes\":1073741824"));
    fake.machine.store.capacity_bytes = 0;
    assert_int_equal(ask("GET /v1/machine", NULL), 200);
    assert_true(says("\"store\":null"));
    assert_int_equal(ask("GET /v1/images", NULL), 200);
    assert_true(says("\"name\":\"extra\",\"index\":2"));
    assert_false(says("\"index\":3"));
    assert_int_equal(ask("PATCH /v1/images/web", "{\"weight\":512,\"memory_limit_bytes\":65536}"),
                     200);
    assert_true(says("\"weight\":512,\"memory_limit_bytes\":65536"));
    assert_int_equal(ask("DELETE /v1/images/extra", NULL), 204);
    assert_false(has_header("Content-Length"));
    assert_int_equal(ask("GET /v1/images/extra", NULL), 404);
}

static void head_has_no_body(void **state)
{
    (void)state;
    assert_int_equal(ask("HEAD /v1/images", NULL), 200);
    assert_true(has_header("Content-Length: "));
    assert_string_equal(strstr(talk_answer, "\r\n\r\n"), "\r\n\r\n");
    assert_int_equal(ask("HEAD /v1/vms/399", NULL), 404);
    assert_string_equal(strstr(talk_answer, "\r\n\r\n"), "\r\n\r\n");
}

static void the_page(void **state)
{
    char again[64];
    (void)state;
    assert_int_equal(talk_with("GET /", "", NULL), 200);
    assert_string_equal(said(), "<html>a page</html>");
    snprintf(again, sizeof(again), "If-None-Match: %.18s\r\n", strstr(talk_answer, "ETag: ") + 6);
    assert_int_equal(talk_with("GET /", again, NULL), 304);
}

static void lists(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /v1/vms?limit=3&fields=brief", NULL), 200);
    assert_string_equal(
        said(), "{\"vms\":[{\"number\":1,\"name\":\"supervisor/1\",\"image\":\"supervisor\","
                "\"instance\":1,\"state\":\"running\"},"
                "{\"number\":2,\"name\":\"web/1\",\"image\":\"web\",\"instance\":1,"
                "\"state\":\"defined\"},"
                "{\"number\":3,\"name\":\"web/2\",\"image\":\"web\",\"instance\":2,"
                "\"state\":\"defined\"}],\"next\":3}\n");
    assert_int_equal(ask("GET /v1/vms?limit=100&after=10&fields=list", NULL), 200);
    assert_string_equal(said(), "{\"vms\":[{\"number\":11,\"name\":\"web/10\",\"state\":"
                                "\"defined\",\"cpu\":0,\"uss_bytes\":0,\"stored_bytes\":0,"
                                "\"cpu_seconds\":0.000000}],\"next\":null}\n");
    assert_int_equal(ask("GET /v1/vms?limit=1&after=10", NULL), 200);
    assert_true(says("\"next\":null")); /* 11 is the last: nothing is behind it */
    assert_int_equal(ask("GET /v1/vms?image=extra", NULL), 200);
    assert_string_equal(said(), "{\"vms\":[],\"next\":null}\n");
    assert_int_equal(ask("GET /v1/vms?after=4294967295", NULL), 200);
    assert_string_equal(said(), "{\"vms\":[],\"next\":null}\n");
    fake_live(7, TOKLAT_VM_STORED, 0);
    assert_int_equal(ask("GET /v1/vms?state=stored&fields=brief", NULL), 200);
    assert_true(says("{\"vms\":[{\"number\":7,"));
    assert_true(says("],\"next\":null}"));
}

static void sorted_lists(void **state)
{
    (void)state;
    fake_live(5, TOKLAT_VM_IDLE, 90);
    fake_live(9, TOKLAT_VM_IDLE, 10);
    assert_int_equal(ask("GET /v1/vms?sort=uss&limit=2&fields=brief", NULL), 200);
    assert_true(says("{\"vms\":[{\"number\":5,"));
    assert_true(says(",{\"number\":1,"));
    assert_false(says("\"number\":9,"));
    assert_int_equal(ask("GET /v1/vms?sort=uss&order=asc&limit=1&image=web&state=idle", NULL), 200);
    assert_true(says("{\"vms\":[{\"number\":9,"));
    assert_int_equal(ask("GET /v1/vms?sort=number&order=desc&limit=1", NULL), 200);
    assert_true(says("{\"vms\":[{\"number\":11,"));
    assert_true(says("\"next\":null"));
}

/* A long list comes in many pieces, and is the same as one that comes in few. */
static void long_lists_in_pieces(void **state)
{
    static char whole[1 << 20];
    (void)state;
    assert_int_equal(ask("POST /v1/vms", "{\"image\":\"web\",\"count\":99}"), 201);
    talk_piece_bytes = 60000;
    assert_int_equal(ask("GET /v1/vms?limit=1000", NULL), 200);
    strcpy(whole, said());
    assert_true(has_header("Content-Length: "));
    talk_piece_bytes = ANSWER_MIN;
    assert_int_equal(ask("GET /v1/vms?limit=1000", NULL), 200);
    assert_true(has_header("Transfer-Encoding: chunked"));
    assert_true(strlen(whole) > 20000);
    assert_string_equal(said(), whole);
}

static void one_vm(void **state)
{
    (void)state;
    fake_live(9, TOKLAT_VM_IDLE, 4);
    assert_int_equal(ask("GET /v1/vms/9", NULL), 200);
    assert_string_equal(said(),
                        "{\"number\":9,\"name\":\"web/8\",\"image\":\"web\",\"instance\":8,"
                        "\"state\":\"idle\",\"cpu\":0,\"uss_bytes\":21504,\"rss_bytes\":98304,"
                        "\"pss_bytes\":21604,\"stage2_bytes\":4096,\"descriptor_bytes\":1024,"
                        "\"stored_bytes\":0,\"record\":0,\"cpu_seconds\":0.009000,\"rx_frames\":0,"
                        "\"tx_frames\":0,\"dropped_frames\":0,\"ipv4\":\"10.64.0.9\"}\n");
}

static void changes(void **state)
{
    (void)state;
    assert_int_equal(ask("POST /v1/vms/3/start", NULL), 200);
    assert_true(says("\"state\":\"runnable\""));
    assert_int_equal(ask("POST /v1/vms/3/pause", ""), 200);
    assert_true(says("\"state\":\"paused\""));
    assert_int_equal(ask("POST /v1/vms/3/resume", "{}"), 200);
    assert_int_equal(fake.calls[TOKLAT_VM_RESUME], 1);
    assert_int_equal(ask("POST /v1/vms/3/restart", NULL), 200);
    assert_int_equal(fake.calls[TOKLAT_VM_RESTART], 1);
    assert_int_equal(ask("POST /v1/vms/3/checkpoint", NULL), 200);
    assert_true(says("\"stored_bytes\":4096,\"record\":8"));
    fake.machine.store.capacity_bytes = 0;
    assert_int_equal(ask("POST /v1/vms/3/checkpoint", NULL), 409);
    assert_int_equal(ask("POST /v1/vms/3/clone", NULL), 409);
    assert_int_equal(ask("DELETE /v1/vms/3", NULL), 204);
}

static void what_is_busy_is_tried_again(void **state)
{
    (void)state;
    fake.refuse[TOKLAT_VM_START] = TOKLAT_E_BUSY;
    fake.refusals[TOKLAT_VM_START] = 10;
    assert_int_equal(ask("POST /v1/vms/3/start", NULL), 200);
    assert_int_equal(fake.calls[TOKLAT_VM_START], 11);
    fake.refuse[TOKLAT_VM_PAUSE] = TOKLAT_E_BUSY;
    uint64_t before = fake.now_ns;
    assert_int_equal(ask("POST /v1/vms/3/pause", NULL), 409);
    assert_true(fake.now_ns - before >= API_BUSY_NS);
    assert_true(fake.now_ns - before < 2 * API_BUSY_NS);
    fake.refuse[TOKLAT_VM_PAUSE] = TOKLAT_E_NO_MEMORY;
    assert_int_equal(ask("POST /v1/vms/3/pause", NULL), 503);
    fake.refuse[TOKLAT_VM_PAUSE] = TOKLAT_E_NOT_SUPPORTED;
    assert_int_equal(ask("POST /v1/vms/3/pause", NULL), 500);
}

static void a_record_that_does_not_come(void **state)
{
    (void)state;
    fake_live(3, TOKLAT_VM_IDLE, 4);
    fake.vms[3].record = 16;
    fake.refuse[TOKLAT_VM_CHECKPOINT] = 1; /* it says that it is being written */
    uint64_t before = fake.now_ns;
    assert_int_equal(ask("POST /v1/vms/3/checkpoint", NULL), 504);
    assert_true(fake.now_ns - before >= API_CHECKPOINT_NS);
}

static void creation(void **state)
{
    (void)state;
    assert_int_equal(ask("POST /v1/vms", "{\"image\":\"web\",\"count\":90,\"start\":true}"), 201);
    assert_string_equal(said(), "{\"image\":\"web\",\"count\":90,\"numbers\":[[12,101]]}\n");
    assert_int_equal(fake.calls[TOKLAT_VM_START], 90);
    assert_int_equal(ask("DELETE /v1/vms?numbers=2-3,20,30-31,200-250", NULL), 200);
    assert_string_equal(said(), "{\"deleted\":5,\"not_found\":51}\n");
    assert_int_equal(fake.vms[2].brief.state, TOKLAT_VM_DEFINED);
    assert_int_equal(ask("POST /v1/vms", "{\"image\":\"web\",\"count\":4}"), 201);
    assert_string_equal(
        said(), "{\"image\":\"web\",\"count\":4,\"numbers\":[[20,20],[30,31],[102,102]]}\n");
    assert_int_equal(ask("POST /v1/vms/12/clone", "{\"count\":2}"), 201);
    assert_string_equal(said(), "{\"image\":\"web\",\"count\":2,\"numbers\":[[103,104]]}\n");
    fake.groups[1].state = TOKLAT_GROUP_BOOTING;
    assert_int_equal(ask("POST /v1/vms", "{\"image\":\"web\"}"), 409);
}

static void all_or_none(void **state)
{
    (void)state;
    fake.fail_create_after = 80;
    assert_int_equal(ask("POST /v1/vms", "{\"image\":\"web\",\"count\":90,\"start\":true}"), 503);
    assert_int_equal(fake.calls[TOKLAT_VM_DESTROY], 79);
    assert_int_equal(ask("GET /v1/images/web", NULL), 200);
    assert_true(says("\"vms\":{\"defined\":10,\"live\":0,"));
    fake.refuse[TOKLAT_VM_START] = TOKLAT_E_BUSY;
    assert_int_equal(ask("POST /v1/vms", "{\"image\":\"web\",\"count\":9,\"start\":true}"), 409);
    assert_int_equal(ask("GET /v1/images/web", NULL), 200);
    assert_true(says("\"vms\":{\"defined\":10,\"live\":0,"));
}

static void a_key_makes_repetition_harmless(void **state)
{
    static const char body[] = "{\"image\":\"web\",\"count\":3}";
    static const char key[] = BEARER "Idempotency-Key: once\r\n";
    static const char other[] = BEARER "Idempotency-Key: twice\r\n";
    (void)state;
    assert_int_equal(talk_with("POST /v1/vms", key, body), 201);
    assert_true(says("[[12,14]]"));
    assert_int_equal(talk_with("POST /v1/vms", key, body), 201);
    assert_true(says("[[12,14]]"));
    assert_int_equal(fake.calls[TOKLAT_VM_CREATE], 3);
    assert_int_equal(talk_with("POST /v1/vms", key, "{\"image\":\"web\"}"), 422);
    assert_int_equal(talk_with("POST /v1/vms/1/clone", key, body + 0), 400);
    fake.fail_create_after = 2;
    assert_int_equal(talk_with("POST /v1/vms", other, body), 503);
    assert_int_equal(talk_with("POST /v1/vms", other, body), 201);
}

static void consoles(void **state)
{
    (void)state;
    fake_note(TOKLAT_JOURNAL_LINE, 3, 0, "one");
    fake_note(TOKLAT_JOURNAL_LINE, 4, 0, "not mine");
    fake_note(TOKLAT_JOURNAL_STARTED, 3, 0, "");
    fake_note(TOKLAT_JOURNAL_LINE, 3, 0, "two");
    fake_note(TOKLAT_JOURNAL_LINE, 3, 0, "three");
    assert_int_equal(ask("GET /v1/vms/3/console", NULL), 200);
    assert_true(has_header("Content-Type: text/plain; charset=utf-8"));
    assert_string_equal(said(), "one\ntwo\nthree\n");
    assert_int_equal(ask("GET /v1/vms/3/console?lines=2", NULL), 200);
    assert_string_equal(said(), "two\nthree\n");
    assert_int_equal(ask("GET /v1/vms/3/console?lines=0", NULL), 200);
    assert_string_equal(said(), "");
    assert_int_equal(ask("GET /v1/vms/3/console?lines=1&follow=1", NULL), 200);
    assert_string_equal(said(), "three\n");
    assert_true(talk.wants_journal);
    fake_note(TOKLAT_JOURNAL_LINE, 3, 0, "four");
    talk_take();
    assert_string_equal(said(), "three\nfour\n");
    assert_int_equal(talk.phase, EXCHANGE_ANSWER);
}

static void console_input(void **state)
{
    (void)state;
    assert_int_equal(ask("POST /v1/vms/3/console", "hello\n"), 200);
    assert_string_equal(said(), "{\"written\":6}\n");
    assert_string_equal(fake.input, "hello\n");
    fake.input_room = 10;
    assert_int_equal(ask("POST /v1/vms/3/console", "more than fits"), 200);
    assert_string_equal(said(), "{\"written\":4}\n");
    assert_int_equal(ask("POST /v1/vms/399/console", "x"), 404);
    assert_int_equal(ask("POST /v1/vms/399/console", ""), 404);
}

static void event_streams(void **state)
{
    (void)state;
    fake_note(TOKLAT_JOURNAL_LOG, 0, 0, "toklat: before");
    assert_int_equal(ask("GET /v1/events", NULL), 200);
    assert_true(has_header("Content-Type: text/event-stream"));
    assert_true(talk.wants_journal);
    fake_note(TOKLAT_JOURNAL_LINE, 3, 0, "no event");
    fake_note(TOKLAT_JOURNAL_KILLED, 3, 0, "a \"fault\"");
    fake_note(TOKLAT_JOURNAL_EXITED, 4, -2, "");
    fake_note(TOKLAT_JOURNAL_CLONED, 5, 4, "");
    fake_note(TOKLAT_JOURNAL_IMAGE, 0, 1, "web");
    talk_take();
    assert_false(says("before"));
    assert_true(says("event: vm\ndata: {\"kind\":\"killed\",\"number\":3,\"name\":\"web/2\","
                     "\"time_seconds\":5.000000,\"text\":\"a \\\"fault\\\"\"}\n\n"));
    assert_true(
        says("\"kind\":\"exited\",\"number\":4,\"name\":\"web/3\",\"time_seconds\":5.000000,"
             "\"status\":-2}"));
    assert_true(
        says("\"kind\":\"cloned\",\"number\":5,\"name\":\"web/4\",\"time_seconds\":5.000000,"
             "\"from\":4}"));
    assert_true(says("event: image\ndata: {\"kind\":\"ready\",\"image\":\"web\""));
    assert_int_equal(talk_with("GET /v1/events", BEARER "Last-Event-ID: 1000\r\n", NULL), 200);
    assert_true(says("before"));
    fake.machine.journal_first = 1040;
    assert_int_equal(ask("GET /v1/events?after=1000", NULL), 200);
    assert_true(says("event: lost\ndata: {\"bytes\":40}\n\n"));
    assert_int_equal(ask("GET /v1/events?after=999999", NULL), 200);
    assert_true(says("cloned"));
}

static void the_clock_of_a_stream(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /v1/events?machine=2", NULL), 200);
    assert_true(says("event: machine\ndata: {\"uptime_seconds\""));
    assert_true(talk.wake_ns <= fake.now_ns + 2000000000);
    talk_length = 0;
    fake.now_ns = talk.wake_ns;
    talk_take();
    assert_non_null(strstr(talk_answer, "event: machine"));
    fake.now_ns += API_ALIVE_NS;
    talk_take();
    assert_non_null(strstr(talk_answer, ": alive\n\n"));
}

static void maps_and_figures(void **state)
{
    (void)state;
    fake_live(4, TOKLAT_VM_IDLE, 4);
    fake_live(5, TOKLAT_VM_IDLE, 9);
    fake_live(6, TOKLAT_VM_PAUSED, 9);
    fake.vms[8].brief.state = TOKLAT_VM_STORED;
    fake.vms[8].record_bytes = 8192;
    assert_int_equal(ask("GET /v1/map", NULL), 200);
    assert_true(says("\"image\":\"web\",\"first_vm\":2,\"count\":109,"
                     "\"states\":\"2d2i1p1d1s3d99-\"}"));
    assert_true(says("\"states\":\"10-\"}]}"));
    assert_int_equal(ask("GET /v1/histogram", NULL), 200);
    assert_string_equal(said(), "{\"bucket_bytes\":4096,\"buckets\":[[5,1],[10,2],[51,1]]}\n");
    assert_int_equal(ask("GET /v1/footprint", NULL), 200);
    assert_true(says("{\"image\":\"web\",\"live\":3,\"uss_bytes\":{\"min\":21504,\"median\":41984,"
                     "\"max\":41984,\"sum\":105472}"));
    assert_true(says("\"stored\":1,\"stored_bytes\":8192}"));
    assert_true(says("{\"image\":\"extra\",\"live\":0,\"uss_bytes\":{\"min\":0,\"median\":0,"));
    assert_int_equal(ask("GET /metrics?top=2", NULL), 200);
    assert_true(says("# EOF\n"));
    assert_int_equal(talk_with("GET /metrics", BEARER "Accept: text/plain\r\n", NULL), 200);
    assert_true(has_header("Content-Type: text/plain; version=0.0.4"));
}

static void uploads(void **state)
{
    (void)state;
    assert_int_equal(ask("POST /v1/images?name=new&reserve=5&file=n.elf&weight=9&memory=8192"
                         "&args=a%20b&peers=web,extra&network=uplink",
                         "an ELF file"),
                     201);
    assert_true(has_header("Location: /v1/images/new\r\n"));
    assert_true(says("\"name\":\"new\",\"index\":3"));
    assert_int_equal(fake.image_written, 0); /* forgotten when it was over */
    assert_string_equal(fake.load.args, "a b");
    assert_string_equal(fake.load.file, "n.elf");
    assert_int_equal(fake.load.peer_count, 2);
    assert_int_equal(fake.load.peers[1], 2);
    assert_int_equal(fake.load.network, TOKLAT_NETWORK_UPLINK);
    fake.groups[3].state = TOKLAT_GROUP_ABSENT;
    fake.load_problem = "machine: 62: 183, AArch64";
    assert_int_equal(ask("POST /v1/images?name=new&reserve=5", "no ELF file"), 422);
    assert_true(says("\"field\":\"machine\",\"value\":\"62\",\"limit\":\"183, AArch64\""));
    fake.load_problem = "segment 1: p_vaddr (at least): 5 (0x5): limit 4096 (0x1000)";
    assert_int_equal(ask("POST /v1/images?name=new&reserve=5", "no ELF file"), 422);
    assert_true(says("\"field\":\"segment 1: p_vaddr (at least)\",\"value\":\"5 (0x5)\","
                     "\"limit\":\"4096 (0x1000)\""));
    fake.load_problem = "something else";
    assert_int_equal(ask("POST /v1/images?name=new&reserve=5", "no ELF file"), 422);
    assert_true(says("\"detail\":\"something else\"}"));
}

static void one_upload_at_a_time(void **state)
{
    static struct exchange first;
    (void)state;
    talk_with("POST /v1/images?name=new&reserve=5", BEARER "Content-Length: 100\r\n", NULL);
    assert_int_equal(talk.phase, EXCHANGE_BODY);
    first = talk;
    assert_int_equal(ask("POST /v1/images?name=other&reserve=5", "x"), 503);
    exchange_end(&first);
    assert_int_equal(ask("POST /v1/images?name=other&reserve=5", "x"), 201);
    assert_string_equal(fake.load.file, "other");
}

static void long_work_waits_for_its_turn(void **state)
{
    static struct exchange first;
    char buffer[ANSWER_MIN];
    struct http_text piece;
    (void)state;
    talk_with("GET /v1/events", BEARER, NULL);
    first = talk;
    first.request.endpoint = API_HISTOGRAM;
    memset(&first.at, 0, sizeof(first.at));
    assert_int_equal(exchange_answer(&first, buffer, sizeof(buffer), &piece), STEP_MORE);
    assert_true(first.holds_area);
    assert_int_equal(ask("GET /v1/footprint", NULL), 503);
    exchange_end(&first);
    assert_int_equal(ask("GET /v1/footprint", NULL), 200);
}

static void old_http(void **state)
{
    static const char text[] = "GET /v1/vms?limit=1000 HTTP/1.0\r\n" BEARER "\r\n";
    struct http_request request;
    (void)state;
    assert_int_equal(ask("POST /v1/vms", "{\"image\":\"web\",\"count\":99}"), 201);
    talk_length = 0;
    assert_int_equal(http_parse_request(&request, text, sizeof(text) - 1, 3000, 4000), HTTP_OK);
    exchange_begin(&talk, &request);
    talk_take();
    assert_true(has_header("Connection: close"));
    assert_false(has_header("chunked"));
    assert_true(says("{\"vms\":[{"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_has_no_token_learns_nothing),
        TEST(without_a_token_of_its_own_it_does_nothing),
        TEST(refusals),
        TEST(heads_that_are_refused),
        TEST(machine_and_images),
        TEST(head_has_no_body),
        TEST(the_page),
        TEST(lists),
        TEST(sorted_lists),
        TEST(long_lists_in_pieces),
        TEST(one_vm),
        TEST(changes),
        TEST(what_is_busy_is_tried_again),
        TEST(a_record_that_does_not_come),
        TEST(creation),
        TEST(all_or_none),
        TEST(a_key_makes_repetition_harmless),
        TEST(consoles),
        TEST(console_input),
        TEST(event_streams),
        TEST(the_clock_of_a_stream),
        TEST(maps_and_figures),
        TEST(uploads),
        TEST(one_upload_at_a_time),
        TEST(long_work_waits_for_its_turn),
        TEST(old_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
