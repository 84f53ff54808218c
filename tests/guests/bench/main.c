/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One image for all VMs of dts/bench.dts but the HTTP ones; what a VM does is its group's name:
 *
 *   bench   measures, and is the supervisor
 *   peer    the other VM of what takes two
 *   clone   says when it was born, writes a few pages, and idles
 *   idle    is there
 */
#include <string.h>

#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/time.h"
#include "tests/guests/bench/bench.h"
#include "tests/guests/bench/loops.h"
#include "tests/guests/bench/wire.h"

#define NS_PER_TENTH 10 /* one instruction is one ns, figures have one decimal */
#define LONG_NS (3600 * NS_PER_SECOND)
#define QUIET_TICKS 1000
#define QUIET_TIMES 20

TOKLAT_IMAGE(2 * 1024 * 1024, 8192, TOKLAT_IMAGE_CHECKPOINT);

uint8_t bench_cow[BENCH_COW_PAGES][4096] __attribute__((aligned(4096)));
uint8_t bench_zero[BENCH_ZERO_PAGES][4096] __attribute__((aligned(4096)));

uint64_t bench_ticks(void)
{
    uint64_t ticks;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks + system_page()->wall_offset;
}

static uint64_t tenths(uint64_t ticks)
{
    return ticks * (NS_PER_SECOND / system_page()->counter_hz) * NS_PER_TENTH;
}

static void print(const char *name, const char *suffix, uint64_t value)
{
    console_printf("bench: %s%s %lu.%lu instructions\n", name, suffix, value / 10, value % 10);
}

void bench_report_whole(const char *name, uint64_t ticks, uint64_t n)
{
    uint64_t whole = tenths(ticks) / n;
    print(name, "", whole);
    print(name, ".whole", whole);
}

void bench_report(const char *name, uint64_t ticks, uint64_t others, uint64_t instructions,
                  uint64_t n)
{
    uint64_t own = ticks > others ? tenths(ticks - others) / n : 0;
    uint64_t subtract = instructions * NS_PER_TENTH;
    print(name, "", own > subtract ? own - subtract : 0);
    print(name, ".whole", tenths(ticks) / n);
}

/* Nobody else is runnable when the CPU comes back at once, many times over some time. Whatever
 * starts at boot has then started and gone idle. */
static void wait_until_quiet(void)
{
    for (unsigned times = 0; times < QUIET_TIMES; times++) {
        idle(NS_PER_MS);
        uint64_t begun = bench_ticks();
        idle(0);
        if (bench_ticks() - begun > QUIET_TICKS) {
            times = 0;
        }
    }
}

static void bench_run(void)
{
    wait_until_quiet();
    console_printf("bench: begins, %u peer groups\n", system_page()->peer_count);
    measure_alone();
    measure_pair();
    measure_clones();
    wire_init();
    wire_send(wire_peer(PEER_CLIENT), WIRE_HTTP, 0, WIRE_FRAME_MIN);
    wire_receive();
    console_printf("bench: done\n");
}

static void clone_run(uint64_t born)
{
    loop_store(bench_cow, BENCH_CLONE_PAGES);
    wire_send(wire_peer(0), WIRE_BORN, born, WIRE_FRAME_MIN);
}

/* The bench's template holds as many pages as are measured, the others' about as many as that of a
 * small server. */
static void fill_template(const char *role)
{
    unsigned pages = strcmp(role, "bench") == 0 ? BENCH_COW_PAGES : BENCH_CLONE_PAGES;
    for (unsigned i = 0; i < pages; i++) {
        bench_cow[i][0] = 1;
    }
}

int guest_main(void)
{
    const char *role = system_page()->name;
    fill_template(role);
    wire_init();
    checkpoint();
    uint64_t born = bench_ticks();
    if (strcmp(role, "clone") == 0) {
        clone_run(born);
    } else if (strcmp(role, "bench") == 0) {
        bench_run();
    } else if (strcmp(role, "peer") == 0) {
        peer_run();
    }
    for (;;) {
        idle(LONG_NS);
    }
}
