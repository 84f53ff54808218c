// SPDX-License-Identifier: BSD-2-Clause
// sources: dev/drivers/partition.c dev/drivers/block_request.c arch/host/memory.c arch/host/time.c
// sources: arch/host/cpu.c core/base/log.c core/base/fmt.c core/base/error.c
/*
 * Master boot records, right and wrong, and the view of a partition on a device that notes what it
 * is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "abi/store.h"
#include "arch/host/host.h"
#include "arch/memory.h"
#include "core/base/log.h"
#include "dev/drivers/partition.h"
#include "mm/frame.h"

#define SECTORS 100000u
#define HELD_MAX 40u

static uint8_t sector[512];
static struct refusal why;
static struct partition found;
static char said[1024];

static struct {
    struct block_device device;
    struct block_request *held[HELD_MAX];
    unsigned count, kicks, acks;
    bool silent;
    enum err answer, refuses;
    unsigned frames;
} disk;

enum err frame_alloc(enum frame_kind kind, uint32_t owner, pa_t *out)
{
    (void)kind;
    (void)owner;
    disk.frames++;
    *out = PA(HOST_RAM_BASE + 4096);
    return OK;
}

bool frame_unref(pa_t pa)
{
    (void)pa;
    disk.frames--;
    return true;
}

static void sink(const char *text, size_t n)
{
    size_t used = strlen(said);
    if (used + n < sizeof(said)) {
        memcpy(said + used, text, n);
        said[used + n] = '\0';
    }
}

/* --- the device underneath ---------------------------------------------------------------- */

static enum err disk_submit(struct block_device *b, struct block_request *r)
{
    (void)b;
    if (disk.refuses == OK) {
        disk.held[disk.count++] = r;
    }
    return disk.refuses;
}

static void disk_kick(struct block_device *b)
{
    (void)b;
    disk.kicks++;
}

static unsigned disk_poll(struct block_device *b)
{
    (void)b;
    unsigned n = disk.silent ? 0 : disk.count;
    host_time_advance(1000000);
    for (unsigned i = 0; i < n; i++) {
        struct block_request *r = disk.held[i];
        if (r->op == BLOCK_READ && r->sector == 0) {
            memcpy(arch_ptr(r->pieces[0].pa), sector, 512);
        }
        r->done(r, disk.answer);
    }
    disk.count -= n;
    return n;
}

static void disk_ack(struct block_device *b)
{
    (void)b;
    disk.acks++;
}

/* --- records ------------------------------------------------------------------------------ */

static void entry(unsigned i, uint8_t type, uint32_t first, uint32_t count)
{
    uint8_t *e = sector + 446 + 16 * i;
    e[4] = type;
    memcpy(e + 8, &first, 4);
    memcpy(e + 12, &count, 4);
}

static int setup(void **state)
{
    (void)state;
    memset(sector, 0, sizeof(sector));
    sector[510] = 0x55;
    sector[511] = 0xAA;
    memset(&disk, 0, sizeof(disk));
    disk.device = (struct block_device){.submit = disk_submit,
                                        .kick = disk_kick,
                                        .poll = disk_poll,
                                        .ack = disk_ack,
                                        .name = "disk",
                                        .sectors = SECTORS,
                                        .pieces_max = 8};
    why = (struct refusal){0};
    log_set_sink(sink);
    said[0] = '\0';
    return 0;
}

static enum err find(void)
{
    return partition_find(sector, SECTORS, &found, &why);
}

static void assert_found(uint64_t first, uint64_t sectors)
{
    assert_int_equal(find(), OK);
    assert_int_equal(found.first, first);
    assert_int_equal(found.sectors, sectors);
}

static void test_raw(void **state)
{
    (void)state;
    static const uint64_t magic = STORE_SUPER_MAGIC;
    sector[510] = 0;
    assert_found(0, SECTORS);
    sector[510] = 0x55;
    memcpy(sector, &magic, sizeof(magic)); /* though it looks like a table as well */
    assert_found(0, SECTORS);
}

static void test_found(void **state)
{
    (void)state;
    entry(0, 0x0C, 2048, 8192);
    entry(2, 0xDA, 10240, 50000);
    assert_found(10240, 50000);
    entry(1, 0xDA, 60240, SECTORS - 60240); /* up to the end, and in the table before it */
    assert_found(60240, SECTORS - 60240);
    entry(0, 0, 77, UINT32_MAX); /* no partition, whatever it says */
    assert_found(60240, SECTORS - 60240);
}

static void test_none(void **state)
{
    (void)state;
    assert_int_equal(find(), ERR_NOT_FOUND);
    entry(0, 0x83, 2048, 8192);
    assert_int_equal(find(), ERR_NOT_FOUND);
    assert_non_null(strstr(why.what, "0xDA"));
}

static void test_gpt(void **state)
{
    (void)state;
    entry(0, 0xEE, 1, SECTORS - 1);
    assert_int_equal(find(), ERR_UNSUPPORTED);
    assert_non_null(strstr(why.what, "GPT"));
}

static void test_outside(void **state)
{
    (void)state;
    entry(0, 0xDA, 2048, SECTORS - 2048 + 1);
    assert_int_equal(find(), ERR_RANGE);
    assert_int_equal(why.value, SECTORS + 1);
    assert_int_equal(why.limit, SECTORS);
    entry(0, 0xDA, 2048, UINT32_MAX);
    assert_int_equal(find(), ERR_RANGE);
    entry(0, 0xDA, UINT32_MAX, UINT32_MAX);
    assert_int_equal(find(), ERR_RANGE);
    entry(0, 0xDA, 2048, 1000);
    entry(3, 0x83, SECTORS, 1); /* another one, but then what does the table speak of? */
    assert_int_equal(find(), ERR_RANGE);
}

static void test_overlap(void **state)
{
    (void)state;
    entry(0, 0xDA, 2048, 1000);
    entry(1, 0x83, 3047, 1000);
    assert_int_equal(find(), ERR_INVALID);
    entry(1, 0x83, 3048, 1000);
    assert_int_equal(find(), OK);
    entry(2, 0x83, 1, 2048);
    assert_int_equal(find(), ERR_INVALID);
    entry(2, 0x83, 1, 2047);
    assert_int_equal(find(), OK);
    entry(3, 0x0F, 2100, 5);
    assert_int_equal(find(), ERR_INVALID);
}

static void test_empty(void **state)
{
    (void)state;
    entry(0, 0xDA, 0, 1000);
    assert_int_equal(find(), ERR_INVALID);
    entry(0, 0xDA, 1000, 0);
    assert_int_equal(find(), ERR_INVALID);
}

/* --- the view ------------------------------------------------------------------------------- */

static struct block_device *view;
static struct block_piece piece = {{HOST_RAM_BASE + 8192}, 1024};
static unsigned done_count;
static enum err done_result;

static void on_done(struct block_request *r, enum err e)
{
    assert_int_equal(r->sector, 7); /* as it was submitted */
    done_count++;
    done_result = e;
}

static void open_view(void)
{
    entry(0, 0xDA, 2048, 1000);
    assert_int_equal(partition_open(&disk.device, &view), OK);
    assert_int_equal(disk.frames, 0);
    assert_int_equal(view->sectors, 1000);
    assert_non_null(strstr(said, "sectors 2048 to 3047"));
    done_count = 0;
}

static void test_view(void **state)
{
    (void)state;
    open_view();
    struct block_request r = {BLOCK_READ, 7, &piece, 1, on_done};
    disk.kicks = 0;
    assert_int_equal(view->submit(view, &r), OK);
    assert_int_equal(disk.held[0]->sector, 2055);
    assert_ptr_equal(disk.held[0]->pieces, &piece);
    view->kick(view);
    view->ack(view);
    assert_int_equal(disk.kicks + disk.acks, 2);
    assert_int_equal(view->in_flight, 1);
    assert_int_equal(view->poll(view), 1);
    assert_int_equal(done_count, 1);
    assert_int_equal(done_result, OK);
    assert_int_equal(view->in_flight, 0);
    assert_int_equal(view->reads, 1);
    assert_int_equal(view->read_sectors, 2);
    disk.answer = ERR_IO;
    r.op = BLOCK_FLUSH;
    assert_int_equal(view->submit(view, &r), OK);
    view->poll(view);
    assert_int_equal(done_result, ERR_IO);
    assert_int_equal(view->errors, 1);
}

static void test_view_limits(void **state)
{
    (void)state;
    open_view();
    struct block_request r = {BLOCK_WRITE, 998, &piece, 1, on_done};
    assert_int_equal(view->submit(view, &r), OK);
    r.sector = 999;
    assert_int_equal(view->submit(view, &r), ERR_RANGE);
    r.sector = UINT64_MAX - 2048;
    assert_int_equal(view->submit(view, &r), ERR_RANGE);
    r.sector = UINT64_MAX;
    assert_int_equal(view->submit(view, &r), ERR_RANGE);
    assert_int_equal(disk.count, 1);
    disk.refuses = ERR_BUSY;
    r.sector = 7;
    assert_int_equal(view->submit(view, &r), ERR_BUSY);
    assert_int_equal(view->in_flight, 1);
    view->read_only = true;
    assert_int_equal(view->submit(view, &r), ERR_DENIED);
}

static void test_view_is_full(void **state)
{
    (void)state;
    open_view();
    static struct block_request r[33];
    for (unsigned i = 0; i < 33; i++) {
        r[i] = (struct block_request){BLOCK_READ, 7, &piece, 1, on_done};
        assert_int_equal(view->submit(view, &r[i]), i < 32 ? OK : ERR_BUSY);
    }
    assert_int_equal(view->poll(view), 32);
    assert_int_equal(done_count, 32);
    assert_int_equal(view->submit(view, &r[32]), OK);
}

static void test_open_raw(void **state)
{
    (void)state;
    sector[511] = 0;
    assert_int_equal(partition_open(&disk.device, &view), OK);
    assert_ptr_equal(view, &disk.device);
    assert_string_equal(said, "");
}

static void test_open_refused(void **state)
{
    (void)state;
    entry(0, 0xEE, 1, 5);
    assert_int_equal(partition_open(&disk.device, &view), ERR_UNSUPPORTED);
    assert_non_null(strstr(said, "GPT"));
    assert_int_equal(disk.frames, 0);
    disk.answer = ERR_IO;
    assert_int_equal(partition_open(&disk.device, &view), ERR_IO);
    assert_non_null(strstr(said, "sector 0"));
    disk.refuses = ERR_IO;
    assert_int_equal(partition_open(&disk.device, &view), ERR_IO);
    assert_int_equal(disk.frames, 0);
}

/* The device may still write there. */
static void test_open_silent(void **state)
{
    (void)state;
    disk.silent = true;
    assert_int_not_equal(partition_open(&disk.device, &view), OK);
    assert_int_equal(disk.frames, 1);
    assert_non_null(strstr(said, "sector 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_raw, setup),
        cmocka_unit_test_setup(test_found, setup),
        cmocka_unit_test_setup(test_none, setup),
        cmocka_unit_test_setup(test_gpt, setup),
        cmocka_unit_test_setup(test_outside, setup),
        cmocka_unit_test_setup(test_overlap, setup),
        cmocka_unit_test_setup(test_empty, setup),
        cmocka_unit_test_setup(test_view, setup),
        cmocka_unit_test_setup(test_view_limits, setup),
        cmocka_unit_test_setup(test_view_is_full, setup),
        cmocka_unit_test_setup(test_open_raw, setup),
        cmocka_unit_test_setup(test_open_refused, setup),
        cmocka_unit_test_setup(test_open_silent, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
