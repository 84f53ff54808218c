/* SPDX-License-Identifier: BSD-2-Clause */
// sources: core/base/devicetree.c
/*
 * Addresses through buses, and interrupts up to their controllers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/base/devicetree.h"
#include "tests/unit/fdt_build.h"

/* Of libfdt, whose header and fdt_build.h have names in common. */
int fdt_path_offset(const void *fdt, const char *path);

#define LOCAL 1u
#define GPU 2u

static struct fdt_build tree;

static void cells(const char *name, unsigned count, const uint32_t *numbers)
{
    uint8_t bytes[64];
    assert_true(4 * count <= sizeof(bytes));
    for (unsigned i = 0; i < count; i++) {
        fdt_put32(bytes + 4 * i, numbers[i]);
    }
    fdt_property(&tree, name, bytes, 4 * count);
}

#define CELLS(name, ...)                                                                           \
    cells(name, sizeof((uint32_t[]){__VA_ARGS__}) / 4, (const uint32_t[]){__VA_ARGS__})

static void bus(const char *name, uint32_t address, uint32_t size)
{
    if (*name) {
        fdt_node(&tree, name);
    }
    fdt_cell(&tree, "#address-cells", address);
    fdt_cell(&tree, "#size-cells", size);
}

static void controller(const char *name, uint32_t phandle, uint32_t interrupt_cells)
{
    fdt_node(&tree, name);
    fdt_cell(&tree, "phandle", phandle);
    fdt_cell(&tree, "#interrupt-cells", interrupt_cells);
}

/* A board like the Raspberry Pi 3 and 4: two buses, one in the other, and two controllers. */
static int setup(void **state)
{
    (void)state;
    fdt_begin(&tree);
    bus("", 2, 1);
    fdt_cell(&tree, "interrupt-parent", GPU);
    bus("soc", 1, 1);
    CELLS("ranges", 0x7e000000, 0, 0xfe000000, 0x1800000, 0x40000000, 4, 0xff800000, 0x800000);
    controller("intc", GPU, 2);
    fdt_text(&tree, "compatible", "brcm,bcm2835-armctrl-ic");
    fdt_cell(&tree, "interrupt-parent", LOCAL);
    CELLS("interrupts", 8, 4);
    fdt_node_end(&tree);
    controller("local", LOCAL, 1);
    CELLS("reg", 0x40000000, 0x100);
    fdt_node_end(&tree);
    fdt_node(&tree, "serial");
    CELLS("reg", 0x7e201000, 0x200, 0x7f000000, 0x900000, 0x10000000, 4);
    CELLS("interrupts", 2, 25, 1, 29);
    fdt_node_end(&tree);
    bus("inner", 1, 1);
    CELLS("ranges", 0, 0x7e300000, 0x1000);
    fdt_node(&tree, "mmc");
    CELLS("reg", 0x100, 0x100, 0xf80, 0x100);
    fdt_node_end(&tree);
    fdt_node_end(&tree);
    bus("closed", 1, 1);
    fdt_node(&tree, "inside");
    CELLS("reg", 0, 4);
    fdt_cell(&tree, "interrupt-parent", 77);
    CELLS("interrupts", 0);
    fdt_node_end(&tree);
    fdt_node_end(&tree);
    controller("wide", 3, 4);
    fdt_node(&tree, "child");
    CELLS("interrupts", 1, 2, 3, 4);
    fdt_node_end(&tree);
    fdt_node_end(&tree);
    fdt_node_end(&tree);
    fdt_end(&tree);
    return 0;
}

static int at(const char *path)
{
    int node = fdt_path_offset(tree.blob, path);
    assert_true(node >= 0);
    return node;
}

static enum err reg(const char *path, unsigned index, uint64_t *base, uint64_t *bytes)
{
    return dt_reg(tree.blob, at(path), index, base, bytes);
}

static void an_address_goes_through_its_bus(void **state)
{
    uint64_t base, bytes;
    (void)state;
    assert_int_equal(reg("/soc/serial", 0, &base, &bytes), OK);
    assert_int_equal(base, 0xfe201000);
    assert_int_equal(bytes, 0x200);
    assert_int_equal(reg("/soc/local", 0, &base, &bytes), OK);
    assert_int_equal(base, 0x4ff800000);
}

static void an_address_goes_through_two_buses(void **state)
{
    uint64_t base, bytes;
    (void)state;
    assert_int_equal(reg("/soc/inner/mmc", 0, &base, &bytes), OK);
    assert_int_equal(base, 0xfe300100);
}

static void what_no_window_holds_whole_is_refused(void **state)
{
    uint64_t base, bytes;
    (void)state;
    assert_int_equal(reg("/soc/serial", 1, &base, &bytes), ERR_INVALID);
    assert_int_equal(reg("/soc/serial", 2, &base, &bytes), ERR_INVALID);
    assert_int_equal(reg("/soc/inner/mmc", 1, &base, &bytes), ERR_INVALID);
    assert_int_equal(reg("/soc/serial", 3, &base, &bytes), ERR_NOT_FOUND);
    assert_int_equal(reg("/soc/intc", 0, &base, &bytes), ERR_NOT_FOUND);
}

static void a_bus_without_ranges_shows_its_addresses_to_nobody(void **state)
{
    uint64_t base, bytes;
    (void)state;
    int inside = at("/soc/closed/inside");
    assert_int_equal(dt_reg(tree.blob, inside, 0, &base, &bytes), ERR_INVALID);
    assert_int_equal(dt_reg_on_bus(tree.blob, inside, 0, &base, &bytes), OK);
    assert_int_equal(base, 0);
    assert_int_equal(bytes, 4);
}

static void an_interrupt_is_for_the_controller_named_above(void **state)
{
    struct dt_interrupt i;
    (void)state;
    assert_int_equal(dt_interrupt(tree.blob, at("/soc/serial"), 1, &i), OK);
    assert_int_equal(i.controller, at("/soc/intc"));
    assert_int_equal(i.count, 2);
    assert_int_equal(i.cell[0], 1);
    assert_int_equal(i.cell[1], 29);
    assert_int_equal(dt_interrupt(tree.blob, at("/soc/serial"), 2, &i), ERR_INVALID);
}

static void a_controller_has_its_own_parent(void **state)
{
    struct dt_interrupt i;
    (void)state;
    assert_int_equal(dt_interrupt(tree.blob, at("/soc/intc"), 0, &i), OK);
    assert_int_equal(i.controller, at("/soc/local"));
    assert_int_equal(i.count, 1);
    assert_int_equal(i.cell[0], 8);
    assert_int_equal(dt_interrupt(tree.blob, at("/soc/intc"), 1, &i), OK); /* one cell each */
}

static void what_no_controller_can_read_is_refused(void **state)
{
    struct dt_interrupt i;
    (void)state;
    assert_int_equal(dt_interrupt(tree.blob, at("/soc/local"), 0, &i), ERR_NOT_FOUND);
    assert_int_equal(dt_interrupt(tree.blob, at("/soc/closed/inside"), 0, &i), ERR_INVALID);
    assert_int_equal(dt_interrupt(tree.blob, at("/soc/wide/child"), 0, &i), ERR_INVALID);
    assert_int_equal(dt_interrupt_parent(tree.blob, at("/soc/wide/child")), at("/soc/wide"));
}

static void a_node_has_a_name_for_messages(void **state)
{
    (void)state;
    assert_string_equal(dt_name(tree.blob, at("/soc/intc")), "brcm,bcm2835-armctrl-ic");
    assert_string_equal(dt_name(tree.blob, at("/soc/local")), "local");
    assert_string_equal(dt_name(tree.blob, -1), "?");
}

/* Deeper than any device is: refused, not followed. */
static void depth_has_a_limit(void **state)
{
    uint64_t base, bytes;
    char path[64] = "";
    (void)state;
    fdt_begin(&tree);
    bus("", 1, 1);
    for (unsigned i = 0; i < 10; i++) {
        bus("b", 1, 1);
        fdt_property(&tree, "ranges", "", 0);
        strcat(path, "/b");
    }
    CELLS("reg", 0, 4);
    for (unsigned i = 0; i < 10; i++) {
        fdt_node_end(&tree);
    }
    fdt_end(&tree);
    assert_int_equal(reg(path, 0, &base, &bytes), ERR_INVALID);
    path[8] = '\0';
    assert_int_equal(reg(path, 0, &base, &bytes), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_address_goes_through_its_bus, setup),
        cmocka_unit_test_setup(an_address_goes_through_two_buses, setup),
        cmocka_unit_test_setup(what_no_window_holds_whole_is_refused, setup),
        cmocka_unit_test_setup(a_bus_without_ranges_shows_its_addresses_to_nobody, setup),
        cmocka_unit_test_setup(an_interrupt_is_for_the_controller_named_above, setup),
        cmocka_unit_test_setup(a_controller_has_its_own_parent, setup),
        cmocka_unit_test_setup(what_no_controller_can_read_is_refused, setup),
        cmocka_unit_test_setup(a_node_has_a_name_for_messages, setup),
        cmocka_unit_test(depth_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
