/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the device tree says of the machine.
 *
 * Runs with MMU and caches off: no atomics, no unaligned accesses. Whatever a tree says, the ranges
 * of RAM come out page-aligned, disjoint and within what EL2 can map, and no range that is taken is
 * forgotten.
 */
#include "arch/arm64/boot_tree.h"

#include <libfdt.h>

#include "core/base/devicetree.h"
#include "core/base/log.h"

/* Entries of one "reg", or of the reservation block, that are looked at. */
#define ENTRIES_MAX 64

#define ADDRESS_LIMIT (1ull << BOOT_ADDRESS_BITS)

typedef void (*add_fn)(struct machine *m, uint64_t base, uint64_t bytes);

/* Its parts are aligned: unaligned accesses fault while the MMU is off. */
bool boot_tree_is_sound(const void *fdt)
{
    return fdt_check_header(fdt) == 0 && fdt_totalsize(fdt) <= BOOT_TREE_BYTES_MAX &&
           IS_ALIGNED(fdt_off_dt_struct(fdt), 4) && IS_ALIGNED(fdt_off_mem_rsvmap(fdt), 8);
}

static uint64_t end_of(const struct machine_range *r)
{
    return r->base + r->bytes;
}

static void sort_ranges(struct machine_range *r, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        struct machine_range x = r[i];
        unsigned j = i;
        for (; j > 0 && r[j - 1].base > x.base; j--) {
            r[j] = r[j - 1];
        }
        r[j] = x;
    }
}

/* Sorts, and joins ranges that overlap or touch. Returns how many are left. */
static unsigned normalise(struct machine_range *r, unsigned n)
{
    sort_ranges(r, n);
    unsigned out = 0;
    for (unsigned i = 0; i < n; i++) {
        if (r[i].bytes == 0) {
            continue;
        }
        if (out && r[i].base <= end_of(&r[out - 1])) {
            r[out - 1].bytes = MAX(end_of(&r[i]), end_of(&r[out - 1])) - r[out - 1].base;
        } else {
            r[out++] = r[i];
        }
    }
    return out;
}

/* Joins the two neighbours that are nearest to each other: a little more is taken than must be. */
static unsigned join_nearest(struct machine_range *r, unsigned n)
{
    unsigned best = 1;
    for (unsigned i = 2; i < n; i++) {
        if (r[i].base - end_of(&r[i - 1]) < r[best].base - end_of(&r[best - 1])) {
            best = i;
        }
    }
    r[best].bytes = end_of(&r[best]) - r[best - 1].base;
    r[best].base = r[best - 1].base;
    return normalise(r, n);
}

static void use(struct machine *m, uint64_t base, uint64_t bytes)
{
    uint64_t start = ALIGN_DOWN(base, PAGE_SIZE);
    uint64_t last = base + bytes - 1; /* a range may end where addresses do, or beyond */
    last = last < base ? ADDRESS_LIMIT - 1 : MIN(last, ADDRESS_LIMIT - 1);
    uint64_t end = ALIGN_DOWN(last, PAGE_SIZE) + PAGE_SIZE;
    if (bytes == 0 || end <= start) {
        return;
    }
    if (m->used_count == MACHINE_USED_MAX) {
        m->used_count = normalise(m->used, m->used_count);
    }
    if (m->used_count == MACHINE_USED_MAX) {
        log_warn("device tree: more than %u reserved ranges: what is between two is lost",
                 MACHINE_USED_MAX);
        m->used_count = join_nearest(m->used, m->used_count);
    }
    m->used[m->used_count++] = (struct machine_range){start, end - start};
}

static void add_ram(struct machine *m, uint64_t base, uint64_t bytes)
{
    uint64_t start = ALIGN_UP(base, PAGE_SIZE);
    uint64_t given_end = base + bytes;
    uint64_t end = ALIGN_DOWN(MIN(given_end, ADDRESS_LIMIT), PAGE_SIZE);
    if (given_end > ADDRESS_LIMIT) {
        log_warn("device tree: RAM from %llx to %llx: above %llx it is not used",
                 (unsigned long long)base, (unsigned long long)given_end, ADDRESS_LIMIT);
    }
    if (start < base || end <= start) {
        return;
    }
    if (m->ram_count == MACHINE_RAM_MAX) {
        m->ram_count = normalise(m->ram, m->ram_count);
    }
    if (m->ram_count == MACHINE_RAM_MAX) {
        log_warn("device tree: more than %u ranges of RAM; %llx is not used", MACHINE_RAM_MAX,
                 (unsigned long long)base);
        return;
    }
    m->ram[m->ram_count++] = (struct machine_range){start, end - start};
}

static void find_ram(struct machine *m, const void *fdt)
{
    uint64_t base, bytes;
    int node = -1;
    while ((node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory", 7)) >= 0) {
        for (unsigned i = 0; i < ENTRIES_MAX && dt_reg(fdt, node, i, &base, &bytes) == OK; i++) {
            add_ram(m, base, bytes);
        }
    }
    if (m->ram_count == 0) {
        log_error("device tree: no memory: no node has device_type \"memory\" and a sound reg");
    }
}

/* The tree is in memory, whatever it says. */
static void use_tree(struct machine *m, uint64_t at, uint64_t bytes)
{
    uint64_t start = ALIGN_DOWN(at, PAGE_SIZE);
    uint64_t end = ALIGN_UP(at + bytes, PAGE_SIZE);
    m->ram_count = normalise(m->ram, m->ram_count);
    bool in_ram = false;
    for (unsigned i = 0; i < m->ram_count; i++) {
        in_ram |= start >= m->ram[i].base && end <= end_of(&m->ram[i]);
    }
    if (!in_ram) {
        log_warn("device tree: it lies at %llx, which it does not call memory",
                 (unsigned long long)start);
        m->ram_count -= m->ram_count == MACHINE_RAM_MAX;
        add_ram(m, start, end - start);
        m->ram_count = normalise(m->ram, m->ram_count);
    }
    use(m, start, end - start);
}

/* Where the boot loader says that the initrd is; bytes 0: there is none. */
static struct machine_range initrd_of(const void *fdt)
{
    int chosen = fdt_path_offset(fdt, "/chosen");
    uint64_t start = chosen < 0 ? 0 : dt_number(fdt, chosen, "linux,initrd-start");
    uint64_t end = chosen < 0 ? 0 : dt_number(fdt, chosen, "linux,initrd-end");
    return (struct machine_range){start, end > start ? end - start : 0};
}

/* U-Boot reserves the initrd as well; that reservation keeps nobody from reading the initrd, and
 * giving it back (Devicetree Specification 0.4, section 5.3). */
static void find_reservations(struct machine *m, const void *fdt)
{
    struct machine_range initrd = initrd_of(fdt);
    int count = fdt_num_mem_rsv(fdt);
    for (int i = 0; i < count; i++) {
        uint64_t base, bytes;
        if (fdt_get_mem_rsv(fdt, i, &base, &bytes) == 0 &&
            (base != initrd.base || bytes != initrd.bytes)) {
            use(m, base, bytes);
        }
    }
}

/* Takes a region out of RAM. One in the middle of a range makes two of it. */
static void cut(struct machine *m, uint64_t base, uint64_t bytes)
{
    uint64_t start = ALIGN_DOWN(base, PAGE_SIZE);
    uint64_t end = ALIGN_UP(base + bytes, PAGE_SIZE);
    m->ram_count = normalise(m->ram, m->ram_count);
    for (unsigned i = 0; i < m->ram_count; i++) {
        struct machine_range was = m->ram[i];
        if (start >= end_of(&was) || end <= was.base) {
            continue;
        }
        m->ram[i].bytes = start > was.base ? start - was.base : 0;
        if (end < end_of(&was)) {
            add_ram(m, end, end_of(&was) - end);
            break; /* it reaches no further range */
        }
    }
    m->ram_count = normalise(m->ram, m->ram_count);
}

/* A region of which the tree does not say rightly where it is from here (without "ranges") is
 * taken where its parent has it: the two are the same where firmware means well. */
static void use_region(struct machine *m, const void *fdt, int node)
{
    for (unsigned i = 0; i < ENTRIES_MAX; i++) {
        uint64_t base, bytes;
        enum err e = dt_reg(fdt, node, i, &base, &bytes);
        if (e == ERR_INVALID) {
            e = dt_reg_on_bus(fdt, node, i, &base, &bytes);
            log_warn("device tree: /reserved-memory/%s: no sound ranges; %s",
                     fdt_get_name(fdt, node, NULL), e == OK ? "taken as it stands" : err_name(e));
        }
        if (e != OK) {
            return;
        }
        use(m, base, bytes);
        if (fdt_getprop(fdt, node, "no-map", NULL)) {
            cut(m, base, bytes); /* not even read ahead (Devicetree Specification 0.4, 3.5.4) */
        }
    }
}

static const char *string_property(const void *fdt, int node, const char *name)
{
    int bytes;
    const char *s = node >= 0 ? fdt_getprop(fdt, node, name, &bytes) : NULL;
    return s && bytes > 0 && s[bytes - 1] == '\0' ? s : "";
}

/* A CPU that waits in a spin table runs what lies around the word that it waits for. */
static void find_spin_tables(struct machine *m, const void *fdt)
{
    int parent = fdt_path_offset(fdt, "/cpus");
    int node;
    if (parent >= 0) {
        fdt_for_each_subnode(node, fdt, parent)
        {
            uint64_t at = dt_number(fdt, node, "cpu-release-addr");
            use(m, at, at ? sizeof(at) : 0);
        }
    }
}

static bool overlaps_used(const struct machine *m, struct machine_range x)
{
    bool overlaps = false;
    for (unsigned i = 0; i < m->used_count; i++) {
        overlaps |= x.base < end_of(&m->used[i]) && m->used[i].base < end_of(&x);
    }
    return overlaps;
}

static void find_reserved(struct machine *m, const void *fdt, struct machine_range image)
{
    find_reservations(m, fdt);
    int parent = fdt_path_offset(fdt, "/reserved-memory");
    int node;
    if (parent >= 0) {
        fdt_for_each_subnode(node, fdt, parent)
        {
            use_region(m, fdt, node);
        }
    }
    find_spin_tables(m, fdt);
    if (overlaps_used(m, image)) {
        log_warn("device tree: EL2 lies from %llx to %llx, where something is reserved",
                 (unsigned long long)image.base, (unsigned long long)end_of(&image));
    }
}

/* The archive's pages are given back once it is read, so they must be RAM, and nobody else's. */
static bool may_hold_initrd(const struct machine *m, struct machine_range x)
{
    bool in_ram = false;
    for (unsigned i = 0; i < m->ram_count; i++) {
        in_ram |= x.base >= m->ram[i].base && end_of(&x) <= end_of(&m->ram[i]);
    }
    if (!in_ram || overlaps_used(m, x)) {
        log_warn("device tree: linux,initrd-start and -end, %llx to %llx, are not free RAM",
                 (unsigned long long)x.base, (unsigned long long)end_of(&x));
        return false;
    }
    return true;
}

void boot_tree_read(struct machine *m, const void *fdt, uint64_t fdt_at, struct machine_range image)
{
    int chosen = fdt_path_offset(fdt, "/chosen");
    struct machine_range initrd = initrd_of(fdt);
    m->fdt = fdt;
    m->bootargs = string_property(fdt, chosen, "bootargs");
    m->model = string_property(fdt, 0, "model");
    find_ram(m, fdt);
    find_reserved(m, fdt, image);
    use(m, image.base, image.bytes);
    use_tree(m, fdt_at, fdt_totalsize(fdt));
    if (initrd.bytes && may_hold_initrd(m, initrd)) {
        m->initrd = initrd;
        use(m, initrd.base, initrd.bytes);
    }
    m->used_count = normalise(m->used, m->used_count);
}
