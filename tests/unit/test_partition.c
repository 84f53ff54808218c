// SPDX-License-Identifier: BSD-2-Clause
// sources: dev/drivers/partition.c arch/host/memory.c arch/host/time.c arch/host/cpu.c
// sources: core/base/log.c core/base/fmt.c core/base/error.c
/*
 * Master boot records, right and wrong, and a device that has one.
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
#define HELD_MAX 4u

static uint8_t sector[512];
static struct refusal why;
static struct partition found;
static char said[1024];

static struct {
    struct block_device device;
    struct block_request *held[HELD_MAX];
    unsigned count, kicks;
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

/* --- devices -------------------------------------------------------------------------------- */

static enum err open_disk(void)
{
    return partition_open(&disk.device);
}

static void test_open(void **state)
{
    (void)state;
    entry(0, 0xDA, 2048, 1000);
    assert_int_equal(open_disk(), OK);
    assert_int_equal(disk.frames, 0);
    assert_int_equal(disk.device.first, 2048);
    assert_int_equal(disk.device.sectors, 1000);
    assert_non_null(strstr(said, "sectors 2048 to 3047"));
}

static void test_open_raw(void **state)
{
    (void)state;
    sector[511] = 0;
    assert_int_equal(open_disk(), OK);
    assert_int_equal(disk.device.first, 0);
    assert_int_equal(disk.device.sectors, SECTORS);
    assert_string_equal(said, "");
}

static void test_open_refused(void **state)
{
    (void)state;
    entry(0, 0xEE, 1, 5);
    assert_int_equal(open_disk(), ERR_UNSUPPORTED);
    assert_int_equal(disk.device.sectors, SECTORS);
    assert_non_null(strstr(said, "GPT"));
    assert_int_equal(disk.frames, 0);
    disk.answer = ERR_IO;
    assert_int_equal(open_disk(), ERR_IO);
    assert_non_null(strstr(said, "sector 0"));
    disk.refuses = ERR_IO;
    assert_int_equal(open_disk(), ERR_IO);
    assert_int_equal(disk.frames, 0);
}

/* The device may still write there. */
static void test_open_silent(void **state)
{
    (void)state;
    disk.silent = true;
    assert_int_not_equal(open_disk(), OK);
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
        cmocka_unit_test_setup(test_open, setup),
        cmocka_unit_test_setup(test_open_raw, setup),
        cmocka_unit_test_setup(test_open_refused, setup),
        cmocka_unit_test_setup(test_open_silent, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
