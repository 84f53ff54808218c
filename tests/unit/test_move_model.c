/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine tests/unit/residence_steps.c core/keys_store.c
/*
 * VMs between memory, the store and three CPUs: long runs of anything that may happen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/residence_steps.h"

#define RUNS 40u
#define BYTES 6000u
#define CPUS 3u

static uint64_t seed;

static uint8_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint8_t)(seed >> 32);
}

static void test_anything(void **state)
{
    static uint8_t bytes[BYTES];
    const char *first = getenv("SEED"), *runs = getenv("RUNS");
    uint64_t from = first ? strtoull(first, NULL, 10) : 1,
             n = runs ? strtoull(runs, NULL, 10) : RUNS;
    (void)state;
    residence_steps_cpus = CPUS;
    for (uint64_t run = from; run < from + n; run++) {
        seed = run * 0x9E3779B97F4A7C15ull;
        for (unsigned i = 0; i < BYTES; i++) {
            bytes[i] = chance();
        }
        fprintf(stderr, "# run %llu\n", (unsigned long long)run);
        residence_steps(bytes, BYTES);
    }
    const struct residence_steps_counts *c = &residence_steps_counts;
    fprintf(stderr,
            "# %llu steps, %llu boots, %llu cuts, %llu shutdowns, %llu evictions, %llu wakes, %llu "
            "fetches, %llu damaged, %llu out of room, %llu checked, %llu older, %llu moves, %llu "
            "answers\n",
            (unsigned long long)c->steps, (unsigned long long)c->boots, (unsigned long long)c->cuts,
            (unsigned long long)c->shutdowns, (unsigned long long)c->evictions,
            (unsigned long long)c->wakes, (unsigned long long)c->fetches,
            (unsigned long long)c->damaged, (unsigned long long)c->out_of_room,
            (unsigned long long)c->checked, (unsigned long long)c->older,
            (unsigned long long)c->moves, (unsigned long long)c->answers);
    assert_true(c->evictions && c->wakes && c->fetches && c->damaged && c->out_of_room);
    assert_true(c->checked && c->cuts && c->shutdowns && c->moves && c->answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_anything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
