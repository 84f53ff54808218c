/* SPDX-License-Identifier: BSD-2-Clause */
// sources: arch/arm64/boot_tree.c core/base/devicetree.c core/base/log.c core/base/fmt.c
// sources: core/base/error.c
/*
 * What EL2 takes from a device tree, and what it makes of bad ones.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arm64/boot_tree.h"
#include "core/base/log.h"
#include "tests/unit/fdt_build.h"

#define TREE_AT 0x48000000ull /* where the tree is said to lie */
#define IMAGE ((struct machine_range){0x40200000, 0x80000})

static struct fdt_build tree;
static struct machine m;
static char said[8192];
static size_t said_bytes;

static void listen(const char *text, size_t n)
{
    assert_true(said_bytes + n < sizeof(said));
    memcpy(said + said_bytes, text, n);
    said_bytes += n;
    said[said_bytes] = '\0';
}

static int setup(void **state)
{
    (void)state;
    log_set_sink(listen);
    said_bytes = 0;
    said[0] = '\0';
    memset(&m, 0, sizeof(m));
    fdt_begin(&tree);
    fdt_cell(&tree, "#address-cells", 2);
    fdt_cell(&tree, "#size-cells", 2);
    return 0;
}

/* "reg" of two cells each. */
static void reg(unsigned count, const uint64_t *numbers)
{
    uint8_t bytes[8 * 128];
    assert_true(count <= 128);
    for (unsigned i = 0; i < count; i++) {
        fdt_put32(bytes + 8 * i, (uint32_t)(numbers[i] >> 32));
        fdt_put32(bytes + 8 * i + 4, (uint32_t)numbers[i]);
    }
    fdt_property(&tree, "reg", bytes, 8 * count);
}

static void memory_of(unsigned count, const uint64_t *numbers)
{
    fdt_node(&tree, "memory");
    fdt_text(&tree, "device_type", "memory");
    reg(count, numbers);
    fdt_node_end(&tree);
}

static void memory(void)
{
    memory_of(2, (const uint64_t[]){0x40000000, 0x10000000});
}

static void begin_reserved(bool ranges)
{
    fdt_node(&tree, "reserved-memory");
    fdt_cell(&tree, "#address-cells", 2);
    fdt_cell(&tree, "#size-cells", 2);
    if (ranges) {
        fdt_property(&tree, "ranges", "", 0);
    }
}

static void region(const char *name, uint64_t base, uint64_t bytes)
{
    fdt_node(&tree, name);
    reg(2, (const uint64_t[]){base, bytes});
    fdt_node_end(&tree);
}

static void initrd(uint32_t start, uint32_t end)
{
    fdt_node(&tree, "chosen");
    fdt_text(&tree, "bootargs", "quiet");
    fdt_cell(&tree, "linux,initrd-start", start);
    fdt_cell(&tree, "linux,initrd-end", end);
    fdt_node_end(&tree);
}

/* Ends the tree, with reservations, and reads it. */
static void read_with(unsigned count, const uint64_t *reservations)
{
    uint32_t at = ALIGN_UP(fdt_end(&tree), 8u);
    uint32_t total = at + 16 * (count + 1);
    assert_true(total <= FDT_BUILD_BYTES);
    memset(tree.blob + at, 0, 16 * (count + 1));
    for (unsigned i = 0; i < 2 * count; i++) {
        fdt_put32(tree.blob + at + 8 * i, (uint32_t)(reservations[i] >> 32));
        fdt_put32(tree.blob + at + 8 * i + 4, (uint32_t)reservations[i]);
    }
    fdt_put32(tree.blob + 4, total);
    fdt_put32(tree.blob + 16, at);
    assert_true(boot_tree_is_sound(tree.blob));
    boot_tree_read(&m, tree.blob, TREE_AT, IMAGE);
}

static void read_tree(void)
{
    read_with(0, NULL);
}

static bool is_used(uint64_t base, uint64_t bytes)
{
    bool is = false;
    for (unsigned i = 0; i < m.used_count; i++) {
        is |= base >= m.used[i].base && base + bytes <= m.used[i].base + m.used[i].bytes;
    }
    return is;
}

static void a_sound_tree_is_read_in_silence(void **state)
{
    (void)state;
    fdt_text(&tree, "model", "a board");
    memory();
    initrd(0x44000000, 0x44001234);
    begin_reserved(true);
    region("a", 0x41000000, 0x1800);
    fdt_node_end(&tree);
    read_with(1, (const uint64_t[]){0x42000000, 1});
    assert_string_equal(said, "");
    assert_string_equal(m.model, "a board");
    assert_string_equal(m.bootargs, "quiet");
    assert_int_equal(m.ram_count, 1);
    assert_int_equal(m.ram[0].base, 0x40000000);
    assert_int_equal(m.ram[0].bytes, 0x10000000);
    assert_int_equal(m.initrd.base, 0x44000000);
    assert_int_equal(m.initrd.bytes, 0x1234);
    assert_true(is_used(0x41000000, 0x2000));
    assert_true(is_used(0x42000000, 0x1000));
    assert_true(is_used(0x44000000, 0x2000));
    assert_true(is_used(TREE_AT, 0x1000));
    assert_true(is_used(IMAGE.base, IMAGE.bytes));
    assert_false(is_used(0x42001000, 1));
}

static void without_memory_there_is_the_tree_and_a_message(void **state)
{
    (void)state;
    read_tree();
    assert_non_null(strstr(said, "error: device tree: no memory"));
    assert_int_equal(m.ram_count, 1);
    assert_int_equal(m.ram[0].base, TREE_AT);
    assert_true(is_used(m.ram[0].base, m.ram[0].bytes));
}

static void memory_of_odd_sizes_is_rounded_inwards(void **state)
{
    (void)state;
    memory_of(4, (const uint64_t[]){0x40000001, 0x10000000, 0x80000fff, 0x1000});
    read_tree();
    assert_int_equal(m.ram_count, 1);
    assert_int_equal(m.ram[0].base, 0x40001000);
    assert_int_equal(m.ram[0].bytes, 0x0ffff000);
}

static void memory_above_what_el2_maps_is_cut_off_and_said(void **state)
{
    (void)state;
    memory_of(6, (const uint64_t[]){0x40000000, 0x10000000, 0x7f00000000, 0x200000000, 1ull << 40,
                                    0x10000000});
    read_tree();
    assert_int_equal(m.ram_count, 2);
    assert_int_equal(m.ram[1].base + m.ram[1].bytes, 1ull << 39);
    assert_non_null(strstr(said, "RAM from 7f00000000 to 8100000000: above 8000000000"));
    assert_non_null(strstr(said, "RAM from 10000000000"));
}

static void ranges_that_overlap_or_touch_are_one(void **state)
{
    (void)state;
    memory_of(8, (const uint64_t[]){0x48000000, 0x8000000, 0x40000000, 0x8000000, 0x41000000,
                                    0x1000000, 0x40000000, 0x100000});
    read_tree();
    assert_int_equal(m.ram_count, 1);
    assert_int_equal(m.ram[0].base, 0x40000000);
    assert_int_equal(m.ram[0].bytes, 0x10000000);
}

static void more_memory_than_there_is_room_for_is_said(void **state)
{
    uint64_t numbers[2 * (MACHINE_RAM_MAX + 2)];
    (void)state;
    for (unsigned i = 0; i < MACHINE_RAM_MAX + 2; i++) {
        numbers[2 * i] = 0x40000000 + 0x20000000ull * i;
        numbers[2 * i + 1] = 0x10000000;
    }
    memory_of(ARRAY_SIZE(numbers), numbers);
    read_tree();
    assert_int_equal(m.ram_count, MACHINE_RAM_MAX);
    assert_non_null(strstr(said, "more than 8 ranges of RAM; 140000000 is not used"));
}

static void reserved_memory_without_ranges_is_respected_and_said(void **state)
{
    (void)state;
    memory();
    begin_reserved(false);
    region("secret", 0x41000000, 0x1000);
    fdt_node_end(&tree);
    read_tree();
    assert_true(is_used(0x41000000, 0x1000));
    assert_non_null(strstr(said, "/reserved-memory/secret: no sound ranges; taken as it stands"));
}

static void unmapped_region(const char *name, uint64_t base, uint64_t bytes)
{
    fdt_node(&tree, name);
    reg(2, (const uint64_t[]){base, bytes});
    fdt_property(&tree, "no-map", "", 0);
    fdt_node_end(&tree);
}

static void assert_ram(unsigned i, uint64_t base, uint64_t end)
{
    assert_int_equal(m.ram[i].base, base);
    assert_int_equal(m.ram[i].base + m.ram[i].bytes, end);
}

/* At the start, in the middle, at the end, and a part of a page. */
static void what_may_not_be_mapped_is_no_ram(void **state)
{
    (void)state;
    memory();
    begin_reserved(true);
    unmapped_region("first", 0x3F000000, 0x1001000);
    unmapped_region("middle", 0x43000000, 0x800);
    unmapped_region("last", 0x4F000000, 0x1000000);
    region("mapped", 0x44000000, 0x1000);
    fdt_node_end(&tree);
    read_tree();
    assert_int_equal(m.ram_count, 2);
    assert_ram(0, 0x40001000, 0x43000000);
    assert_ram(1, 0x43001000, 0x4F000000);
    assert_true(is_used(0x44000000, 0x1000));
}

static void all_of_memory_unmapped_is_none(void **state)
{
    (void)state;
    memory();
    begin_reserved(true);
    unmapped_region("all", 0, 0x100000000);
    fdt_node_end(&tree);
    read_tree();
    for (unsigned i = 0; i < m.ram_count; i++) { /* but for the tree's own pages */
        assert_in_range(m.ram[i].base, TREE_AT & ~PAGE_MASK, TREE_AT);
    }
}

static void reservations_that_overlap_are_joined(void **state)
{
    (void)state;
    memory();
    begin_reserved(true);
    region("a", 0x41000000, 0x3000);
    region("b", 0x41001000, 0x5000);
    region("c", 0x41006000, 0x1000);
    fdt_node_end(&tree);
    read_with(1, (const uint64_t[]){0x41000000, 0x800});
    assert_string_equal(said, "");
    assert_true(is_used(0x41000000, 0x7000));
    assert_int_equal(m.used_count, 3);
}

static void a_reservation_of_everything_else_does_not_wrap(void **state)
{
    (void)state;
    memory();
    read_with(1, (const uint64_t[]){0x4f000000, 0ull - 0x4f000000});
    assert_true(is_used(0x4f000000, 0x1000000));
    assert_false(is_used(0x4effffff, 1));
}

static void a_reservation_where_el2_lies_is_said(void **state)
{
    (void)state;
    memory();
    begin_reserved(true);
    region("a", IMAGE.base + 0x1000, 0x1000);
    fdt_node_end(&tree);
    read_tree();
    assert_non_null(strstr(said, "EL2 lies from 40200000 to 40280000, where something is"));
    assert_true(is_used(IMAGE.base, IMAGE.bytes));
}

static void an_initrd_that_something_overlaps_is_refused(void **state)
{
    (void)state;
    memory();
    initrd(0x44000000, 0x44100000);
    begin_reserved(true);
    region("a", 0x440ff000, 0x1000);
    fdt_node_end(&tree);
    read_tree();
    assert_int_equal(m.initrd.bytes, 0);
    assert_non_null(strstr(said, "44000000 to 44100000, are not free RAM"));
}

static void an_initrd_outside_ram_is_refused(void **state)
{
    (void)state;
    memory();
    initrd(0x4ff00000, 0x50000001);
    read_tree();
    assert_int_equal(m.initrd.bytes, 0);
}

static void an_initrd_that_its_loader_reserved_is_used(void **state)
{
    (void)state;
    memory();
    initrd(0x44000000, 0x44001234);
    read_with(1, (const uint64_t[]){0x44000000, 0x1234});
    assert_int_equal(m.initrd.bytes, 0x1234);
}

static void of_many_reservations_none_is_forgotten(void **state)
{
    uint64_t numbers[2 * 60];
    (void)state;
    memory();
    for (unsigned i = 0; i < 60; i++) {
        numbers[2 * i] = 0x41000000 + 0x10000ull * (i * 37 % 60);
        numbers[2 * i + 1] = 0x1000;
    }
    read_with(60, numbers);
    assert_true(m.used_count <= MACHINE_USED_MAX);
    for (unsigned i = 0; i < 60; i++) {
        assert_true(is_used(numbers[2 * i], 0x1000));
    }
    assert_non_null(strstr(said, "more than 32 reserved ranges"));
}

static void the_page_of_a_spin_table_is_taken(void **state)
{
    (void)state;
    memory();
    fdt_node(&tree, "cpus");
    fdt_node(&tree, "cpu@1");
    fdt_cell(&tree, "cpu-release-addr", 0x400000e0);
    fdt_node_end(&tree);
    fdt_node_end(&tree);
    read_tree();
    assert_true(is_used(0x40000000, 0x1000));
    assert_false(is_used(0x40001000, 1));
}

static void an_overlong_tree_is_not_sound(void **state)
{
    (void)state;
    fdt_end(&tree);
    fdt_put32(tree.blob + 4, (uint32_t)BOOT_TREE_BYTES_MAX);
    assert_true(boot_tree_is_sound(tree.blob));
    fdt_put32(tree.blob + 4, (uint32_t)BOOT_TREE_BYTES_MAX + 1);
    assert_false(boot_tree_is_sound(tree.blob));
}

static void a_tree_whose_parts_are_not_aligned_is_not_sound(void **state)
{
    (void)state;
    fdt_end(&tree);
    assert_true(boot_tree_is_sound(tree.blob));
    fdt_put32(tree.blob + 16, 44);
    assert_false(boot_tree_is_sound(tree.blob));
    fdt_put32(tree.blob + 16, 40);
    fdt_put32(tree.blob + 8, FDT_BUILD_STRUCT_OFFSET + 2);
    assert_false(boot_tree_is_sound(tree.blob));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_sound_tree_is_read_in_silence, setup),
        cmocka_unit_test_setup(without_memory_there_is_the_tree_and_a_message, setup),
        cmocka_unit_test_setup(memory_of_odd_sizes_is_rounded_inwards, setup),
        cmocka_unit_test_setup(memory_above_what_el2_maps_is_cut_off_and_said, setup),
        cmocka_unit_test_setup(ranges_that_overlap_or_touch_are_one, setup),
        cmocka_unit_test_setup(more_memory_than_there_is_room_for_is_said, setup),
        cmocka_unit_test_setup(reserved_memory_without_ranges_is_respected_and_said, setup),
        cmocka_unit_test_setup(what_may_not_be_mapped_is_no_ram, setup),
        cmocka_unit_test_setup(all_of_memory_unmapped_is_none, setup),
        cmocka_unit_test_setup(reservations_that_overlap_are_joined, setup),
        cmocka_unit_test_setup(a_reservation_of_everything_else_does_not_wrap, setup),
        cmocka_unit_test_setup(a_reservation_where_el2_lies_is_said, setup),
        cmocka_unit_test_setup(an_initrd_that_something_overlaps_is_refused, setup),
        cmocka_unit_test_setup(an_initrd_outside_ram_is_refused, setup),
        cmocka_unit_test_setup(an_initrd_that_its_loader_reserved_is_used, setup),
        cmocka_unit_test_setup(of_many_reservations_none_is_forgotten, setup),
        cmocka_unit_test_setup(the_page_of_a_spin_table_is_taken, setup),
        cmocka_unit_test_setup(an_overlong_tree_is_not_sound, setup),
        cmocka_unit_test_setup(a_tree_whose_parts_are_not_aligned_is_not_sound, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
