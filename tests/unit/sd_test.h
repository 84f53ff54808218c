/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of SD cards on a host controller: the same for each. The file that includes this has
 * included the drivers as text, and says what its host is: HOST_BASE, host_probe, host_init,
 * host_interrupts, host_fail_bits.
 */
#ifndef TESTS_UNIT_SD_TEST_H
#define TESTS_UNIT_SD_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REQUESTS 40u
#define MEMORY_BYTES (2u << 20)
#define ONE_MIB (1u << 20)
#define POLLS 100000u

static struct block_device *b;
static uint8_t *memory;
static char said[4096];
static unsigned order[REQUESTS * 2], order_count;

static struct test_request {
    struct block_request r;
    struct block_piece pieces[4];
    unsigned done;
    enum err result;
    struct test_request *then; /* is submitted when this one is done */
} requests[REQUESTS];

static void sink(const char *text, size_t n)
{
    size_t used = strlen(said);
    if (used + n < sizeof(said)) {
        memcpy(said + used, text, n);
        said[used + n] = '\0';
    }
}

static void on_done(struct block_request *r, enum err e)
{
    struct test_request *t = container_of(r, struct test_request, r);
    t->done++;
    t->result = e;
    order[order_count++] = (unsigned)(t - requests);
    if (t->then) {
        assert_int_equal(b->submit(b, &t->then->r), OK);
    }
}

/* Request `i`: of one piece, at `at` of the memory. */
static struct test_request *make(unsigned i, enum block_op op, uint64_t sector, uint32_t at,
                                 uint32_t bytes)
{
    struct test_request *t = &requests[i];
    *t = (struct test_request){
        .r = {.op = op, .sector = sector, .pieces = t->pieces, .piece_count = 1, .done = on_done},
        .pieces = {{PA((uintptr_t)memory + at), bytes}},
    };
    if (op == BLOCK_FLUSH) {
        t->r.piece_count = 0;
    }
    return t;
}

static struct test_request *submit_new(unsigned i, enum block_op op, uint64_t sector, uint32_t at,
                                       uint32_t bytes)
{
    struct test_request *t = make(i, op, sector, at, bytes);
    assert_int_equal(b->submit(b, &t->r), OK);
    return t;
}

/* Polls until nothing is in flight, as at boot; the number of polls. */
static unsigned finish_all(void)
{
    unsigned polls = 0;
    b->kick(b);
    for (; b->in_flight > 0; polls++) {
        assert_in_range(polls, 0, POLLS);
        b->poll(b);
        b->kick(b);
        fake_host.now += fake_host.stopped ? 1000000 / FAKE_SD_TICK_NS : 0;
    }
    return polls;
}

static void assert_done(const struct test_request *t, enum err e)
{
    assert_int_equal(t->done, 1);
    assert_int_equal(t->result, e);
}

static enum err do_one(enum block_op op, uint64_t sector, uint32_t at, uint32_t bytes)
{
    struct test_request *t = submit_new(0, op, sector, at, bytes);
    finish_all();
    assert_int_equal(t->done, 1);
    return t->result;
}

static void assert_is_sector(const uint8_t *p, uint64_t sector, uint64_t count)
{
    assert_memory_equal(p, fake_sd.disk + sector * 512, count * 512);
}

static enum err probe(void)
{
    struct device d = {.base = HOST_BASE, .bytes = 0x100};
    b = NULL;
    said[0] = '\0';
    return host_probe(&d, &b);
}

static int setup(void **state)
{
    (void)state;
    fake_sd_init();
    host_init();
    memset(cards, 0, sizeof(cards));
    card_count = 0;
    memset(&host, 0, sizeof(host));
    memset(requests, 0, sizeof(requests));
    order_count = 0;
    memory = aligned_alloc(4096, MEMORY_BYTES);
    for (unsigned i = 0; i < MEMORY_BYTES; i++) {
        memory[i] = (uint8_t)(i * 31 + i / 512);
    }
    log_set_sink(sink);
    said[0] = '\0';
    return 0;
}

static int setup_running(void **state)
{
    setup(state);
    assert_int_equal(probe(), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(fake_host.too_early, 0);
    free(memory);
    return 0;
}

static void start_anew(void **state)
{
    teardown(state);
    setup_running(state);
}

/* --- identification ----------------------------------------------------------------------- */

static void test_identify(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 8, 55, 0x80 | 41, 55, 0x80 | 41, 55, 0x80 | 41,
                                       2, 3, 9,  7,         55, 0x80 | 6,  6,  13};
    assert_int_equal(probe(), OK);
    assert_int_equal(fake_sd.commands, sizeof(expected));
    assert_memory_equal(fake_sd.log, expected, sizeof(expected));
    assert_int_equal(b->sectors, FAKE_SD_SECTORS);
    assert_false(b->read_only);
    assert_true(fake_sd.wide && fake_sd.fast);
    assert_int_equal(do_one(BLOCK_READ, 0, 0, 512), OK);
    assert_true(fake_host.wide);
    assert_in_range(fake_host.hz, 25000001, 50000000);
    assert_string_equal(said, "");
}

static void test_no_card(void **state)
{
    (void)state;
    fake_sd.present = false;
    assert_int_equal(probe(), ERR_NOT_FOUND);
    assert_string_equal(said, "");
    assert_null(b);
    fake_sd.present = true;
    assert_int_equal(probe(), OK);
}

static void assert_refused(const char *why)
{
    assert_int_equal(probe(), ERR_UNSUPPORTED);
    assert_non_null(strstr(said, why));
    assert_null(b);
}

static void test_refused(void **state)
{
    (void)state;
    fake_sd.standard = true;
    assert_refused("standard capacity");
    fake_sd.standard = false;
    fake_sd.old = true;
    assert_refused("standard capacity");
    fake_sd.old = false;
    fake_sd.echo_wrong = true;
    assert_refused("3.3 V");
    fake_sd.echo_wrong = false;
    fake_sd.csd_version = 3;
    assert_refused("CSD");
    fake_sd.csd_version = 1;
    uint64_t before = fake_sd_now();
    fake_sd.ready_after = UINT32_MAX;
    assert_refused("does not become ready");
    assert_in_range(fake_sd_now() - before, 0, 3000000000u / FAKE_SD_TICK_NS);
    fake_sd.ready_after = 1;
    assert_int_equal(probe(), OK);
}

static void test_nonsense(void **state)
{
    (void)state;
    fake_sd.nonsense = true;
    assert_int_not_equal(probe(), OK);
}

/* It falls silent at any command. Only high speed is done without. */
static void test_falls_silent(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        fake_sd_init();
        host_init();
        fake_sd.mute_after = i;
        uint64_t before = fake_sd_now();
        assert_int_not_equal(probe(), OK);
        assert_null(b);
        assert_in_range(fake_sd_now() - before, 0, 4000000000u / FAKE_SD_TICK_NS);
    }
    fake_sd_init();
    host_init();
    fake_sd.mute_after = 16;
    assert_int_equal(probe(), OK);
}

static void test_capacity(void **state)
{
    (void)state;
    fake_sd.c_size = 0x3ABCDE; /* 1.9 TiB */
    assert_int_equal(probe(), OK);
    assert_int_equal(b->sectors, 0x3ABCDFull * 1024);
}

static void test_slow_card(void **state)
{
    (void)state;
    fake_sd.slow = true;
    assert_int_equal(probe(), OK);
    assert_int_equal(do_one(BLOCK_READ, 0, 0, 512), OK);
    assert_in_range(fake_host.hz, 400001, 25000000);
    assert_false(fake_host.fast);
}

static void test_dead_host(void **state)
{
    (void)state;
    fake_host.hangs = true;
    assert_int_not_equal(probe(), OK);
    fake_host.hangs = false;
    fake_host.stopped = true;
    uint64_t before = fake_sd_now();
    assert_int_not_equal(probe(), OK);
    assert_in_range(fake_sd_now() - before, 0, 8000000000u / FAKE_SD_TICK_NS);
}

static void test_one_card(void **state)
{
    (void)state;
    assert_int_equal(probe(), OK);
    struct block_device *first = b;
    assert_int_equal(probe(), ERR_NO_MEMORY);
    b = first;
    assert_int_equal(do_one(BLOCK_READ, 0, 0, 512), OK);
}

/* --- requests ----------------------------------------------------------------------------- */

static void test_read_and_write(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {512, 1024, 4096, 128 * 1024, 129 * 1024 + 512, ONE_MIB};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint32_t n = sizes[i] / 512;
        assert_int_equal(do_one(BLOCK_READ, 7 + i, 0, sizes[i]), OK);
        assert_is_sector(memory, 7 + i, n);
        memset(memory, (int)(0x30 + i), sizes[i]);
        assert_int_equal(do_one(BLOCK_WRITE, 3000 + i, 0, sizes[i]), OK);
        assert_is_sector(memory, 3000 + i, n);
        assert_int_not_equal(fake_sd.disk[(3000 + i + n) * 512], 0x30 + i);
    }
    assert_int_equal(b->reads, ARRAY_SIZE(sizes));
    assert_int_equal(b->writes, ARRAY_SIZE(sizes));
    assert_int_equal(b->read_sectors, b->written_sectors);
    assert_int_equal(b->errors, 0);
}

static void test_pieces(void **state)
{
    (void)state;
    for (unsigned op = BLOCK_READ; op <= BLOCK_WRITE; op++) {
        struct test_request *t = make(0, op, 100, 8192, 512);
        t->pieces[1] = (struct block_piece){PA((uintptr_t)memory), 200 * 512};
        t->pieces[2] = (struct block_piece){PA((uintptr_t)memory + ONE_MIB), 300 * 512};
        t->r.piece_count = 3;
        t->pieces[0].pa.v += ONE_MIB / 2;
        assert_int_equal(b->submit(b, &t->r), OK);
        finish_all();
        assert_done(t, OK);
        assert_is_sector(memory + ONE_MIB / 2 + 8192, 100, 1);
        assert_is_sector(memory, 101, 200);
        assert_is_sector(memory + ONE_MIB, 301, 300);
        memset(memory, 0x77, MEMORY_BYTES);
    }
}

/* A host that counts to 256 begins anew where a piece does. */
static void test_whole_pieces(void **state)
{
    (void)state;
    struct test_request *t = make(0, BLOCK_READ, 100, 256 * 512, 256 * 512);
    t->pieces[1] = (struct block_piece){PA((uintptr_t)memory), 256 * 512};
    t->r.piece_count = 2;
    assert_int_equal(b->submit(b, &t->r), OK);
    finish_all();
    assert_done(t, OK);
    assert_is_sector(memory + 256 * 512, 100, 256);
    assert_is_sector(memory, 356, 256);
}

/* A partition: the rest of the card belongs to others. */
static void test_part_of_card(void **state)
{
    (void)state;
    b->first = 4000;
    b->sectors = 600;
    assert_int_equal(do_one(BLOCK_READ, 88, 0, 512 * 512), OK);
    assert_is_sector(memory, 4088, 512);
    memset(memory, 0x11, 1024);
    assert_int_equal(do_one(BLOCK_WRITE, 598, 0, 1024), OK);
    assert_is_sector(memory, 4598, 2);
    struct test_request *t = make(0, BLOCK_WRITE, 599, 0, 1024);
    assert_int_equal(b->submit(b, &t->r), ERR_RANGE);
}

static void test_refused_requests(void **state)
{
    (void)state;
    struct test_request *t = make(0, BLOCK_READ, FAKE_SD_SECTORS - 1, 0, 1024);
    assert_int_equal(b->submit(b, &t->r), ERR_RANGE);
    t->r.sector = UINT64_MAX;
    assert_int_equal(b->submit(b, &t->r), ERR_RANGE);
    t = make(0, BLOCK_READ, 0, 0, 0);
    assert_int_equal(b->submit(b, &t->r), ERR_INVALID);
    t = make(0, BLOCK_READ, 0, 0, 700);
    assert_int_equal(b->submit(b, &t->r), ERR_INVALID);
    t = make(0, BLOCK_READ, 0, 2, 512);
    assert_int_equal(b->submit(b, &t->r), ERR_INVALID);
    t = make(0, BLOCK_READ, 0, 0, 512);
    t->r.piece_count = 0;
    assert_int_equal(b->submit(b, &t->r), ERR_INVALID);
    t->r.piece_count = b->pieces_max + 1;
    assert_int_equal(b->submit(b, &t->r), ERR_RANGE);
    assert_int_equal(b->in_flight, 0);
}

static void test_read_only(void **state)
{
    fake_sd.locked = true;
    (void)state;
    assert_int_equal(probe(), OK);
    assert_true(b->read_only);
    struct test_request *t = make(0, BLOCK_WRITE, 0, 0, 512);
    assert_int_equal(b->submit(b, &t->r), ERR_DENIED);
    assert_int_equal(do_one(BLOCK_READ, 0, 0, 512), OK);
}

static void test_queue_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        enum block_op op = i % 5 == 4 ? BLOCK_FLUSH : i % 2 ? BLOCK_WRITE : BLOCK_READ;
        submit_new(i, op, i * 8, i * 4096, 4096);
    }
    struct test_request *more = make(32, BLOCK_READ, 0, 32 * 4096, 512);
    assert_int_equal(b->submit(b, &more->r), ERR_BUSY);
    assert_int_equal(b->in_flight, 32);
    finish_all();
    assert_int_equal(order_count, 32);
    for (unsigned i = 0; i < 32; i++) {
        assert_int_equal(order[i], i);
        assert_done(&requests[i], OK);
    }
    assert_int_equal(b->in_flight_most, 32);
    assert_int_equal(b->flushes, 6);
    submit_new(33, BLOCK_READ, 0, 32 * 4096, 512);
    finish_all();
    assert_done(&requests[33], OK);
}

static void test_done_submits(void **state)
{
    (void)state;
    struct test_request *second = make(1, BLOCK_READ, 9, 4096, 512);
    struct test_request *first = submit_new(0, BLOCK_READ, 5, 0, 512);
    first->then = second;
    b->kick(b);
    for (unsigned i = 0; i < POLLS && !first->done; i++) {
        b->poll(b);
    }
    assert_int_equal(second->done, 0);
    assert_int_equal(b->in_flight, 1);
    finish_all();
    assert_done(second, OK);
    assert_is_sector(memory + 4096, 9, 1);
}

/* Nothing is finished before its interrupt; an acknowledged one is not raised again until poll. */
static void test_interrupts(void **state)
{
    (void)state;
    for (unsigned op = BLOCK_READ; op <= BLOCK_WRITE; op++) {
        fake_host.available = 0;
        struct test_request *t = submit_new(op, op, 50, 0, 3 * 512);
        assert_false(t->done);
        b->kick(b);
        for (unsigned i = 0; i < 3; i++) {
            b->ack(b);
            assert_int_equal(b->poll(b), 0);
            b->ack(b);
            b->poll(b);
            fake_host.available = 1;
            assert_true(host_interrupts());
            b->ack(b);
            assert_false(host_interrupts());
            b->poll(b);
        }
        fake_host.available = UINT32_MAX;
        finish_all();
        assert_done(t, OK);
        assert_is_sector(memory, 50, 3);
    }
}

static void test_lets_others_run(void **state)
{
    (void)state;
    submit_new(0, BLOCK_READ, 0, 0, ONE_MIB);
    b->kick(b);
    unsigned polls = 1;
    while (b->poll(b) == 0) {
        assert_true(host_interrupts()); /* so it is polled again */
        b->ack(b);
        polls++;
    }
    assert_in_range(polls, 16, 40);
    assert_done(&requests[0], OK);
}

static void test_write_is_busy(void **state)
{
    (void)state;
    struct test_request *t = submit_new(0, BLOCK_WRITE, 10, 0, 512);
    fake_host.holds_busy = true;
    b->kick(b);
    for (unsigned i = 0; i < 10; i++) {
        b->ack(b);
        assert_int_equal(b->poll(b), 0);
    }
    assert_false(host_interrupts());
    fake_host.holds_busy = false;
    assert_true(host_interrupts());
    b->ack(b);
    assert_int_equal(b->poll(b), 1);
    assert_done(t, OK);
}

static void test_flush(void **state)
{
    (void)state;
    unsigned before = fake_sd.commands;
    assert_int_equal(do_one(BLOCK_FLUSH, 0, 0, 0), OK);
    assert_int_equal(fake_sd.log[before], 13);
    assert_int_equal(b->flushes, 1);
    fake_sd.state = CARD_PROGRAM; /* though no write is on its way */
    assert_int_equal(do_one(BLOCK_FLUSH, 0, 0, 0), ERR_IO);
    fake_sd.state = CARD_TRAN;
    assert_int_equal(do_one(BLOCK_FLUSH, 0, 0, 0), OK);
}

static void test_end_of_card(void **state)
{
    (void)state;
    assert_int_equal(do_one(BLOCK_READ, FAKE_SD_SECTORS - 2, 0, 1024), OK);
    assert_is_sector(memory, FAKE_SD_SECTORS - 2, 2);
    assert_int_equal(do_one(BLOCK_WRITE, FAKE_SD_SECTORS - 2, 4096, 1024), OK);
    assert_is_sector(memory + 4096, FAKE_SD_SECTORS - 2, 2);
}

/* --- failures ----------------------------------------------------------------------------- */

static void fail_next(unsigned times, unsigned block)
{
    fake_host.fail_times = times;
    fake_host.fail_block = block;
    fake_host.fail_bits = host_fail_bits;
}

static void test_tried_again(void **state)
{
    (void)state;
    for (unsigned op = BLOCK_READ; op <= BLOCK_WRITE; op++) {
        for (unsigned times = 1; times <= 4; times++) {
            fail_next(times, 5);
            assert_int_equal(do_one(op, 20, 0, 16 * 512), times < 4 ? OK : ERR_IO);
            assert_int_equal(fake_host.fail_times, 0);
            fake_host.fail_times = 0;
            assert_int_equal(do_one(op, 20, 0, 16 * 512), OK);
            assert_is_sector(memory, 20, 16);
        }
    }
    assert_int_equal(b->errors, 2);
}

static void test_others_go_on(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        submit_new(i, BLOCK_READ, i * 8, i * 4096, 4096);
    }
    fail_next(4, 0);
    finish_all();
    assert_done(&requests[0], ERR_IO);
    assert_done(&requests[1], OK);
    assert_done(&requests[2], OK);
    assert_is_sector(memory + 4096, 8, 16);
}

static void test_card_says_error(void **state)
{
    (void)state;
    fake_sd.status = 1u << 26; /* WP_VIOLATION */
    fake_sd.status_times = 2;
    assert_int_equal(do_one(BLOCK_WRITE, 20, 0, 512), OK);
    fake_sd.status_times = 100;
    assert_int_equal(do_one(BLOCK_WRITE, 20, 0, 512), ERR_IO);
    fake_sd.status = 0;
    fake_sd.stop_status = 1u << 21; /* CARD_ECC_FAILED, told by CMD12 */
    fake_sd.status_times = 1;
    assert_int_equal(do_one(BLOCK_READ, 20, 0, 512), OK);
    fake_sd.status_times = 100;
    assert_int_equal(do_one(BLOCK_READ, 20, 0, 512), ERR_IO);
    fake_sd.stop_status = 1u << 31;
    assert_int_equal(do_one(BLOCK_WRITE, 20, 0, 512), ERR_IO);
    fake_sd.status_times = 0;
    assert_int_equal(do_one(BLOCK_WRITE, 20, 0, 512), OK);
}

static void assert_given_up(void)
{
    struct test_request *t = make(39, BLOCK_READ, 0, 0, 512);
    assert_int_equal(b->submit(b, &t->r), ERR_IO);
    assert_non_null(strstr(said, "given up"));
    assert_int_equal(b->in_flight, 0);
    b->kick(b);
    assert_int_equal(b->poll(b), 0);
}

static void test_card_pulled(void **state)
{
    for (unsigned at = 0; at < 3; at++) {
        for (unsigned i = 0; i < 4; i++) {
            submit_new(i, i == 3 ? BLOCK_FLUSH : BLOCK_WRITE, i * 512, i * 4096, 64 * 512);
        }
        if (at > 0) {
            fake_host.available = 3;
            b->kick(b);
            b->poll(b);
        }
        fake_sd.present = false;
        fail_next(100, 3);
        fake_host.available = UINT32_MAX;
        fake_host.stopped = at == 2;
        finish_all();
        for (unsigned i = 0; i < 4; i++) {
            assert_done(&requests[i], ERR_IO);
            assert_int_equal(order[i], i);
        }
        assert_int_equal(b->errors, 4);
        assert_given_up();
        start_anew(state);
        order_count = 0;
    }
}

/* Another card, or the same without power in between: it is not taken for the one that was. */
static void test_card_changed(void **state)
{
    (void)state;
    submit_new(0, BLOCK_WRITE, 0, 0, 512);
    fake_sd.state = CARD_STANDBY;
    fake_sd.rca = 0x1234;
    finish_all();
    assert_done(&requests[0], ERR_IO);
    assert_given_up();
}

static void test_host_hangs(void **state)
{
    (void)state;
    submit_new(0, BLOCK_READ, 0, 0, 4096);
    fail_next(1, 2);
    fake_host.available = 2;
    b->kick(b);
    b->poll(b);
    fake_host.hangs = true;
    fake_host.available = UINT32_MAX;
    finish_all();
    assert_done(&requests[0], ERR_IO);
    assert_given_up();
}

/* A host that loses a transfer: some seconds later it is tried again. */
static void test_host_forgets(void **state)
{
    (void)state;
    struct test_request *t = submit_new(0, BLOCK_READ, 3, 0, 4096);
    fake_host.available = 1;
    b->kick(b);
    b->poll(b);
    fake_host.available = 0;
    fake_host.now += 6000000000ull / FAKE_SD_TICK_NS;
    unsigned before = fake_sd.commands;
    b->poll(b);
    static const uint8_t expected[] = {12, 13, 18};
    assert_int_equal(fake_sd.commands, before + sizeof(expected));
    assert_memory_equal(fake_sd.log + before, expected, sizeof(expected));
    fake_host.available = UINT32_MAX;
    finish_all();
    assert_done(t, OK);
    assert_is_sector(memory, 3, 8);
}

#define ONLY_FAKES(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define RUNNING(f) cmocka_unit_test_setup_teardown(f, setup_running, teardown)

#define SD_TESTS                                                                                   \
    ONLY_FAKES(test_identify), ONLY_FAKES(test_no_card), ONLY_FAKES(test_refused),                 \
        ONLY_FAKES(test_nonsense), ONLY_FAKES(test_falls_silent), ONLY_FAKES(test_slow_card),      \
        ONLY_FAKES(test_capacity), ONLY_FAKES(test_dead_host), ONLY_FAKES(test_one_card),          \
        RUNNING(test_read_and_write), RUNNING(test_pieces), RUNNING(test_whole_pieces),            \
        RUNNING(test_part_of_card), RUNNING(test_refused_requests), ONLY_FAKES(test_read_only),    \
        RUNNING(test_queue_order), RUNNING(test_done_submits), RUNNING(test_interrupts),           \
        RUNNING(test_lets_others_run), RUNNING(test_write_is_busy), RUNNING(test_flush),           \
        RUNNING(test_end_of_card), RUNNING(test_tried_again), RUNNING(test_others_go_on),          \
        RUNNING(test_card_says_error), RUNNING(test_card_pulled), RUNNING(test_card_changed),      \
        RUNNING(test_host_hangs), RUNNING(test_host_forgets)

#endif
