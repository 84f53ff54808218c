/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What takes two VMs, and the second of them; with several CPUs, on one of them and on two.
 */
#include "abi/hypercall.h"
#include "abi/system_page.h"
#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/time.h"
#include "tests/guests/bench/bench.h"
#include "tests/guests/bench/loops.h"
#include "tests/guests/bench/wire.h"

#define SPINS 10000000 /* of two instructions: two quanta */
#define PROBES 4       /* of a peer, to tell where it runs, each of so many yields */
#define PROBE_YIELDS 8
#define SWITCHES 2000
#define SWITCHES_SLACK 200 /* that the peer yields more often than it is measured */
#define ROUND_TRIPS 1000
#define HOLD_NS (5 * NS_PER_MS)
#define BATCH 64
#define BATCHES 16

static uint32_t peer; /* VM number of the one that is measured with */

static uint32_t peers(void)
{
    return system_page()->peers[PEER_PEER].count;
}

static void ask(uint32_t command, uint64_t number)
{
    wire_send(peer, command, number, WIRE_FRAME_MIN);
}

static void await(uint32_t command)
{
    while (wire_receive()->command != command) {
        wire_release();
    }
    wire_release();
}

/* The shortest of some rounds of yields. */
static uint64_t yields(void)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < PROBES; i++) {
        uint64_t t0 = bench_ticks();
        loop_call(TOKLAT_IDLE, 0, 0, PROBE_YIELDS);
        uint64_t took = bench_ticks() - t0;
        least = took < least ? took : least;
    }
    return least;
}

/* Whether the peer runs on this VM's CPU: yields then take two switches instead of none. */
static bool shares_cpu(void)
{
    uint64_t alone = yields();
    ask(WIRE_YIELD, 2 * (PROBES + 1) * PROBE_YIELDS);
    loop_call(TOKLAT_IDLE, 0, 0, PROBE_YIELDS);
    uint64_t beside = yields();
    ask(WIRE_ECHO, 0);
    await(WIRE_ECHO);
    return beside > 2 * alone;
}

/* Peers are spread over the CPUs; where this VM runs are none, perhaps. Each computes for more than
 * its quantum, and of those that wait on other CPUs some come here, where nobody does. */
static void stir(void)
{
    uint32_t first = wire_peer(PEER_PEER), count = peers();
    for (uint32_t i = 0; i < count; i++) {
        wire_send(first + i, WIRE_SPIN, SPINS, WIRE_FRAME_MIN);
    }
    for (uint32_t i = 0; i < count; i++) {
        await(WIRE_DONE);
    }
}

/* Makes one that does, or does not, the peer. False: there is none. */
static bool find_peer(bool near)
{
    uint32_t first = wire_peer(PEER_PEER), count = peers();
    for (peer = first; peer < first + count; peer++) {
        if (shares_cpu() == near) {
            return true;
        }
    }
    return false;
}

/* vm_switch: both VMs yield in turn, so one turn of this loop is two switches; against NOPs. */
static void vm_switch(void)
{
    ask(WIRE_YIELD, SWITCHES + SWITCHES_SLACK);
    loop_call(TOKLAT_IDLE, 0, 0, SWITCHES_SLACK / 4);
    uint64_t t0 = bench_ticks();
    loop_call(TOKLAT_IDLE, 0, 0, SWITCHES);
    uint64_t t1 = bench_ticks();
    loop_call_nop(TOKLAT_IDLE, 0, 0, 2 * SWITCHES);
    uint64_t t2 = bench_ticks();
    bench_report("vm_switch", t1 - t0, t2 - t1, 0, 2 * SWITCHES);
    ask(WIRE_ECHO, 0);
    await(WIRE_ECHO);
}

/* A frame of 64 bytes there and back; both VMs idle while they wait. */
static void round_trip(const char *name)
{
    ask(WIRE_ECHO, 0);
    await(WIRE_ECHO);
    uint64_t t0 = bench_ticks();
    for (unsigned i = 0; i < ROUND_TRIPS; i++) {
        wire_again(WIRE_FRAME_MIN);
        wire_receive();
        wire_release();
    }
    uint64_t t1 = bench_ticks();
    bench_report_whole(name, t1 - t0, ROUND_TRIPS);
}

/* Has the peer stay away, and waits until it does. */
static void hold(uint32_t command)
{
    ask(command, HOLD_NS);
    await(WIRE_DONE);
    idle(0);
}

/* The peer is awake again and has thrown away what came. */
static void resume(void)
{
    wire_init();
    await(WIRE_DONE);
}

/* A doorbell for one frame of 100 bytes to a VM that needs no waking, against the
 * same stores with a NOP. */
static void packet(const char *name)
{
    volatile uint16_t dummy = 0;
    uint64_t whole = 0, loop = 0;
    for (unsigned i = 0; i < BATCHES; i++) {
        hold(WIRE_HOLD_QUIET);
        wire_repeat(peer, WIRE_FRAME_UDP);
        uint64_t t0 = bench_ticks();
        loop_doorbell(wire_tx_idx(), &dummy, BATCH);
        uint64_t t1 = bench_ticks();
        loop_doorbell_nop(&dummy, &dummy, BATCH);
        uint64_t t2 = bench_ticks();
        whole += t1 - t0;
        loop += t2 - t1;
        resume();
    }
    bench_report(name, whole, loop, 0, BATCHES * BATCH);
}

/* One doorbell for 64 frames to the peer, which does not run. */
static uint64_t send_batch(uint32_t command)
{
    hold(command);
    wire_repeat(peer, WIRE_FRAME_MIN);
    *wire_tx_idx() = BATCH;
    uint64_t t0 = bench_ticks();
    doorbell(1u << TOKLAT_QUEUE_NET_TX);
    uint64_t t1 = bench_ticks();
    resume();
    return t1 - t0;
}

/* event_batched: each of 64 frames posts an event to a VM that idles. The first wakes it, but it
 * does not run until this one gives way, and takes them all as one result; against the same frames
 * with events turned off in its ring. */
static void event_batched(void)
{
    uint64_t with = 0, without = 0;
    for (unsigned i = 0; i < BATCHES; i++) {
        with += send_batch(WIRE_HOLD);
        without += send_batch(WIRE_HOLD_QUIET);
    }
    bench_report("event_batched", with, without, 0, BATCHES * BATCH);
}

/* packet_between_cpus is what the sender's CPU does, round_trip_between_cpus what both do. */
void measure_pair(void)
{
    if (peers() > 1) {
        stir();
    }
    if (find_peer(true)) {
        vm_switch();
        round_trip("notify_round_trip");
        packet("packet_vm_to_vm");
        event_batched();
        if (!shares_cpu()) {
            console_printf("bench: VM %u has left this CPU\n", peer);
        }
    }
    if (find_peer(false)) {
        round_trip("round_trip_between_cpus");
        packet("packet_between_cpus");
        if (shares_cpu()) {
            console_printf("bench: VM %u has come to this CPU\n", peer);
        }
    }
}

/* Answers, idles, throws away what came and answers again. */
static void stay_away(struct wire_message *m)
{
    uint64_t ns = m->number;
    uint32_t asker = m->from;
    if (m->command == WIRE_HOLD_QUIET) {
        wire_want_events(false);
    }
    m->command = WIRE_DONE;
    wire_return();
    while (idle(ns) == 0) {
    }
    wire_want_events(true);
    wire_drain();
    wire_send(asker, WIRE_DONE, 0, WIRE_FRAME_MIN);
}

void peer_run(void)
{
    for (;;) {
        struct wire_message *m = wire_receive();
        uint64_t number = m->number;
        switch (m->command) {
        case WIRE_ECHO:
            wire_return();
            break;
        case WIRE_YIELD:
            wire_release();
            loop_call(TOKLAT_IDLE, 0, 0, number);
            break;
        case WIRE_SPIN:
            loop_busy(number, 0);
            m->command = WIRE_DONE;
            wire_return();
            break;
        case WIRE_HOLD_QUIET:
        case WIRE_HOLD:
            stay_away(m);
            break;
        default:
            wire_release();
        }
    }
}
