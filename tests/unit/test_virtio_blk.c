// SPDX-License-Identifier: BSD-2-Clause
// sources: tests/unit/fake_virtio.c tests/unit/fake_disk.c core/base/log.c core/base/fmt.c
// sources: core/base/error.c core/base/string_copy.c dev/drivers/block_request.c
/*
 * The virtio block driver against a model of the device, which behaves or does not.
 *
 * The drivers are included as text, with the model's registers instead of dev/drivers/mmio.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define DEV_DRIVERS_MMIO_H
#include "tests/unit/fake_disk.h"

#define mmio_read32 fake_virtio_read32
#define mmio_write32 fake_virtio_write32
#include "dev/drivers/virtio_mmio.c"
#include "dev/drivers/virtio_blk.c"

#define REQUESTS 300u
#define MANY (256u / 3) /* requests of one piece that fill the queue */

static const struct device fake_device = {.base = FAKE_VIRTIO_BASE};
static struct block_device *b;
static uint8_t *memory; /* of the requests: a page each */
static struct test_request {
    struct block_request r;
    struct block_piece pieces[200];
    unsigned done;
    enum err result;
    bool again; /* `done` submits it once more */
} requests[REQUESTS];

static uint8_t *page(unsigned i)
{
    return memory + i * 4096;
}

static void on_done(struct block_request *r, enum err e)
{
    struct test_request *t = container_of(r, struct test_request, r);
    t->done++;
    t->result = e;
    if (t->again) {
        t->again = false;
        assert_int_equal(b->submit(b, r), OK);
    }
}

/* Request `i`: `bytes` at its page; more pieces are added by hand. */
static struct test_request *make(unsigned i, enum block_op op, uint64_t sector, uint32_t bytes)
{
    struct test_request *t = &requests[i];
    *t = (struct test_request){
        .r = {.op = op, .sector = sector, .pieces = t->pieces, .piece_count = 1, .done = on_done},
        .pieces = {{PA((uintptr_t)page(i)), bytes}},
    };
    if (op == BLOCK_FLUSH) {
        t->r.piece_count = 0;
    }
    return t;
}

static struct test_request *submit_new(unsigned i, enum block_op op, uint64_t sector)
{
    struct test_request *t = make(i, op, sector, 4096);
    assert_int_equal(b->submit(b, &t->r), OK);
    return t;
}

static void assert_done(const struct test_request *t, enum err e)
{
    assert_int_equal(t->done, 1);
    assert_int_equal(t->result, e);
}

static int setup(void **state)
{
    (void)state;
    fake_disk_init();
    memset(devices, 0, sizeof(devices));
    device_count = 0;
    memset(requests, 0, sizeof(requests));
    memory = aligned_alloc(4096, REQUESTS * 4096);
    memset(memory, 0xEE, REQUESTS * 4096);
    b = NULL;
    return 0;
}

static void probe_ok(void)
{
    assert_int_equal(virtio_blk_probe(&fake_device, &b), OK);
}

static int setup_running(void **state)
{
    setup(state);
    probe_ok();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(memory);
    fake_virtio_free();
    return 0;
}

static void start_anew(void **state)
{
    teardown(state);
    setup_running(state);
}

/* --- start -------------------------------------------------------------------------------- */

static void assert_refused(enum err expected)
{
    assert_int_equal(virtio_blk_probe(&fake_device, &b), expected);
    assert_null(b);
    assert_int_equal(device_count, 0);
    assert_int_equal(fake_virtio.frames_live, 0);
    assert_false(fake_virtio.status & 4);
}

static void test_other_slots(void **state)
{
    (void)state;
    fake_virtio.device_id = 0;
    assert_refused(ERR_NOT_FOUND);
    fake_virtio.device_id = 1;
    assert_refused(ERR_NOT_FOUND);
    fake_virtio.device_id = 2;
    fake_virtio.version = 1;
    assert_refused(ERR_UNSUPPORTED);
}

static void test_features_refused(void **state)
{
    (void)state;
    fake_virtio.refuses_features = true;
    assert_refused(ERR_UNSUPPORTED);
    fake_virtio.refuses_features = false;
    fake_virtio.offered = FAKE_DISK_FLUSH;
    assert_refused(ERR_UNSUPPORTED);
}

static void test_no_queue_or_too_small(void **state)
{
    (void)state;
    fake_virtio.queue[0].max = 0;
    assert_refused(ERR_UNSUPPORTED);
    fake_virtio.queue[0].max = 3; /* two, as a power of two: no place for data */
    assert_refused(ERR_UNSUPPORTED);
    fake_virtio.queue[0].max = 4;
    probe_ok();
    assert_int_equal(b->pieces_max, 2);
}

static void test_no_memory(void **state)
{
    (void)state;
    fake_virtio.allocations_left = 0;
    assert_refused(ERR_NO_MEMORY);
    assert_int_equal(fake_virtio.status, 0);
}

static void test_logical_blocks(void **state)
{
    (void)state;
    static const uint32_t bad[] = {0, 256, 520, 4608, 8192, UINT32_MAX};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        fake_disk_config(20, bad[i]);
        assert_refused(ERR_UNSUPPORTED);
    }
    fake_disk_config(20, 4096);
    probe_ok();
    fake_virtio.offered &= ~FAKE_DISK_BLK_SIZE;
    fake_disk_config(20, 0); /* means nothing */
    probe_ok();
}

static void test_probe(void **state)
{
    (void)state;
    fake_disk_config(4, 1);
    probe_ok();
    assert_int_equal(fake_virtio.status, 1 | 2 | 4 | 8);
    assert_int_equal(fake_virtio.accepted,
                     1ull << 32 | FAKE_DISK_SEG_MAX | FAKE_DISK_BLK_SIZE | FAKE_DISK_FLUSH);
    assert_int_equal(fake_virtio.queue[0].size, 256);
    assert_true(fake_virtio.queue[0].ready);
    assert_int_equal(b->sectors, (1ull << 32) + FAKE_DISK_SECTORS);
    assert_int_equal(b->pieces_max, 126);
    assert_false(b->read_only);
    assert_string_equal(b->name, "virtio-blk");
    assert_true(fake_virtio_interrupts(0));
}

static void test_segments_max(void **state)
{
    (void)state;
    fake_disk_config(12, 64);
    probe_ok();
    assert_int_equal(b->pieces_max, 64);
    fake_disk_config(12, 0);
    probe_ok();
    assert_int_equal(b->pieces_max, 1);
    fake_virtio.offered &= ~FAKE_DISK_SEG_MAX;
    fake_disk_config(12, 64); /* means nothing */
    probe_ok();
    assert_int_equal(b->pieces_max, 1);
    fake_virtio.offered |= FAKE_DISK_SIZE_MAX;
    fake_disk_config(8, 511);
    assert_int_equal(virtio_blk_probe(&fake_device, &b), ERR_UNSUPPORTED);
}

static void test_devices_max(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        probe_ok();
    }
    assert_int_equal(virtio_blk_probe(&fake_device, &b), ERR_NO_MEMORY);
}

/* --- requests ----------------------------------------------------------------------------- */

static void test_read(void **state)
{
    (void)state;
    b->first = 60;
    struct test_request *t = submit_new(0, BLOCK_READ, 40);
    assert_int_equal(fake_virtio.notified[0], 0);
    b->kick(b);
    b->kick(b);
    assert_int_equal(fake_virtio.notified[0], 1);
    assert_int_equal(b->poll(b), 0);
    fake_disk_serve();
    assert_int_equal(t->done, 0);
    fake_virtio.interrupt_status = 1;
    b->ack(b);
    assert_int_equal(fake_virtio.interrupt_status, 0);
    assert_int_equal(b->poll(b), 1);
    assert_done(t, OK);
    assert_memory_equal(page(0), fake_disk.disk + 100 * 512, 4096);
    assert_int_equal(page(1)[0], 0xEE);
    assert_int_equal(b->poll(b), 0);
    assert_int_equal(b->reads, 1);
    assert_int_equal(b->read_sectors, 8);
    assert_int_equal(b->writes + b->written_sectors + b->flushes + b->errors + b->in_flight, 0);
}

static void test_write(void **state)
{
    (void)state;
    struct test_request *t = submit_new(0, BLOCK_WRITE, FAKE_DISK_SECTORS - 8);
    fake_virtio_want_notify(0, false);
    b->kick(b);
    fake_virtio_want_notify(0, true);
    b->kick(b); /* nothing new */
    assert_int_equal(fake_virtio.notified[0], 0);
    fake_disk_serve();
    assert_int_equal(b->poll(b), 1);
    assert_done(t, OK);
    assert_memory_equal(page(0), fake_disk.disk + (FAKE_DISK_SECTORS - 8) * 512, 4096);
    assert_int_equal(b->writes, 1);
    assert_int_equal(b->written_sectors, 8);
}

/* As many pieces as may be, of different sizes, from the last page to the first. */
static void scatter(struct test_request *t, unsigned pieces)
{
    for (unsigned i = 0; i < pieces; i++) {
        t->pieces[i] = (struct block_piece){PA((uintptr_t)page(pieces - 1 - i)), 512 + i % 3 * 512};
    }
    t->r.piece_count = pieces;
}

static void assert_scattered(const struct test_request *t, uint64_t sector)
{
    const uint8_t *at = fake_disk.disk + sector * 512;
    for (unsigned i = 0; i < t->r.piece_count; i++) {
        assert_memory_equal((void *)(uintptr_t)t->pieces[i].pa.v, at, t->pieces[i].bytes);
        at += t->pieces[i].bytes;
    }
}

static void test_scatter_and_gather(void **state)
{
    (void)state;
    struct test_request *t = make(0, BLOCK_READ, 7, 0);
    scatter(t, 126);
    assert_int_equal(b->submit(b, &t->r), OK);
    fake_disk_serve();
    assert_int_equal(b->poll(b), 1);
    assert_done(t, OK);
    assert_scattered(t, 7);
    assert_int_equal(fake_disk.most_segments, 126);
    assert_int_equal(b->read_sectors, 126 * 2);

    t = make(0, BLOCK_WRITE, 1000, 0);
    scatter(t, 126);
    assert_int_equal(b->submit(b, &t->r), OK);
    fake_disk_serve();
    assert_int_equal(b->poll(b), 1);
    assert_scattered(t, 1000);

    scatter(t, 127);
    assert_int_equal(b->submit(b, &t->r), ERR_RANGE);
}

/* A device that takes only 1.5 KiB in one segment. */
static void test_large_pieces(void **state)
{
    (void)state;
    fake_virtio.offered |= FAKE_DISK_SIZE_MAX;
    fake_disk_config(8, 2047);
    fake_disk_config(12, 6);
    probe_ok();
    assert_int_equal(b->pieces_max, 6);
    struct test_request *t = make(0, BLOCK_READ, 3, 4 * 1536);
    t->pieces[1] = (struct block_piece){PA((uintptr_t)page(9)), 2048};
    t->r.piece_count = 2;
    assert_int_equal(b->submit(b, &t->r), OK);
    fake_disk_serve();
    assert_int_equal(b->poll(b), 1);
    assert_scattered(t, 3);
    assert_int_equal(fake_disk.most_bytes, 1536);
    assert_int_equal(fake_disk.most_segments, 6);
    t->pieces[1].bytes = 3584;
    assert_int_equal(b->submit(b, &t->r), ERR_RANGE);
    t->pieces[1].bytes = 0xFFFFFE00;
    assert_int_equal(b->submit(b, &t->r), ERR_RANGE);
}

static void test_many_in_flight_until_full(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        submit_new(i, i % 2 ? BLOCK_WRITE : BLOCK_READ, 8 * i);
    }
    struct test_request *more = make(MANY, BLOCK_READ, 0, 4096);
    assert_int_equal(b->submit(b, &more->r), ERR_BUSY);
    more = make(MANY, BLOCK_FLUSH, 0, 0);
    assert_int_equal(b->submit(b, &more->r), ERR_BUSY);
    assert_int_equal(b->in_flight, MANY);
    b->kick(b);
    assert_int_equal(fake_virtio.notified[0], 1);
    assert_int_equal(fake_disk_serve_all(), MANY);
    assert_int_equal(b->poll(b), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        assert_done(&requests[i], OK);
        assert_memory_equal(page(i), fake_disk.disk + 4096 * i, 4096);
    }
    assert_int_equal(b->in_flight, 0);
    assert_int_equal(b->in_flight_most, MANY);
    assert_int_equal(b->submit(b, &more->r), OK);
}

/* The device finishes them in an order of its own. */
static void test_out_of_order(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        uint16_t heads[3];
        for (unsigned i = 0; i < 3; i++) {
            struct test_request *t = make(i, BLOCK_READ, round + i, 0);
            scatter(t, 1 + (round + i * 40) % 80);
            assert_int_equal(b->submit(b, &t->r), OK);
            heads[i] = fake_disk_do();
        }
        for (unsigned i = 0; i < 3; i++) {
            unsigned which = (round + 2 * i) % 3;
            fake_virtio_use(0, heads[which], 1);
            assert_int_equal(b->poll(b), 1);
            assert_done(&requests[which], OK);
        }
    }
    assert_int_equal(b->reads, 6000);
    assert_int_equal(b->errors, 0);
}

static void test_submit_from_done(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        submit_new(i, BLOCK_READ, i)->again = true;
    }
    fake_disk_serve_all();
    assert_int_equal(b->poll(b), MANY);
    assert_int_equal(b->in_flight, MANY);
    assert_int_equal(fake_disk_serve_all(), MANY);
    assert_int_equal(b->poll(b), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(requests[i].done, 2);
        assert_int_equal(requests[i].result, OK);
    }
}

static void test_flush(void **state)
{
    (void)state;
    struct test_request *t = submit_new(0, BLOCK_FLUSH, 77);
    assert_int_equal(b->poll(b), 0);
    fake_disk_serve();
    assert_int_equal(b->poll(b), 1);
    assert_done(t, OK);
    assert_int_equal(fake_disk.flushes, 1);
    assert_int_equal(b->flushes, 1);
}

static void test_flush_without_the_feature(void **state)
{
    (void)state;
    fake_virtio.offered &= ~FAKE_DISK_FLUSH;
    probe_ok();
    for (unsigned round = 0; round < 3; round++) {
        struct test_request *t = submit_new(0, BLOCK_FLUSH, 0), *more = make(1, BLOCK_FLUSH, 0, 0);
        t->again = true;
        assert_int_equal(b->submit(b, &more->r), ERR_BUSY);
        assert_int_equal(b->in_flight, 1);
        assert_int_equal(t->done, 0);
        for (unsigned i = 1; i < 3; i++) {
            assert_int_equal(b->poll(b), 1);
            assert_int_equal(t->done, i);
            assert_int_equal(t->result, OK);
        }
        assert_int_equal(b->poll(b), 0);
    }
    submit_new(0, BLOCK_FLUSH, 0)->again = true;
    fake_virtio_use(0, 0, 1); /* an answer that nobody asked for */
    assert_int_equal(b->poll(b), 1);
    assert_int_equal(fake_virtio.status, 0);
    assert_int_equal(b->poll(b), 1);
    assert_int_equal(requests[0].done, 2);
    assert_int_equal(fake_virtio_posted(0), 0);
    b->kick(b);
    assert_int_equal(fake_virtio.notified[0], 0);
    assert_int_equal(b->in_flight, 0);
}

static void test_errors(void **state)
{
    (void)state;
    static const uint8_t status[] = {1, 2, 3, 0x7F};
    static const enum err result[] = {ERR_IO, ERR_UNSUPPORTED, ERR_IO, ERR_IO};
    for (unsigned i = 0; i < 4; i++) {
        struct test_request *t = submit_new(i, BLOCK_READ, 8);
        fake_disk.status = status[i];
        fake_disk_serve();
        assert_int_equal(b->poll(b), 1);
        assert_done(t, result[i]);
        assert_int_equal(b->errors, i + 1);
    }
    fake_disk.status = 0;
    struct test_request *t = submit_new(0, BLOCK_READ, 8);
    fake_disk_serve();
    assert_int_equal(b->poll(b), 1);
    assert_done(t, OK);
}

static void test_read_only(void **state)
{
    (void)state;
    fake_virtio.offered |= FAKE_DISK_RO;
    probe_ok();
    assert_true(b->read_only);
    struct test_request *t = make(0, BLOCK_WRITE, 0, 4096);
    assert_int_equal(b->submit(b, &t->r), ERR_DENIED);
    submit_new(0, BLOCK_READ, 0);
    assert_int_equal(b->in_flight, 1);
}

static void test_range(void **state)
{
    (void)state;
    static const uint64_t bad[] = {FAKE_DISK_SECTORS - 7, FAKE_DISK_SECTORS, UINT64_MAX,
                                   UINT64_MAX - 7};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct test_request *t = make(0, i % 2 ? BLOCK_READ : BLOCK_WRITE, bad[i], 4096);
        assert_int_equal(b->submit(b, &t->r), ERR_RANGE);
    }
    static const uint32_t odd[] = {0, 511, 513, UINT32_MAX};
    for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
        assert_int_equal(b->submit(b, &make(0, BLOCK_READ, 0, odd[i])->r), ERR_INVALID);
    }
    struct test_request *t = make(0, BLOCK_READ, 0, 512);
    t->r.piece_count = 0;
    assert_int_equal(b->submit(b, &t->r), ERR_INVALID);
    assert_int_equal(b->in_flight, 0);
    assert_int_equal(fake_virtio_posted(0), 0);
    assert_int_equal(b->reads + b->writes, 0);
    fake_disk_config(0, UINT32_MAX);
    fake_disk_config(4, UINT32_MAX);
    probe_ok();
    assert_int_equal(b->submit(b, &make(0, BLOCK_READ, UINT64_MAX - 7, 4096)->r), ERR_RANGE);
}

/* --- a device that answers nonsense --------------------------------------------------------- */

/* The next poll ends the device, and every request that it has, once. */
static void assert_given_up(unsigned first, unsigned count)
{
    assert_true(b->poll(b) >= count);
    for (unsigned i = first; i < first + count; i++) {
        assert_done(&requests[i], ERR_IO);
    }
    assert_int_equal(fake_virtio.status, 0);
    assert_int_equal(fake_virtio.queue[0].ready, 0);
    assert_int_equal(b->in_flight, 0);
    assert_int_equal(((struct virtio_blk *)b)->virtq.free_count, 256);
    assert_int_equal(b->submit(b, &make(REQUESTS - 1, BLOCK_READ, 0, 512)->r), ERR_IO);
    assert_int_equal(b->submit(b, &make(REQUESTS - 1, BLOCK_FLUSH, 0, 0)->r), ERR_IO);
    fake_virtio_use(0, 0, 0);
    assert_int_equal(b->poll(b), 0);
}

static void submit_some(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        submit_new(i, BLOCK_READ, i);
    }
}

static void test_wild_ids(void **state)
{
    static const uint32_t wild[] = {200, 256, 0x10000, UINT32_MAX, 0x80000000}; /* one is free */
    for (unsigned i = 0; i < ARRAY_SIZE(wild); i++) {
        submit_some(10);
        fake_virtio_use(0, wild[i], 1);
        fake_disk_serve(); /* which comes too late */
        assert_given_up(0, 10);
        start_anew(state);
    }
}

static void test_middle_of_a_chain(void **state)
{
    for (unsigned part = 1; part < 3; part++) {
        submit_some(10);
        uint16_t id = fake_disk_do();
        for (unsigned i = 0; i < part; i++) {
            id = fake_virtio_desc(0, id)->next;
        }
        fake_virtio_use(0, id, 1);
        assert_given_up(0, 10);
        start_anew(state);
    }
}

static void test_id_twice(void **state)
{
    (void)state;
    submit_some(10);
    uint16_t head = fake_disk_serve();
    fake_virtio_use(0, head, 1);
    assert_given_up(1, 9);
    assert_done(&requests[0], OK);
}

/* The same, when the head is in flight again by then, with another request. */
static void test_id_twice_of_two_requests(void **state)
{
    (void)state;
    submit_some(10);
    requests[0].again = true;
    uint16_t head = fake_disk_serve();
    fake_virtio_use(0, head, 1);
    assert_given_up(1, 9);
    assert_int_equal(requests[0].done, 2);
    assert_int_equal(requests[0].result, ERR_IO);
}

static void test_status_never_written(void **state)
{
    (void)state;
    submit_some(3);
    fake_disk_serve();
    fake_disk.status = 0xFF;
    fake_disk_serve();
    assert_given_up(1, 2);
    assert_done(&requests[0], OK);
}

/* What the ring held before must not be taken for answers. */
static void test_index_leaps(void **state)
{
    fake_virtio_use(0, 0, 1); /* nothing was asked */
    assert_given_up(0, 0);
    start_anew(state);
    static const uint16_t leaps[] = {1, 3, 256, 32768, 65535};
    for (unsigned i = 0; i < ARRAY_SIZE(leaps); i++) {
        for (unsigned round = 0; round < 100; round++) {
            submit_new(0, BLOCK_READ, 0);
            submit_new(1, BLOCK_READ, 0);
            fake_disk_serve_all();
            assert_int_equal(b->poll(b), 2);
        }
        submit_some(2);
        fake_disk_serve();
        fake_disk_serve();
        fake_virtio_leap(0, leaps[i]);
        assert_int_equal(b->poll(b) > 0, 1);
        assert_int_equal(requests[0].done + requests[1].done, leaps[i] == 65535 ? 1 : 2);
        start_anew(state);
    }
}

/* Its memory is never given back to anybody: it may still write to it. */
static void test_device_that_does_not_reset(void **state)
{
    (void)state;
    fake_virtio.stuck_after_start = true;
    submit_some(3);
    fake_virtio_use(0, 255, 1);
    assert_int_equal(b->poll(b), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(requests[i].done, 0);
    }
    assert_int_equal(b->submit(b, &make(9, BLOCK_READ, 0, 512)->r), ERR_IO);
    fake_virtio_use(0, 0, 1);
    assert_int_equal(b->poll(b), 0);
    assert_true(fake_virtio.frames_live > 0);
}

/* Random requests to a device that mostly answers well: each is done once, whatever comes. */
static void test_device_gone_mad(void **state)
{
    srand(3);
    for (unsigned round = 0; round < 300; round++) {
        unsigned accepted = 0;
        for (unsigned step = 0; step < 100; step++) {
            struct test_request *t = make(accepted, rand() % 3, rand() % 5000, 0);
            scatter(t, t->r.op == BLOCK_FLUSH ? 0 : 1 + rand() % 60);
            accepted += b->submit(b, &t->r) == OK;
            unsigned n = rand() % 3;
            while (n-- > 0 && fake_virtio.queue[0].ready && fake_virtio_posted(0) > 0) {
                fake_disk_serve();
            }
            if (rand() % 64 == 0) {
                fake_virtio_use(0, rand() % 300, 1);
            } else if (rand() % 64 == 0) {
                fake_virtio_leap(0, (uint16_t)rand());
            }
            b->poll(b);
        }
        fake_virtio_use(0, UINT32_MAX, 1);
        b->poll(b);
        for (unsigned i = 0; i < accepted; i++) {
            assert_int_equal(requests[i].done, 1);
        }
        assert_int_equal(b->in_flight, 0);
        start_anew(state);
    }
}

#define PROBE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define RUN(f) cmocka_unit_test_setup_teardown(f, setup_running, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBE(test_other_slots),
        PROBE(test_features_refused),
        PROBE(test_no_queue_or_too_small),
        PROBE(test_no_memory),
        PROBE(test_logical_blocks),
        PROBE(test_probe),
        PROBE(test_segments_max),
        PROBE(test_devices_max),
        RUN(test_read),
        RUN(test_write),
        RUN(test_scatter_and_gather),
        PROBE(test_large_pieces),
        RUN(test_many_in_flight_until_full),
        RUN(test_out_of_order),
        RUN(test_submit_from_done),
        RUN(test_flush),
        PROBE(test_flush_without_the_feature),
        RUN(test_errors),
        PROBE(test_read_only),
        RUN(test_range),
        RUN(test_wild_ids),
        RUN(test_middle_of_a_chain),
        RUN(test_id_twice),
        RUN(test_id_twice_of_two_requests),
        RUN(test_status_never_written),
        RUN(test_index_leaps),
        RUN(test_device_that_does_not_reset),
        RUN(test_device_gone_mad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
