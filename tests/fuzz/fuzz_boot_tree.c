/* SPDX-License-Identifier: BSD-2-Clause */
// sources: arch/arm64/boot_tree.c core/base/devicetree.c core/base/log.c core/base/fmt.c
// sources: core/base/error.c
/*
 * Any bytes as the machine's device tree: what EL2 takes for RAM and for taken can be used, and no
 * question about a node reads outside the tree.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "arch/arm64/boot_tree.h"
#include "core/base/devicetree.h"
#include "core/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define TREE_AT 0x48000000ull
#define NODES_MAX 64

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_text(const char *text, size_t n)
{
    must(memchr(text, '\0', n) == NULL);
}

static void check_ranges(const struct machine_range *r, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        must(r[i].bytes > 0 && (r[i].base | r[i].bytes) % PAGE_SIZE == 0);
        must(r[i].base + r[i].bytes <= 1ull << BOOT_ADDRESS_BITS);
        must(i == 0 || r[i - 1].base + r[i - 1].bytes < r[i].base);
    }
}

static bool holds(const struct machine_range *r, unsigned count, uint64_t base, uint64_t end)
{
    bool found = false;
    for (unsigned i = 0; i < count; i++) {
        found |= base >= r[i].base && end <= r[i].base + r[i].bytes;
    }
    return found;
}

static void check_machine(const struct machine *m, struct machine_range image)
{
    must(m->ram_count >= 1 && m->ram_count <= MACHINE_RAM_MAX);
    must(m->used_count >= 1 && m->used_count <= MACHINE_USED_MAX);
    check_ranges(m->ram, m->ram_count);
    check_ranges(m->used, m->used_count);
    must(holds(m->ram, m->ram_count, TREE_AT, TREE_AT + fdt_totalsize(m->fdt)));
    must(holds(m->used, m->used_count, TREE_AT, TREE_AT + fdt_totalsize(m->fdt)));
    must(holds(m->used, m->used_count, image.base, image.base + image.bytes));
    uint64_t end = m->initrd.base + m->initrd.bytes;
    must(m->initrd.bytes == 0 || holds(m->ram, m->ram_count, m->initrd.base, end));
    must(strlen(m->bootargs) + strlen(m->model) < fdt_totalsize(m->fdt));
}

static void ask_about(const void *fdt, int node)
{
    uint64_t base, bytes;
    struct dt_interrupt i;
    for (unsigned index = 0; index < 3; index++) {
        if (dt_reg(fdt, node, index, &base, &bytes) == OK) {
            must(base + bytes >= base);
        }
        if (dt_interrupt(fdt, node, index, &i) == OK) {
            must(i.controller >= 0 && i.count >= 1 && i.count <= DT_INTERRUPT_CELLS);
        }
    }
    must(strlen(dt_name(fdt, node)) < fdt_totalsize(fdt));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const struct machine_range image = {0x40200000, 0x80000};
    uint8_t *tree = aligned_alloc(8, ALIGN_UP(n, (size_t)8)); /* as long as the input, for ASan */
    if (n < sizeof(struct fdt_header) || !tree) {
        free(tree);
        return 0;
    }
    memcpy(tree, bytes, n);
    if (boot_tree_is_sound(tree) && fdt_totalsize(tree) <= n) {
        struct machine m = {0};
        log_set_sink(check_text);
        boot_tree_read(&m, tree, TREE_AT, image);
        check_machine(&m, image);
        int node = 0;
        for (unsigned i = 0; i < NODES_MAX && node >= 0; i++) {
            ask_about(tree, node);
            node = fdt_next_node(tree, node, NULL);
        }
    }
    free(tree);
    return 0;
}
