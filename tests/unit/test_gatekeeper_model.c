// SPDX-License-Identifier: BSD-2-Clause
// sources: sched/gatekeeper.c sched/gate_pool.c
/*
 * Random lives of many VMs on a machine of few frames, against a model that knows of each VM where
 * it is and since when. Whoever the gatekeeper asks for is compared with a search through all; now
 * and then the owner finishes all that it has begun, and everybody who waits has to get in, with
 * no other calls of gate_run than those that were announced.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/time.h"
#include "sched/gatekeeper.h"

#define VMS 120
#define STEPS 40000
#define SETTLE_EVERY 1000

enum place { OUT, QUEUED, AHEAD, ARRIVING, BUSY, IDLE, SPARED, LEAVING, PLACES };

struct model_vm {
    struct gate_waiter w;
    struct gate_resident r;
    enum place place;
    uint64_t since; /* a number that grows with every change of place */
    uint64_t deadline;
    uint32_t frames; /* that it has taken, or is to take */
};

static struct model_vm vms[VMS];
static struct gate gate;
static struct gate_limits limits;
static uint64_t total, taken, promised, going; /* frames: of all, used, of ARRIVING, of LEAVING */
static uint64_t now, changes, last_arrival;
static uint64_t first_since; /* when nobody waited or starved last, or the queue moved */
static uint32_t starving;
static unsigned count[PLACES];
static unsigned seen_idle, seen_timed, seen_busy, seen_starving, seen_below_floor, seen_ahead;
static unsigned settled;
static bool obliging; /* the owner does what it is asked for */

static unsigned pick(unsigned n)
{
    return (unsigned)rand() % n;
}

static unsigned pick_among(enum place place)
{
    unsigned n = pick(VMS);
    for (unsigned i = 0; i < VMS; i++) {
        if (vms[(n + i) % VMS].place == place) {
            return (n + i) % VMS;
        }
    }
    return VMS;
}

static void put(unsigned i, enum place place)
{
    count[vms[i].place]--;
    count[place]++;
    vms[i].place = place;
    vms[i].since = ++changes;
}

/* Who has been there for the longest; VMS: nobody is. */
static unsigned oldest(enum place place)
{
    unsigned found = VMS;
    for (unsigned i = 0; i < VMS; i++) {
        if (vms[i].place == place && (found == VMS || vms[i].since < vms[found].since)) {
            found = i;
        }
    }
    return found;
}

static uint64_t fake_free(void)
{
    return total - taken;
}

/* Whether so many are free that nobody was promised. */
static bool has_free(uint64_t frames)
{
    return total - taken >= promised + frames;
}

static void arrive(unsigned i)
{
    struct model_vm *v = &vms[i];
    promised -= v->w.frames;
    if (v->w.frames > total - taken || pick(20) == 0) {
        put(i, OUT);
        gate_arrived(&gate, &v->w, NULL, 0);
        return;
    }
    v->frames = v->w.frames;
    taken += v->frames;
    last_arrival = now;
    put(i, BUSY);
    gate_arrived(&gate, &v->w, &v->r, v->frames);
}

static void leave(unsigned i)
{
    going -= vms[i].frames;
    taken -= vms[i].frames;
    put(i, OUT);
    gate_left(&gate, &vms[i].r);
}

static void keep(unsigned i)
{
    going -= vms[i].frames;
    put(i, BUSY);
    gate_kept(&gate, &vms[i].r);
}

static enum gate_answer pick_answer(bool never)
{
    unsigned n = obliging ? 100 : pick(100);
    return n < 10 ? GATE_LATER : n < 20 && never ? GATE_NEVER : GATE_STARTED;
}

static enum gate_answer fake_admit(struct gate_waiter *w)
{
    unsigned i = (unsigned)(container_of(w, struct model_vm, w) - vms);
    struct model_vm *v = &vms[i];
    enum place was = v->place;
    assert_int_equal(i, oldest(count[QUEUED] ? QUEUED : AHEAD));
    assert_true(!count[ARRIVING] ||
                (count[ARRIVING] < limits.arriving && promised + w->frames <= limits.transit));
    if (!has_free(limits.floor + w->frames)) {
        assert_int_equal(was, QUEUED);
        assert_int_equal(count[ARRIVING] + count[BUSY] + count[IDLE] + count[LEAVING], 0);
        assert_int_equal(count[SPARED], 0);
        seen_below_floor++;
    }
    assert_true(was == QUEUED || has_free(limits.low + w->frames));
    enum gate_answer answer = pick_answer(false);
    if (answer == GATE_STARTED) {
        seen_ahead += was == AHEAD;
        first_since = was == QUEUED ? now : first_since;
        promised += w->frames;
        put(i, ARRIVING);
        if (pick(8) == 0) {
            arrive(i);
        }
    }
    return answer;
}

static uint64_t remains(const struct model_vm *v)
{
    return v->deadline > now ? v->deadline - now : 0;
}

/* Nobody who idles remains so for more than twice as long; among those who wait for no time,
 * nobody does so for longer. */
static void check_idle_victim(const struct model_vm *v)
{
    for (const struct model_vm *o = vms; o < vms + VMS; o++) {
        if (o->place != IDLE) {
            continue;
        }
        if (v->deadline == TICKS_NEVER) {
            assert_true(o->deadline != TICKS_NEVER || o->since >= v->since);
        } else {
            assert_true(o->deadline != TICKS_NEVER && remains(o) <= 2 * remains(v) + 1);
        }
    }
    seen_idle += v->deadline == TICKS_NEVER;
    seen_timed += v->deadline != TICKS_NEVER;
}

static void check_busy_victim(unsigned i)
{
    assert_int_equal(count[IDLE], 0);
    assert_int_equal(i, oldest(BUSY));
    unsigned head = oldest(QUEUED);
    assert_true(head < VMS || starving);
    uint64_t frames = head < VMS ? limits.floor + vms[head].w.frames : 0;
    assert_true(total - taken + going < promised + MAX(frames, starving));
    seen_starving += starving > frames;
    assert_true(now - first_since >= limits.patience);
    assert_true(now - last_arrival >= limits.patience);
    seen_busy++;
}

static enum gate_answer fake_evict(struct gate_resident *r)
{
    unsigned i = (unsigned)(container_of(r, struct model_vm, r) - vms);
    struct model_vm *v = &vms[i];
    assert_true(!count[LEAVING] || going + v->frames <= limits.transit);
    if (v->place == IDLE) {
        check_idle_victim(v);
    } else {
        assert_int_equal(v->place, BUSY);
        check_busy_victim(i);
    }
    enum gate_answer answer = pick_answer(true);
    if (answer == GATE_STARTED) {
        going += v->frames;
        put(i, LEAVING);
        unsigned n = pick(16);
        if (n == 0) {
            leave(i);
        } else if (n == 1) {
            keep(i);
        }
    } else if (answer == GATE_NEVER) {
        put(i, SPARED);
    }
    return answer;
}

static const struct gate_ops ops = {fake_free, fake_admit, fake_evict, NULL};

static unsigned list_count(const struct list *l)
{
    unsigned n = 0;
    list_for_each(e, l)
    {
        assert_ptr_equal(e->next->prev, e);
        assert_true(n++ < VMS);
    }
    return n;
}

static bool list_has(const struct list *l, const struct list *wanted)
{
    list_for_each(e, l)
    {
        if (e == wanted) {
            return true;
        }
    }
    return false;
}

static void check_order(const struct list *queue)
{
    uint64_t since = 0;
    list_for_each(e, queue)
    {
        const struct model_vm *v = container_of(e, struct model_vm, w.link);
        assert_true(v->since > since);
        since = v->since;
    }
}

static void check_vm(const struct model_vm *v)
{
    static const uint8_t waiter[PLACES] = {
        [QUEUED] = GATE_QUEUED, [AHEAD] = GATE_AHEAD, [ARRIVING] = GATE_ARRIVING};
    static const uint8_t resident[PLACES] = {
        [BUSY] = GATE_BUSY, [IDLE] = GATE_IDLE, [SPARED] = GATE_SPARED, [LEAVING] = GATE_LEAVING};
    assert_int_equal(v->w.state, waiter[v->place]);
    assert_int_equal(v->r.state, resident[v->place]);
    if (v->place == QUEUED || v->place == AHEAD) {
        assert_true(list_has(v->place == AHEAD ? &gate.ahead : &gate.waiting, &v->w.link));
    } else if (v->place == BUSY) {
        assert_true(list_has(&gate.own.busy, &v->r.link));
    } else if (v->place == IDLE) {
        unsigned found = 0;
        while (!list_has(&gate.own.idle[found], &v->r.link)) {
            assert_true(++found < GATE_CLASSES);
        }
        assert_true(gate.own.idle_classes & 1ull << found);
        assert_true(found <= (unsigned)__builtin_clzll(remains(v) | 1));
    } else if (v->place == SPARED) {
        assert_ptr_equal(v->r.link.next, &v->r.link);
    }
}

static void check_all(void)
{
    unsigned idle = 0;
    for (unsigned class = 0; class < GATE_CLASSES; class ++) {
        idle += list_count(&gate.own.idle[class]);
    }
    assert_int_equal(idle, count[IDLE]);
    assert_int_equal(list_count(&gate.own.busy), count[BUSY]);
    assert_int_equal(list_count(&gate.waiting), count[QUEUED]);
    assert_int_equal(list_count(&gate.ahead), count[AHEAD]);
    check_order(&gate.waiting);
    check_order(&gate.ahead);
    for (const struct model_vm *v = vms; v < vms + VMS; v++) {
        check_vm(v);
    }
    assert_int_equal(gate.waiting_count, count[QUEUED]);
    assert_int_equal(gate.arriving_count, count[ARRIVING]);
    assert_int_equal(gate.leaving_count, count[LEAVING]);
    assert_int_equal(gate.resident_count,
                     count[BUSY] + count[IDLE] + count[SPARED] + count[LEAVING]);
    assert_int_equal(gate.arriving_frames, promised);
    assert_int_equal(gate.leaving_frames, going);
}

static void run(void)
{
    uint64_t began = gate.counters.admitted + gate.counters.admitted_ahead;
    gate_run(&gate, now);
    assert_true(gate.counters.admitted + gate.counters.admitted_ahead - began <= limits.arriving);
    assert_true(gate_deadline(&gate) > now);
    if (!gate.own.due && count[QUEUED]) {
        assert_in_range(vms[oldest(QUEUED)].w.why, GATE_FRAMES, GATE_ADMIT);
    }
    if (!gate.own.due) { /* then nothing is left to do */
        uint64_t before = changes;
        gate_run(&gate, now);
        assert_int_equal(changes, before);
    }
}

static void do_want(unsigned i)
{
    struct model_vm *v = &vms[i];
    uint32_t frames = pick(200) ? 1 + pick(40) : (uint32_t)total * 2;
    if (v->place > ARRIVING) {
        return;
    }
    if (pick(4) == 0) {
        gate_want_ahead(&gate, &v->w, frames, now);
        if (v->place == OUT) {
            put(i, AHEAD);
        }
        return;
    }
    gate_want(&gate, &v->w, frames, now);
    if (v->place == OUT || v->place == AHEAD) {
        first_since = count[QUEUED] || starving ? first_since : now;
        put(i, QUEUED);
    }
}

static void do_starve(void)
{
    first_since = count[QUEUED] || starving ? first_since : now;
    starving = 1 + pick((unsigned)limits.low);
    gate_starve(&gate, starving, now);
}

static void do_feed(void)
{
    starving = 0;
    gate_fed(&gate);
}

static void do_forget(unsigned i)
{
    gate_forget(&gate, &vms[i].w);
    if (vms[i].place == QUEUED || vms[i].place == AHEAD) {
        put(i, OUT);
    }
}

static uint64_t pick_deadline(void)
{
    unsigned n = pick(8);
    return n < 4 ? TICKS_NEVER : n == 4 ? now - pick(100) : now + ((uint64_t)rand() >> pick(31));
}

static void do_idle(unsigned i)
{
    struct model_vm *v = &vms[i];
    uint64_t deadline = pick_deadline();
    gate_idle(&gate.own, &v->r, deadline, now);
    if (v->place == BUSY || v->place == IDLE || v->place == SPARED) {
        v->deadline = deadline;
        put(i, IDLE);
    }
}

static void do_wake(unsigned i)
{
    gate_wake(&gate.own, &vms[i].r);
    if (vms[i].place == IDLE || vms[i].place == SPARED) {
        put(i, BUSY);
    }
}

static void do_remove(unsigned i)
{
    struct model_vm *v = &vms[i];
    if (v->place == BUSY || v->place == IDLE || v->place == SPARED) {
        taken -= v->frames;
        put(i, OUT);
    }
    if (v->place != LEAVING) {
        gate_remove(&gate, &v->r);
    }
}

static void do_enter(unsigned i)
{
    uint32_t frames = 1 + pick(20);
    if (vms[i].place == OUT && total - taken >= frames) {
        vms[i].frames = frames;
        taken += frames;
        put(i, BUSY);
        gate_enter(&gate, &vms[i].r, frames);
    }
}

static void do_grow(unsigned i)
{
    if (vms[i].place == BUSY && total - taken > (starving ? 1 : limits.low)) {
        vms[i].frames++;
        vms[i].r.frames++;
        taken++;
    }
}

static void finish_one(enum place place)
{
    unsigned i = pick_among(place);
    if (i == VMS) {
        return;
    }
    if (place == ARRIVING) {
        arrive(i);
    } else if (pick(5) == 0) {
        keep(i);
    } else {
        leave(i);
    }
}

static void step(unsigned idle_share)
{
    unsigned what = pick(100), i = pick(VMS);
    now += pick(3) ? 0 : pick(20);
    if (what < 18 && (!starving || pick(8) == 0)) {
        do_want(i);
    } else if (what < 20) {
        do_forget(i);
    } else if (what < 20 + idle_share) {
        do_idle(i);
    } else if (what < 50) {
        do_wake(i);
    } else if (what < 52) {
        do_remove(i);
    } else if (what < 54) {
        do_enter(i);
    } else if (what < 60) {
        do_grow(i);
    } else if (what < 80) {
        finish_one(what & 1 ? ARRIVING : LEAVING);
    } else if (what < 83) {
        gate_poke(&gate);
    } else if (what < 84) {
        starving ? do_feed() : do_starve();
    } else if (gate.own.due || now >= gate_deadline(&gate)) {
        run();
    }
}

/* The owner finishes all; then nobody may be left waiting. gate_run is called when it is due or
 * its deadline has come, and never else. */
static void settle(void)
{
    obliging = true;
    do_feed();
    gate_poke(&gate);
    for (unsigned n = 0; n < VMS; n++) {
        if (vms[n].place == SPARED) {
            do_wake(n);
        }
    }
    for (unsigned n = 0; count[QUEUED] + count[ARRIVING] + count[LEAVING]; n++) {
        assert_true(n < 100 * VMS);
        if (gate.own.due) {
            run();
        } else if (count[ARRIVING] + count[LEAVING]) {
            finish_one(count[ARRIVING] ? ARRIVING : LEAVING);
        } else {
            assert_true(gate_deadline(&gate) != TICKS_NEVER);
            now = gate_deadline(&gate);
            run();
        }
        check_all();
    }
    obliging = false;
    settled++;
}

static void live(unsigned seed, uint64_t frames, unsigned idle_share)
{
    srand(seed);
    memset(vms, 0, sizeof(vms));
    memset(count, 0, sizeof(count));
    count[OUT] = VMS;
    total = frames;
    taken = promised = going = changes = last_arrival = first_since = 0;
    now = 1000;
    starving = 0;
    limits = (struct gate_limits){.floor = frames / 16,
                                  .low = frames / 10,
                                  .high = frames / 8,
                                  .transit = 30 + frames / 20,
                                  .arriving = 1 + pick(6),
                                  .patience = 100};
    gate_init(&gate, &ops, &limits);
    for (unsigned n = 1; n <= STEPS; n++) {
        step(idle_share);
        check_all();
        if (n % SETTLE_EVERY == 0) {
            settle();
        }
    }
}

static int start(void **state)
{
    (void)state;
    seen_idle = seen_timed = seen_busy = seen_starving = seen_below_floor = seen_ahead = 0;
    settled = 0;
    return 0;
}

static void memory_enough(void **state)
{
    (void)state;
    live(1, 8000, 15);
    assert_true(seen_ahead > 100);
    assert_int_equal(settled, STEPS / SETTLE_EVERY);
}

static void memory_short(void **state)
{
    (void)state;
    for (unsigned seed = 2; seed < 5; seed++) {
        live(seed, 300 * seed, 15);
    }
    assert_true(seen_idle > 500);
    assert_true(seen_timed > 500);
    assert_true(seen_below_floor > 3);
}

static void seldom_idle(void **state)
{
    (void)state;
    for (unsigned seed = 5; seed < 8; seed++) {
        live(seed, 100 * seed, 1);
    }
    assert_true(seen_busy > 100);
    assert_true(seen_starving > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(memory_enough, start),
        cmocka_unit_test_setup(memory_short, start),
        cmocka_unit_test_setup(seldom_idle, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
