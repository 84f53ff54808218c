/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Footprint. Of every group the least, the median and the most of each measure over its live VMs;
 * of the machine, its frames by what they are for, which add up to its RAM.
 *
 * The median needs no memory: the value is found by bisection, counting the VMs below it.
 */
#include "core/footprint.h"
#include "core/base/log.h"
#include "core/group.h"
#include "mm/frame.h"

#define ULL(x) ((unsigned long long)(x))

enum { SCRATCH_PSS };

enum measure { USS, PSS, RSS, STAGE2, DESCRIPTOR, MEASURES };
static const char *const measure_names[MEASURES] = {"uss", "pss", "rss", "stage2", "descriptor"};

struct spread {
    uint64_t min, median, max, sum;
};

static uint64_t value(const struct vm *vm, enum measure m)
{
    switch (m) {
    case USS:
        return vm->space.private_pages * PAGE_SIZE;
    case PSS:
        return vm->scratch[SCRATCH_PSS];
    case RSS:
        return (vm->space.private_pages + vm->space.shared_pages) * PAGE_SIZE;
    case STAGE2:
        return vm->space.private_tables * PAGE_SIZE;
    default:
        return vm_descriptor_bytes(vm);
    }
}

/* The next live VM of the group from VM number `*n` on, or NULL; advances `*n` past it. */
static struct vm *next_live(const struct group *g, uint32_t *n)
{
    uint32_t end = g->config->first_vm + g->config->count + g->config->reserve;
    while (*n < end) {
        struct stub *s = vm_find((*n)++);
        if (s && vm_of(s)) {
            return s->vm;
        }
    }
    return NULL;
}

#define for_each_live(vm, g)                                                                       \
    struct vm *vm;                                                                                 \
    for (uint32_t n_ = (g)->config->first_vm; (vm = next_live((g), &n_));)

static void measure_pss(const struct group *g)
{
    for_each_live(vm, g)
    {
        vm->scratch[SCRATCH_PSS] = (uint32_t)space_pss_bytes(&vm->space);
    }
}

static uint32_t count_at_most(const struct group *g, enum measure m, uint64_t limit)
{
    uint32_t count = 0;
    for_each_live(vm, g)
    {
        count += value(vm, m) <= limit;
    }
    return count;
}

/* The lower median: the least value that at least half of the VMs do not exceed. */
static uint64_t median(const struct group *g, enum measure m, uint64_t min, uint64_t max)
{
    while (min < max) {
        uint64_t middle = min + (max - min) / 2;
        if (count_at_most(g, m, middle) >= (g->live + 1) / 2) {
            max = middle;
        } else {
            min = middle + 1;
        }
    }
    return min;
}

static struct spread spread_of(const struct group *g, enum measure m)
{
    struct spread s = {.min = g->live ? UINT64_MAX : 0};
    for_each_live(vm, g)
    {
        uint64_t v = value(vm, m);
        s.min = MIN(s.min, v);
        s.max = MAX(s.max, v);
        s.sum += v;
    }
    s.median = median(g, m, s.min, s.max);
    return s;
}

static uint64_t bytes_of(enum frame_kind kind)
{
    return frame_count(kind) * PAGE_SIZE;
}

static void print_groups_text(void)
{
    log_raw("%-16s %8s %-10s %12s %12s %12s %14s\n", "image", "count", "bytes", "min", "median",
            "max", "sum");
    for (unsigned i = 0; i < group_count; i++) {
        const struct group *g = group_find(i);
        if (!g) {
            continue;
        }
        measure_pss(g);
        for (unsigned m = 0; m < MEASURES; m++) {
            struct spread s = spread_of(g, (enum measure)m);
            log_raw("%-16s %8u %-10s %12llu %12llu %12llu %14llu\n", g->config->name, g->live,
                    measure_names[m], ULL(s.min), ULL(s.median), ULL(s.max), ULL(s.sum));
        }
    }
}

static void print_groups_json(void)
{
    log_raw("{\"images\":{");
    for (unsigned i = 0; i < group_count; i++) {
        const struct group *g = group_find(i);
        if (!g) {
            continue;
        }
        log_raw("%s\"%s\":{\"count\":%u", i ? "," : "", g->config->name, g->live);
        for (unsigned m = 0; m < MEASURES; m++) {
            struct spread s = spread_of(g, (enum measure)m);
            log_raw(",\"%s_bytes\":{\"min\":%llu,\"median\":%llu,\"max\":%llu,\"sum\":%llu}",
                    measure_names[m], ULL(s.min), ULL(s.median), ULL(s.max), ULL(s.sum));
        }
        log_raw("}");
    }
    log_raw("}");
}

static const struct {
    const char *name;
    enum frame_kind kind;
} parts[] = {
    {"el2", FRAME_EL2},         {"stubs", FRAME_STUB},    {"shared", FRAME_SHARED},
    {"private", FRAME_PRIVATE}, {"stage2", FRAME_STAGE2}, {"descriptors", FRAME_DESCRIPTOR},
    {"free", FRAME_FREE},
};

static void print_machine(bool json)
{
    uint64_t ram = frame_total() * PAGE_SIZE;
    log_raw(json ? ",\"machine\":{\"ram_bytes\":%llu" : "machine: %llu bytes of RAM\n", ULL(ram));
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        log_raw(json ? ",\"%s_bytes\":%llu" : "%12s %14llu\n", parts[i].name,
                ULL(bytes_of(parts[i].kind)));
    }
    if (json) {
        log_raw("}}\n");
    }
}

void footprint_print(void)
{
    print_groups_text();
    print_machine(false);
    print_groups_json();
    print_machine(true);
}
