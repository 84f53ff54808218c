/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug keys of the gatekeeper and the store.
 */
#include "arch/time.h"
#include "core/base/log.h"
#include "core/keys.h"
#include "core/residence.h"
#include "core/transit.h"

#define ULL(x) ((unsigned long long)(x))

/* Why the first of the queue waits, in the order of enum gate_reason. */
static const char *const reasons[GATE_REASONS] = {"nothing", "free frames", "others on their way",
                                                  "memory to read it into", "its turn"};

struct count {
    const char *name;
    uint64_t value;
};

static void print_json(const struct count *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        log_raw("%s\"%s\":%llu", i ? "," : "", c[i].name, ULL(c[i].value));
    }
}

static uint64_t sum_stored(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < group_count; i++) {
        n += groups[i].stored;
    }
    return n;
}

static uint64_t sum_live(void)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < group_count; i++) {
        n += groups[i].live;
    }
    return n;
}

static void print_first(void)
{
    if (list_empty(&gatekeeper.waiting)) {
        return;
    }
    const struct gate_waiter *w = list_first(&gatekeeper.waiting, struct gate_waiter, link);
    const struct transit *t = container_of(w, const struct transit, waiter);
    const struct stub *s = t->stub;
    log_raw("first of %u: %s/%u, %u frames, for %llu us, for want of %s\n",
            gatekeeper.waiting_count, s ? groups[s->group].config->name : "nobody",
            s ? vm_instance(s) : 0, w->frames,
            ULL(ns_from_ticks(counter_now() - w->since) / NS_PER_US), reasons[w->why]);
}

static void print_limits(void)
{
    const struct gate_limits *l = &gatekeeper.limits;
    log_raw("free %llu frames; floor %llu, low %llu, high %llu, transit %llu; arriving %u VMs of "
            "%llu frames, leaving %u of %llu%s\n",
            ULL(frame_count(FRAME_FREE)), ULL(l->floor), ULL(l->low), ULL(l->high), ULL(l->transit),
            gatekeeper.arriving_count, ULL(gatekeeper.arriving_frames), gatekeeper.leaving_count,
            ULL(gatekeeper.leaving_frames), gatekeeper.evicting ? "; evicting" : "");
    for (unsigned i = GATE_FRAMES; i < GATE_REASONS; i++) {
        log_raw("held for want of %s: %llu\n", reasons[i], ULL(gatekeeper.counters.held[i]));
    }
}

void key_gatekeeper(void)
{
    const struct gate_counters *g = &gatekeeper.counters;
    const struct residence_counters *r = &residence_counters;
    struct transit_counters t = transit_get_counters();
    print_limits();
    print_first();
    const struct count counts[] = {
        {"resident", sum_live()},
        {"stored", sum_stored()},
        {"waiting", gatekeeper.waiting_count},
        {"arriving", gatekeeper.arriving_count},
        {"leaving", gatekeeper.leaving_count},
        {"wanted", g->wanted},
        {"wanted_ahead", g->wanted_ahead},
        {"admitted", g->admitted},
        {"admitted_ahead", g->admitted_ahead},
        {"failed", g->failed},
        {"evicted_idle", g->evicted_idle},
        {"evicted_timed", g->evicted_timed},
        {"evicted_busy", g->evicted_busy},
        {"kept", g->kept},
        {"refused", g->refused},
        {"waited_us", ns_from_ticks(g->waited_ticks) / NS_PER_US},
        {"waited_longest_us", ns_from_ticks(g->waited_longest) / NS_PER_US},
        {"evictions", r->evictions},
        {"wakes", r->wakes},
        {"wake_reads", r->wake_reads + r->fetches},
        {"one_read_wakes", r->one_read_wakes},
        {"fetches", r->fetches},
        {"fetched_pages", r->fetched_pages},
        {"damaged", r->wakes_damaged},
        {"foreign", r->wakes_foreign},
        {"too_large", r->too_large},
        {"out_of_room", r->out_of_room},
        {"evict_ns", ns_from_ticks(r->evict_ticks)},
        {"wake_ns", ns_from_ticks(r->wake_ticks)},
        {"work_ns", ns_from_ticks(r->work_ticks)},
        {"parked", t.parked},
        {"handed_over", t.handed_over},
        {"dropped_per_vm", t.dropped_vm},
        {"dropped_full", t.dropped_full},
        {"dropped", r->dropped + t.dropped_vm + t.dropped_full},
        {"parked_bytes", t.bytes},
    };
    log_raw("{\"gatekeeper\":{");
    print_json(counts, ARRAY_SIZE(counts));
    log_raw("}}\n");
}

void key_store(void)
{
    struct store_counters c = store_get_counters();
    if (!store_is_open()) {
        log_raw("no store\n");
        return;
    }
    const struct count counts[] = {
        {"takes_records", store_takes_records()},
        {"segments", c.segments},
        {"free_segments", c.free_segments},
        {"live_sectors", c.live_sectors},
        {"capacity_sectors", c.capacity_sectors},
        {"batches", c.batches},
        {"batch_sectors", c.batch_sectors},
        {"records", c.records},
        {"record_sectors", c.record_sectors},
        {"marks", c.marks},
        {"moved", c.moved},
        {"moved_sectors", c.moved_sectors},
        {"cleaned_segments", c.cleaned_segments},
        {"checkpoints", c.checkpoints},
        {"reads", c.reads},
        {"read_sectors", c.read_sectors},
        {"read_errors", c.read_errors},
        {"write_errors", c.write_errors},
        {"refused_full", c.refused_full},
        {"found_records", c.found_records},
        {"replayed_batches", c.replayed_batches},
        {"scanned_segments", c.scanned_segments},
    };
    log_raw("{\"store\":{");
    print_json(counts, ARRAY_SIZE(counts));
    log_raw("}}\n");
}
