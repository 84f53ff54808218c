/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making and ending VMs, as the supervisor does.
 */
#include "abi/control.h"
#include "abi/hypercall.h"
#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "tests/guests/bench/bench.h"
#include "tests/guests/bench/loops.h"
#include "tests/guests/bench/wire.h"

#define CLONES 64
#define ROUNDS 4

static int64_t numbers[CLONES];

static bool all_created(void)
{
    for (unsigned i = 0; i < CLONES; i++) {
        if (numbers[i] <= 0) {
            console_printf("bench: create: %ld\n", numbers[i]);
            return false;
        }
    }
    return true;
}

/* clone_create: the call, against a NOP. */
static void clone_create(void)
{
    static int64_t ignored[CLONES];
    uint64_t whole = 0, loop = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t t0 = bench_ticks();
        loop_create(GROUP_CLONE, numbers, CLONES);
        uint64_t t1 = bench_ticks();
        loop_create_nop(GROUP_CLONE, ignored, CLONES);
        uint64_t t2 = bench_ticks();
        whole += t1 - t0;
        loop += t2 - t1;
        if (!all_created()) {
            return;
        }
        loop_control(TOKLAT_VM_DESTROY, numbers, CLONES);
    }
    bench_report("clone_create", whole, loop, 0, ROUNDS * CLONES);
}

/* Creates and starts a clone, and waits until it says when its first instruction was. */
static uint64_t give_birth(int64_t *number)
{
    uint64_t begun = bench_ticks();
    *number = hypercall(TOKLAT_VM_CONTROL, TOKLAT_VM_CREATE, GROUP_CLONE, 0, 0, 0);
    hypercall(TOKLAT_VM_CONTROL, TOKLAT_VM_START, (uint64_t)*number, 0, 0, 0);
    const struct wire_message *m = wire_receive();
    uint64_t born = m->number;
    wire_release();
    idle(0); /* the clone idles as well */
    return born - begun;
}

/* clone_first_instruction and destroy: of clones that ran, wrote BENCH_CLONE_PAGES pages of their
 * template, sent a frame and idle. */
static void births_and_ends(void)
{
    uint64_t births = 0, ends = 0, loop = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned k = 0; k < CLONES; k++) {
            births += give_birth(&numbers[k]);
        }
        uint64_t t0 = bench_ticks();
        loop_control(TOKLAT_VM_DESTROY, numbers, CLONES);
        uint64_t t1 = bench_ticks();
        loop_control_nop(TOKLAT_VM_DESTROY, numbers, CLONES);
        uint64_t t2 = bench_ticks();
        ends += t1 - t0;
        loop += t2 - t1;
    }
    bench_report_whole("clone_first_instruction", births, ROUNDS * CLONES);
    bench_report("destroy", ends, loop, 0, ROUNDS * CLONES);
}

void measure_clones(void)
{
    wire_init();
    clone_create();
    births_and_ends();
}
