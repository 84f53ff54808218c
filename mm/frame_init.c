/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame table's start-up: what is RAM, what is used, where the table goes, what is free.
 */
#include "arch/cpu.h"
#include "arch/memory.h"
#include "core/base/string.h"
#include "mm/buddy.h"

static struct frame_cache caches[CPUS_MAX];

static enum err check_ram(const struct frame_range *ram, unsigned count)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t bytes = ram[i].bytes;
        if (!IS_ALIGNED(ram[i].base.v | bytes, PAGE_SIZE) || bytes == 0 || ram[i].base.v < end ||
            ram[i].base.v + bytes < bytes) {
            return ERR_INVALID;
        }
        end = ram[i].base.v + bytes;
    }
    return count > 0 && (end - ram[0].base.v) >> PAGE_SHIFT < NO_FRAME / 2 ? OK : ERR_INVALID;
}

/* The end of a used range that touches [at, at + bytes), or 0. */
static uint64_t used_end(const struct frame_range *used, unsigned count, uint64_t at,
                         uint64_t bytes)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t end = frame_range_end(used[i]);
        if (used[i].bytes > 0 && used[i].base.v < at + bytes && at < end) {
            return end;
        }
    }
    return 0;
}

/* A place of `bytes` in RAM that nothing uses. */
static enum err find_place(const struct frame_range *ram, unsigned ram_count,
                           const struct frame_range *used, unsigned used_count, uint64_t bytes,
                           pa_t *out)
{
    for (unsigned i = 0; i < ram_count; i++) {
        uint64_t at = ram[i].base.v == 0 ? PAGE_SIZE : ram[i].base.v;
        uint64_t end = ram[i].base.v + ram[i].bytes;
        while (at < end && end - at >= bytes) {
            uint64_t next = used_end(used, used_count, at, bytes);
            if (next == 0) {
                *out = PA(at);
                return OK;
            }
            at = ALIGN_UP(MIN(next, end), PAGE_SIZE);
        }
    }
    return ERR_NO_MEMORY;
}

/* Marks the RAM among the pages that `range` touches as EL2's; refuses nothing. */
static void mark_used(struct frame_range range)
{
    uint64_t at, end;
    frame_clip(range, &at, &end);
    for (at = ALIGN_DOWN(at, PAGE_SIZE); at < end; at += PAGE_SIZE) {
        uint32_t i = frame_index(PA(at));
        if (use_get(i) == use_of(FRAME_FREE, 0)) {
            entry_set(i, 1, use_of(FRAME_EL2, FRAME_OWNER_NONE));
            count_add(frame_map.caches[cpu_index()], FRAME_EL2, 1);
        }
    }
}

static void list_free(void)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < frame_map.count; i++) {
        if (use_get(i) != use_of(FRAME_FREE, 0)) {
            buddy_give_run(first, i);
            first = i + 1;
        }
    }
    buddy_give_run(first, frame_map.count);
}

static void table_init(const struct frame_range *ram, unsigned ram_count)
{
    for (uint32_t i = 0; i < frame_map.count; i++) {
        entry_set(i, 0, use_of(KIND_HOLE, 0));
    }
    for (unsigned r = 0; r < ram_count; r++) {
        uint32_t first = (uint32_t)((ram[r].base.v - frame_map.base) >> PAGE_SHIFT);
        uint32_t n = (uint32_t)(ram[r].bytes >> PAGE_SHIFT);
        for (uint32_t i = first; i < first + n; i++) {
            use_set(i, use_of(FRAME_FREE, 0));
        }
        frame_map.total += n;
    }
}

enum err frame_init(const struct frame_range *ram, unsigned ram_count,
                    const struct frame_range *used, unsigned used_count)
{
    enum err e = check_ram(ram, ram_count);
    if (e != OK) {
        return e;
    }
    uint64_t first = ALIGN_DOWN(ram[0].base.v, PAGE_SIZE << FRAME_ORDER_MAX);
    uint64_t end = ram[ram_count - 1].base.v + ram[ram_count - 1].bytes;
    uint32_t n = (uint32_t)((end - first) >> PAGE_SHIFT);
    struct frame_range place = {.bytes = ALIGN_UP(n * sizeof(struct frame), PAGE_SIZE)};
    e = find_place(ram, ram_count, used, used_count, place.bytes, &place.base);
    if (e != OK) {
        return e;
    }
    memset(caches, 0, sizeof(caches));
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        frame_map.caches[cpu] = &caches[cpu];
    }
    buddy_init();
    frame_map.base = first;
    frame_map.count = n;
    frame_map.total = 0;
    frame_map.table = arch_ptr(place.base);
    table_init(ram, ram_count);
    mark_used(place);
    mark_used((struct frame_range){PA(0), PAGE_SIZE}); /* NULL stays nobody's, should it be RAM */
    for (unsigned i = 0; i < used_count; i++) {
        mark_used(used[i]);
    }
    list_free();
    return OK;
}
