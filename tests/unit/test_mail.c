/* SPDX-License-Identifier: BSD-2-Clause */
// sources: core/mail.c mm/frame.c mm/frame_init.c mm/buddy.c arch/host/memory.c arch/host/cpu.c
// sources: arch/host/irq.c arch/host/time.c core/base/log.c core/base/fmt.c core/base/error.c
/*
 * Messages between CPUs, all played by one thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/cpu.h"
#include "arch/host/host.h"
#include "core/mail.h"
#include "mm/frame.h"

#define CPUS 3u
#define RING_BYTES ((size_t)mail_ring_bytes())
#define FRAMES_LEAVE (RING_BYTES / 8 + VMS_LEAVE)
#define VMS_LEAVE KIB(2)
#define HEAD sizeof(struct mail)
#define FRAME_BYTES 1514u
#define SEEN_MAX 20000u

/* What was handled, in order. */
static struct seen {
    unsigned from;
    uint32_t number;
    uint16_t bytes;
    uint8_t kind, detail;
} seen[SEEN_MAX];
static unsigned seen_count;
static uint8_t last[2048]; /* the last one's data */
static void (*on_message)(const struct mail *m);

static void note(unsigned from, const struct mail *m)
{
    assert_true(seen_count < SEEN_MAX);
    assert_true(m->kind != MAIL_SKIP);
    seen[seen_count++] = (struct seen){from, m->number, m->bytes, m->kind, m->detail};
    memcpy(last, m->data, m->bytes);
    if (on_message) {
        on_message(m);
    }
}

static void take(unsigned cpu)
{
    host_cpu_set(cpu);
    seen_count = 0;
    mail_take(note);
}

static enum err send_from(unsigned from, unsigned to, enum mail_kind kind, uint32_t number,
                          const void *data, size_t bytes)
{
    host_cpu_set(from);
    return mail_send(to, kind, (uint8_t)(number % 251), number, data, bytes);
}

static enum err poke(unsigned from, unsigned to, uint32_t number)
{
    return send_from(from, to, MAIL_POKE, number, NULL, 0);
}

static void init(unsigned cpus)
{
    host_memory_init(MIB(2));
    host_irq_reset();
    host_cpu_set(0);
    struct frame_range ram = {PA(HOST_RAM_BASE), MIB(2)};
    assert_int_equal(frame_init(&ram, 1, NULL, 0), OK);
    assert_int_equal(mail_init(cpus), OK);
    seen_count = 0;
    on_message = NULL;
}

static int setup(void **state)
{
    (void)state;
    init(CPUS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    host_cpu_set(0);
    return 0;
}

static uint8_t pattern(uint32_t number, unsigned i)
{
    return (uint8_t)(number * 31 + i * 7 + (i >> 8));
}

static void fill(uint8_t *data, uint32_t number, size_t bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        data[i] = pattern(number, i);
    }
}

static void assert_last(uint32_t number, size_t bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        assert_int_equal(last[i], pattern(number, i));
    }
}

static void test_in_order(void **state)
{
    (void)state;
    uint8_t data[100];
    for (uint32_t n = 0; n < 50; n++) {
        fill(data, n, n);
        assert_int_equal(send_from(1, 2, n % 2 ? MAIL_VM : MAIL_FRAME, n, data, n), OK);
    }
    take(2);
    assert_int_equal(seen_count, 50);
    for (uint32_t n = 0; n < 50; n++) {
        assert_int_equal(seen[n].from, 1);
        assert_int_equal(seen[n].number, n);
        assert_int_equal(seen[n].detail, n);
        assert_int_equal(seen[n].bytes, n);
        assert_int_equal(seen[n].kind, n % 2 ? MAIL_VM : MAIL_FRAME);
    }
    assert_last(49, 49);
    take(2);
    assert_int_equal(seen_count, 0);
}

static void test_all_pairs(void **state)
{
    (void)state;
    for (unsigned from = 0; from < CPUS; from++) {
        for (unsigned to = 0; to < CPUS; to++) {
            assert_int_equal(poke(from, to, from * 10 + to), from == to ? ERR_BUSY : OK);
        }
        assert_int_equal(poke(from, CPUS, 0), ERR_BUSY); /* there is no such CPU */
        assert_int_equal(mail_get_counters(from).refused, 2);
    }
    for (unsigned to = 0; to < CPUS; to++) {
        take(to);
        assert_int_equal(seen_count, CPUS - 1);
        for (unsigned i = 0; i < seen_count; i++) {
            assert_int_equal(seen[i].number, seen[i].from * 10 + to);
            assert_int_not_equal(seen[i].from, to);
        }
        assert_int_equal(mail_get_counters(to).sent, CPUS - 1);
    }
}

static void test_one_cpu_has_none(void **state)
{
    (void)state;
    uint64_t taken = frame_count(FRAME_EL2), rings = CPUS * (CPUS - 1) * RING_BYTES / PAGE_SIZE;
    init(1);
    assert_true(frame_count(FRAME_EL2) + rings == taken);
    assert_int_equal(poke(0, 1, 0), ERR_BUSY);
    assert_int_equal(poke(0, 0, 0), ERR_BUSY);
    take(0);
    assert_int_equal(seen_count, 0);
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_int_equal(mail_init(4), ERR_NO_MEMORY); /* some rings were taken already */
}

/* Until the ring refuses `kind`; how many it took. */
static unsigned fill_with(enum mail_kind kind, size_t bytes)
{
    static const uint8_t data[FRAME_BYTES];
    unsigned n = 0;
    while (send_from(0, 1, kind, n, data, bytes) == OK) {
        n++;
    }
    return n;
}

static void test_each_kind_leaves_room(void **state)
{
    (void)state;
    size_t frame = ALIGN_UP(HEAD + FRAME_BYTES, HEAD);
    unsigned frames = fill_with(MAIL_FRAME, FRAME_BYTES);
    assert_int_equal(frames, (RING_BYTES - FRAMES_LEAVE) / frame);
    assert_int_equal(fill_with(MAIL_UPLINK, FRAME_BYTES), 0);
    size_t left = RING_BYTES - frames * frame;
    unsigned vms = fill_with(MAIL_VM, 0);
    assert_int_equal(vms, (left - VMS_LEAVE) / HEAD);
    assert_int_equal(fill_with(MAIL_FRAME, 0), 0);
    left -= vms * HEAD;
    assert_int_equal(left, VMS_LEAVE);
    assert_int_equal(fill_with(MAIL_GIVE, 0), VMS_LEAVE / HEAD);
    for (enum mail_kind kind = MAIL_FRAME; kind <= MAIL_POKE; kind++) {
        assert_int_equal(send_from(0, 1, kind, 0, NULL, 0), ERR_BUSY);
    }
    assert_int_equal(poke(0, 2, 0), OK); /* another pair's */
    take(1);
    assert_int_equal(seen_count, frames + vms + VMS_LEAVE / HEAD);
    assert_int_equal(poke(0, 1, 0), OK);
}

/* A message lies in one piece: one that does not fit before the ring's end begins anew, and what is
 * skipped counts as used. */
static void test_wraps_in_one_piece(void **state)
{
    (void)state;
    uint8_t data[FRAME_BYTES];
    for (unsigned i = 0; i < (RING_BYTES - 64) / HEAD; i++) {
        assert_int_equal(poke(0, 1, i), OK);
        take(1);
        assert_int_equal(seen_count, 1);
        assert_int_equal(seen[0].number, i);
    }
    fill(data, 3, FRAME_BYTES); /* 64 bytes are left before the end */
    assert_int_equal(send_from(0, 1, MAIL_FRAME, 3, data, FRAME_BYTES), OK);
    assert_int_equal(poke(0, 1, 4), OK);
    take(1);
    assert_int_equal(seen_count, 2);
    assert_int_equal(seen[0].number, 3);
    assert_int_equal(seen[0].bytes, FRAME_BYTES);
    assert_int_equal(seen[1].number, 4);
    size_t frame = ALIGN_UP(HEAD + FRAME_BYTES, HEAD);
    assert_int_equal(fill_with(MAIL_FRAME, FRAME_BYTES), (RING_BYTES - FRAMES_LEAVE) / frame);
    take(1);
    assert_int_equal(seen_count, (RING_BYTES - FRAMES_LEAVE) / frame);
}

/* What is skipped counts, so nothing is written over that was not read. */
static void test_what_is_skipped_counts(void **state)
{
    (void)state;
    static const uint8_t data[FRAME_BYTES];
    size_t frame = ALIGN_UP(HEAD + FRAME_BYTES, HEAD);
    size_t used = RING_BYTES - FRAMES_LEAVE - frame - 32, end = RING_BYTES - 64;
    for (unsigned i = 0; i < end / HEAD; i++) {
        if (i == (end - used) / HEAD) {
            take(1);
        }
        assert_int_equal(poke(0, 1, i), OK);
    }
    assert_int_equal(send_from(0, 1, MAIL_FRAME, 0, data, FRAME_BYTES), ERR_BUSY);
    assert_int_equal(send_from(0, 1, MAIL_FRAME, 0, data, 40), OK); /* before the end */
    take(1);
    assert_int_equal(seen_count, used / HEAD + 1);
}

/* Messages of one ring are not written into another one, wherever that lies. */
static void test_rings_are_apart(void **state)
{
    (void)state;
    static const uint8_t data[FRAME_BYTES];
    for (unsigned from = 0; from < 2; from++) {
        unsigned to = 1 - from;
        init(2);
        for (unsigned i = 0; i < RING_BYTES / HEAD; i++) {
            assert_int_equal(poke(to, from, i), OK);
        }
        for (unsigned i = 0; i < 200; i++) {
            assert_int_equal(send_from(from, to, MAIL_FRAME, i, data, FRAME_BYTES), OK);
            take(to);
            assert_int_equal(seen_count, 1);
        }
        take(from);
        assert_int_equal(seen_count, RING_BYTES / HEAD);
        for (unsigned i = 0; i < seen_count; i++) {
            assert_int_equal(seen[i].number, i);
        }
    }
}

/* Of every length, at every place that there is. */
static void test_data_is_intact(void **state)
{
    (void)state;
    uint8_t data[FRAME_BYTES];
    uint64_t seed = 0x9E3779B97F4A7C15ull;
    uint32_t lengths[64], first = 0, next = 0; /* of those under way */
    for (unsigned i = 0; i < 60000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        size_t bytes = i < FRAME_BYTES ? i : (seed >> 20) % (FRAME_BYTES + 1);
        fill(data, next, bytes);
        lengths[next % 64] = (uint32_t)bytes;
        assert_int_equal(send_from(2, 0, MAIL_FRAME, next, data, bytes), OK);
        next++;
        if (next - first < 40 && (seed & 7)) {
            continue;
        }
        take(0);
        assert_int_equal(seen_count, next - first);
        for (unsigned k = 0; k < seen_count; k++, first++) {
            assert_int_equal(seen[k].number, first);
            assert_int_equal(seen[k].bytes, lengths[first % 64]);
        }
        assert_last(first - 1, seen[seen_count - 1].bytes);
    }
}

static void test_one_interrupt_for_many(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(poke(0, 1, i), OK);
        assert_int_equal(poke(2, 1, i), OK);
    }
    assert_int_equal(host_counts.kicks, 1);
    assert_int_equal(mail_get_counters(0).interrupts, 1);
    assert_int_equal(mail_get_counters(2).interrupts, 0);
    assert_int_equal(mail_get_counters(0).sent, 10);
    host_cpu_set(1);
    assert_true(host_irq_pending());
    take(1);
    assert_int_equal(seen_count, 20);
    assert_int_equal(poke(2, 1, 0), OK); /* since it has looked */
    assert_int_equal(host_counts.kicks, 2);
    assert_int_equal(mail_get_counters(2).interrupts, 1);
}

static void send_again(const struct mail *m)
{
    host_cpu_set(0);
    assert_int_equal(mail_send(1, MAIL_POKE, 0, m->number + 100, NULL, 0), OK);
    host_cpu_set(1);
}

/* What comes while it looks is handled at the next call, of which it is told. */
static void test_a_look_is_bounded(void **state)
{
    (void)state;
    assert_int_equal(poke(0, 1, 1), OK);
    assert_int_equal(poke(0, 1, 2), OK);
    on_message = send_again;
    take(1);
    assert_int_equal(seen_count, 2);
    assert_int_equal(host_counts.kicks, 2);
    on_message = NULL;
    take(1);
    assert_int_equal(seen_count, 2);
    assert_int_equal(seen[0].number, 101);
    assert_int_equal(seen[1].number, 102);
}

/* The receiver answers into a ring of its own, and room comes back message by message. */
static void answer(const struct mail *m)
{
    assert_int_equal(mail_send(0, MAIL_GONE, 0, m->number, NULL, 0), OK);
}

static void test_answers_while_it_looks(void **state)
{
    (void)state;
    unsigned sent = fill_with(MAIL_GIVE, 0);
    assert_int_equal(sent, RING_BYTES / HEAD);
    on_message = answer;
    take(1);
    on_message = NULL;
    take(0);
    assert_int_equal(seen_count, sent);
    assert_int_equal(seen[sent - 1].number, sent - 1);
    assert_int_equal(seen[0].kind, MAIL_GONE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_in_order),
        TEST(test_all_pairs),
        TEST(test_one_cpu_has_none),
        TEST(test_no_memory),
        TEST(test_each_kind_leaves_room),
        TEST(test_wraps_in_one_piece),
        TEST(test_what_is_skipped_counts),
        TEST(test_rings_are_apart),
        TEST(test_data_is_intact),
        TEST(test_one_interrupt_for_many),
        TEST(test_a_look_is_bounded),
        TEST(test_answers_while_it_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
