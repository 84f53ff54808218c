/* SPDX-License-Identifier: BSD-2-Clause */
// sources: arch/host/time.c arch/host/cpu.c arch/host/memory.c
/*
 * The Raspberry Pi's random number generators, of which a model has a word now and then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/host/host.h"
#include "arch/time.h"

#define DEV_DRIVERS_MMIO_H
#define BASE 0x1000u

static struct {
    bool on;
    uint32_t dropped; /* as it was told */
    unsigned words;   /* that it will give */
    unsigned looks;   /* at whether there is one */
    uint32_t next;
} model;

static uint32_t mmio_read32(uintptr_t a)
{
    bool has = model.on && model.words && model.looks % 3 == 2;
    switch (a - BASE) {
    case 0x4: /* BCM2835: status */
    case 0xC: /* RNG200: bits so far */
        model.looks++;
        host_time_advance(1000);
        return has ? 1u << 24 : 0;
    case 0x24: /* RNG200: words */
        return 1;
    case 0x8:
    case 0x20:
        model.words--;
        return model.next++;
    default:
        fail();
        return 0;
    }
}

static void mmio_write32(uintptr_t a, uint32_t v)
{
    if (a == BASE) {
        model.on = v & 1;
    } else {
        assert_int_equal(a, BASE + 4);
        assert_false(model.on); /* before it begins */
        model.dropped = v;
    }
}

#include "dev/drivers/rng.c"

static void start(unsigned words)
{
    memset(&model, 0, sizeof(model));
    model.words = words;
    model.next = 0x11111111;
}

static void test_words_come(void **state)
{
    (void)state;
    uint32_t out[3] = {0};
    start(10);
    assert_int_equal(rng_read(RNG_BCM2835, BASE, out, sizeof(out)), sizeof(out));
    assert_int_equal(model.dropped, 0x40000);
    assert_int_equal(out[0], 0x11111111);
    assert_int_equal(out[2], 0x11111113);
    assert_int_equal(model.words, 7);
    start(10);
    assert_int_equal(rng_read(RNG_200, BASE, out, sizeof(out)), sizeof(out));
    assert_int_equal(out[2], 0x11111113);
}

static void test_whole_words_only(void **state)
{
    (void)state;
    uint8_t out[8] = {0};
    start(10);
    assert_int_equal(rng_read(RNG_BCM2835, BASE, out, 7), 4);
    assert_int_equal(out[4], 0);
}

static void test_one_that_stops_is_not_waited_for(void **state)
{
    (void)state;
    uint32_t out[4];
    start(2);
    uint64_t begun = counter_now();
    assert_int_equal(rng_read(RNG_BCM2835, BASE, out, sizeof(out)), 8);
    assert_true(counter_now() - begun < ticks_from_ns(2 * NS_PER_S));
    start(0);
    assert_int_equal(rng_read(RNG_200, BASE, out, sizeof(out)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_come),
        cmocka_unit_test(test_whole_words_only),
        cmocka_unit_test(test_one_that_stops_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
