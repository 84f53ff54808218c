/* SPDX-License-Identifier: BSD-2-Clause */
// sources: core/deployment.c core/deployment_node.c core/deployment_group.c core/base/fmt.c
// sources: core/deployment_check.c
/*
 * The deployment: what a sound one means, and what is said of each unsound one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/deployment.h"
#include "sched/mux.h"
#include "tests/unit/fdt_build.h"

static struct fdt_build tree;
static struct deployment result;
static char said[4096];
static unsigned lines;

static void remember(const char *text)
{
    size_t used = strlen(said);

    snprintf(said + used, sizeof(said) - used, "%s\n", text);
    lines++;
}

/* Parses what was built, from a copy that is no longer than it and only aligned to 4 bytes. */
static enum err parse(uint32_t bytes)
{
    uint8_t *copy = malloc(bytes + 4u);

    memcpy(copy + 4, tree.blob, bytes);
    said[0] = '\0';
    lines = 0;
    enum err e = deployment_parse(copy + 4, bytes, &result, remember);
    free(copy);
    return e;
}

static void begin(void)
{
    fdt_begin(&tree);
    fdt_text(&tree, "compatible", "toklat,deployment-v1");
}

static void begin_group(const char *name)
{
    fdt_node(&tree, name);
    fdt_text(&tree, "compatible", "toklat,group");
    fdt_text(&tree, "image", "some.elf");
    fdt_text(&tree, "network", "internal");
}

static void add_group(const char *name, uint32_t count)
{
    begin_group(name);
    fdt_cell(&tree, "instances", count);
    fdt_node_end(&tree);
}

/* One sound group, then what `add` writes into a group named "bad", then another sound one. The
 * bad one must be refused with a line that holds each of `texts`, and the others must stay. */
static void refuses(void (*add)(void), const char *const texts[])
{
    begin();
    add_group("one", 2);
    begin_group("bad");
    add();
    fdt_node_end(&tree);
    add_group("two", 3);
    assert_int_equal(parse(fdt_end(&tree)), OK);
    assert_int_equal(result.group_count, 2);
    assert_int_equal(result.vm_count, 5);
    assert_string_equal(result.groups[1].name, "two");
    assert_int_equal(result.groups[1].first_vm, 3);
    assert_non_null(strstr(said, "bad: "));
    for (; *texts; texts++) {
        if (!strstr(said, *texts)) {
            fail_msg("no \"%s\" in: %s", *texts, said);
        }
    }
}

#define REFUSES(add, ...) refuses(add, (const char *const[]){__VA_ARGS__, NULL})

static void full_deployment(void **state)
{
    (void)state;
    begin();
    fdt_node(&tree, "portal");
    fdt_text(&tree, "compatible", "toklat,group");
    fdt_text(&tree, "image", "portal.elf");
    fdt_text(&tree, "network", "uplink");
    fdt_text(&tree, "start", "boot");
    fdt_text(&tree, "recovery", "restart");
    fdt_text(&tree, "args", "port=80");
    fdt_cell(&tree, "memory", 1 << 20);
    fdt_cell(&tree, "weight", 1024);
    fdt_cell(&tree, "peers", 7);
    fdt_node_end(&tree);
    begin_group("web");
    fdt_cell(&tree, "instances", 1000);
    fdt_cell(&tree, "reserve", 24);
    fdt_cell(&tree, "phandle", 7);
    fdt_node_end(&tree);
    assert_int_equal(parse(fdt_end(&tree)), OK);
    assert_string_equal(said, "");
    assert_int_equal(result.group_count, 2);
    assert_int_equal(result.vm_count, 1025);
    const struct deployment_group *portal = &result.groups[0], *web = &result.groups[1];
    assert_string_equal(portal->name, "portal");
    assert_string_equal(portal->image, "portal.elf");
    assert_string_equal(portal->args, "port=80");
    assert_int_equal(portal->first_vm, 1);
    assert_int_equal(portal->count, 1);
    assert_int_equal(portal->reach, NIC_UPLINK);
    assert_true(portal->start_at_boot);
    assert_true(portal->restart);
    assert_false(portal->supervisor);
    assert_int_equal(portal->memory_bytes, 1 << 20);
    assert_int_equal(portal->weight, 1024);
    assert_int_equal(portal->peer_count, 1);
    assert_int_equal(portal->peers[0], 1);
    assert_int_equal(web->first_vm, 2);
    assert_int_equal(web->count, 1000);
    assert_int_equal(web->reserve, 24);
    assert_int_equal(web->memory_bytes, 0);
    assert_int_equal(web->weight, SCHED_WEIGHT_NORMAL);
    assert_int_equal(web->reach, NIC_INTERNAL);
    assert_false(web->start_at_boot);
    assert_false(web->restart);
}

static void network_defaults(void **state)
{
    (void)state;
    begin();
    add_group("one", 1);
    assert_int_equal(parse(fdt_end(&tree)), OK);
    assert_int_equal(result.network.base, 0x0A400000);
    assert_int_equal(result.network.netmask, 0xFF000000);
    assert_int_equal(result.network.gateway, 0x0A000002);
    assert_int_equal(result.network.address, 0x0A000001);
}

static void begin_network(const char *base, uint32_t prefix, const char *gateway,
                          const char *address)
{
    begin();
    fdt_node(&tree, "network");
    fdt_text(&tree, "base", base);
    fdt_cell(&tree, "prefix", prefix);
    fdt_text(&tree, "gateway", gateway);
    fdt_text(&tree, "address", address);
    fdt_node_end(&tree);
}

static void network_as_said(void **state)
{
    (void)state;
    begin_network("192.168.7.0", 24, "192.168.7.254", "192.168.7.253");
    add_group("one", 200);
    assert_int_equal(parse(fdt_end(&tree)), OK);
    assert_string_equal(said, "");
    assert_int_equal(result.network.base, 0xC0A80700);
    assert_int_equal(result.network.netmask, 0xFFFFFF00);
    assert_int_equal(result.network.gateway, 0xC0A807FE);
    assert_int_equal(result.network.address, 0xC0A807FD);
    assert_int_equal(result.vm_count, 200);
}

static void bad_network_leaves_the_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *base;
        uint32_t prefix;
        const char *gateway, *address, *says;
    } bad[] = {
        {"10.64.0", 8, "10.0.0.2", "10.0.0.1", "base: \"10.64.0\""},
        {"10.64.0.256", 8, "10.0.0.2", "10.0.0.1", "base"},
        {"10.64.0.0 ", 8, "10.0.0.2", "10.0.0.1", "base"},
        {"10.64.0.0", 0, "10.0.0.2", "10.0.0.1", "prefix: 0: from 1 to 30"},
        {"10.64.0.0", 31, "10.0.0.2", "10.0.0.1", "prefix: 31: from 1 to 30"},
        {"10.64.0.0", 16, "10.0.0.2", "10.64.0.1", "gateway"},
        {"10.64.0.0", 8, "10.0.0.2", "10.0.0.0", "address"},
        {"10.64.0.0", 8, "10.0.0.2", "10.255.255.255", "address"},
        {"10.64.0.0", 8, "10.0.0.1", "10.0.0.1", "gateway"},
        {"10.64.0.0.0.0.0.0", 8, "10.0.0.2", "10.0.0.1", "17 characters: at most 15"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin_network(bad[i].base, bad[i].prefix, bad[i].gateway, bad[i].address);
        add_group("one", 1);
        assert_int_equal(parse(fdt_end(&tree)), OK);
        assert_non_null(strstr(said, bad[i].says));
        assert_int_equal(result.network.base, 0x0A400000);
        assert_int_equal(result.network.netmask, 0xFF000000);
        assert_int_equal(result.group_count, 1);
    }
}

static void addresses_must_be_free(void **state)
{
    (void)state;
    begin_network("192.168.7.0", 24, "192.168.7.50", "192.168.7.200");
    add_group("low", 49);
    add_group("gateway", 1);
    add_group("switch", 151);
    add_group("past", 206);
    add_group("long", 500);
    assert_int_equal(parse(fdt_end(&tree)), OK);
    assert_int_equal(result.group_count, 1);
    assert_int_equal(lines, 4);
    assert_non_null(strstr(said, "past: instances: address of VM 255 is past"));
    assert_non_null(strstr(said, "limit VM 254"));
    assert_non_null(strstr(said, "gateway: instances: addresses of VMs 50 to 50 meet"));
}

/* ---- groups that are refused ------------------------------------------------------------- */

static void typo(void)
{
    fdt_cell(&tree, "instance", 4);
}

static void child(void)
{
    fdt_node(&tree, "inner");
    fdt_node_end(&tree);
}

static void none_at_all(void)
{
    fdt_cell(&tree, "instances", 0);
}

static void too_many(void)
{
    fdt_cell(&tree, "instances", DEPLOYMENT_VMS_MAX + 1);
}

static void too_many_in_sum(void)
{
    fdt_cell(&tree, "instances", DEPLOYMENT_VMS_MAX - 2);
    fdt_cell(&tree, "reserve", 1);
}

static void two_cells(void)
{
    fdt_property(&tree, "instances", "\0\0\0\1\0\0\0\1", 8);
}

static void odd_memory(void)
{
    fdt_cell(&tree, "memory", 1000000);
}

static void much_memory(void)
{
    fdt_cell(&tree, "memory", TOKLAT_MEMORY_MAX + TOKLAT_PAGE_BYTES);
}

static void no_weight(void)
{
    fdt_cell(&tree, "weight", 0);
}

static void much_weight(void)
{
    fdt_cell(&tree, "weight", 65536);
}

static void unknown_start(void)
{
    fdt_text(&tree, "start", "later");
}

static void unknown_recovery(void)
{
    fdt_text(&tree, "recovery", "boot");
}

static void control_characters(void)
{
    fdt_text(&tree, "args", "a\nb");
}

static void two_strings(void)
{
    fdt_property(&tree, "args", "a\0b", 4);
}

static void open_string(void)
{
    fdt_property(&tree, "args", "abcd", 4);
}

static void empty_string(void)
{
    fdt_property(&tree, "args", "", 0);
}

static void long_args(void)
{
    char text[TOKLAT_ARGS_BYTES + 1];

    memset(text, 'x', sizeof(text));
    text[TOKLAT_ARGS_BYTES] = '\0';
    fdt_text(&tree, "args", text);
}

static void many_peers(void)
{
    static const uint8_t cells[4 * (TOKLAT_PEERS_MAX + 1)];

    fdt_property(&tree, "peers", cells, sizeof(cells));
}

static void odd_peers(void)
{
    fdt_property(&tree, "peers", "abcdef", 6);
}

static void supervisor_with_value(void)
{
    fdt_cell(&tree, "supervisor", 1);
}

static void two_supervisors(void)
{
    fdt_cell(&tree, "instances", 2);
    fdt_property(&tree, "supervisor", "", 0);
}

static void unsound_groups(void **state)
{
    (void)state;
    REFUSES(typo, "instance: ", "unknown property");
    REFUSES(child, "inner: ", "limit 0");
    REFUSES(none_at_all, "instances: 0", "at least 1");
    REFUSES(unknown_recovery, "recovery: \"boot\"", "\"resume\", \"restart\"");
    REFUSES(too_many, "instances: 1048577", "to 1048576");
    REFUSES(too_many_in_sum, "instances: ", "1048577", "at most 1048576");
    REFUSES(two_cells, "instances: 8 bytes", "4");
    REFUSES(odd_memory, "memory: 1000000", "multiple of 4096");
    REFUSES(much_memory, "memory: 33558528", "to 33554432");
    REFUSES(no_weight, "weight: 0", "from 1 to 65535");
    REFUSES(much_weight, "weight: 65536", "from 1 to 65535");
    REFUSES(unknown_start, "start: \"later\"", "\"demand\", \"boot\"");
    REFUSES(control_characters, "args: \"a?b\"", "printable");
    REFUSES(two_strings, "args: 4 bytes", "one string");
    REFUSES(open_string, "args: 4 bytes", "one string");
    REFUSES(empty_string, "args: 0 bytes", "one string");
    REFUSES(long_args, "args: 256 characters", "at most 255");
    REFUSES(many_peers, "peers: 36 bytes", "up to 8");
    REFUSES(odd_peers, "peers: 6 bytes", "up to 8");
    REFUSES(supervisor_with_value, "supervisor: 4 bytes", "0");
    REFUSES(two_supervisors, "supervisor: 2 instances", "exactly 1");
}

static void names_and_images(void **state)
{
    (void)state;
    begin();
    add_group("a-name-of-24-characters-", 1);
    add_group("tab\tname", 1);
    add_group("twice", 1);
    add_group("twice", 1);
    fdt_node(&tree, "imageless");
    fdt_text(&tree, "compatible", "toklat,group");
    fdt_node_end(&tree);
    fdt_node(&tree, "stranger");
    fdt_node_end(&tree);
    assert_int_equal(parse(fdt_end(&tree)), OK);
    assert_int_equal(result.group_count, 1);
    assert_int_equal(lines, 5);
    assert_non_null(strstr(said, "name: 24 characters: from 1 to 23"));
    assert_non_null(strstr(said, "tab?name"));
    assert_non_null(strstr(said, "twice: name: \"twice\": a group of this name exists"));
    assert_non_null(strstr(said, "imageless: image: "));
    assert_non_null(strstr(said, "stranger: compatible: "));
}

static void one_supervisor_only(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 2; i++) {
        begin_group(i == 0 ? "chief" : "second");
        fdt_property(&tree, "supervisor", "", 0);
        fdt_node_end(&tree);
    }
    assert_int_equal(parse(fdt_end(&tree)), OK);
    assert_int_equal(result.group_count, 1);
    assert_true(result.groups[0].supervisor);
    assert_non_null(strstr(said, "second: supervisor: group chief"));
}

static void as_many_groups_as_fit(void **state)
{
    (void)state;
    char name[16];

    begin();
    for (int i = 0; i <= DEPLOYMENT_GROUPS_MAX; i++) {
        snprintf(name, sizeof(name), "g%d", i);
        add_group(name, 1);
    }
    assert_int_equal(parse(fdt_end(&tree)), OK);
    assert_int_equal(result.group_count, DEPLOYMENT_GROUPS_MAX);
    assert_non_null(strstr(said, "group 33: at most 32"));
}

static uint32_t with_spare(uint32_t spare, uint32_t count)
{
    begin();
    fdt_cell(&tree, "spare", spare);
    add_group("one", count);
    return parse(fdt_end(&tree));
}

/* Behind all groups; refused by itself when it does not fit. */
static void spare_numbers(void **state)
{
    (void)state;
    assert_int_equal(with_spare(7, 5), OK);
    assert_int_equal(lines, 0);
    assert_int_equal(result.spare, 7);
    assert_int_equal(result.vm_count, 12);
    assert_int_equal(result.groups[0].first_vm, 1);
    assert_int_equal(with_spare(0, 5), OK);
    assert_int_equal(result.vm_count, 5);
    assert_int_equal(with_spare(DEPLOYMENT_VMS_MAX - 5, 5), OK);
    assert_int_equal(lines, 0);
    assert_int_equal(result.vm_count, DEPLOYMENT_VMS_MAX);
    assert_int_equal(with_spare(DEPLOYMENT_VMS_MAX - 4, 5), OK);
    assert_string_equal(said, "/: spare: 1048572: from 0 to 1048571\n");
    assert_int_equal(result.spare, 0);
    assert_int_equal(result.vm_count, 5);
    assert_int_equal(result.group_count, 1);
    assert_int_equal(with_spare(UINT32_MAX, 5), OK);
    assert_int_equal(lines, 1);
}

static void spare_addresses_must_be_free(void **state)
{
    (void)state;
    begin();
    fdt_cell(&tree, "spare", 300);
    fdt_node(&tree, "network");
    fdt_text(&tree, "base", "10.1.0.0");
    fdt_text(&tree, "gateway", "10.1.0.200");
    fdt_text(&tree, "address", "10.0.0.1");
    fdt_node_end(&tree);
    add_group("one", 100);
    assert_int_equal(parse(fdt_end(&tree)), OK);
    assert_non_null(strstr(said, "/: spare: addresses of VMs 101 to 400 meet gateway"));
    assert_int_equal(result.spare, 0);
    assert_int_equal(result.vm_count, 100);
}

/* A peer that was refused, or is nothing, is left out; the group that names it stays. */
static void missing_peers(void **state)
{
    (void)state;
    static const uint8_t cells[] = {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0};

    begin();
    begin_group("asks");
    fdt_property(&tree, "peers", cells, sizeof(cells));
    fdt_node_end(&tree);
    begin_group("refused");
    fdt_cell(&tree, "phandle", 1);
    fdt_cell(&tree, "instances", 0);
    fdt_node_end(&tree);
    begin_group("kept");
    fdt_cell(&tree, "phandle", 2);
    fdt_node_end(&tree);
    assert_int_equal(parse(fdt_end(&tree)), OK);
    assert_int_equal(result.group_count, 2);
    assert_int_equal(result.groups[0].peer_count, 1);
    assert_int_equal(result.groups[0].peers[0], 1);
    assert_non_null(strstr(said, "asks: peers: phandle 1"));
    assert_non_null(strstr(said, "asks: peers: phandle 3"));
    assert_non_null(strstr(said, "asks: peers: phandle 0"));
}

static void nobody_would_start_it(void **state)
{
    (void)state;
    begin();
    fdt_node(&tree, "lonely");
    fdt_text(&tree, "compatible", "toklat,group");
    fdt_text(&tree, "image", "some.elf");
    fdt_node_end(&tree);
    assert_int_equal(parse(fdt_end(&tree)), OK);
    assert_int_equal(result.group_count, 1);
    assert_non_null(strstr(said, "lonely: start: \"demand\""));
}

/* ---- blobs that are refused as a whole ---------------------------------------------------- */

static void unusable_root(void **state)
{
    (void)state;
    fdt_begin(&tree);
    fdt_text(&tree, "compatible", "linux,dummy-virt");
    assert_int_equal(parse(fdt_end(&tree)), ERR_INVALID);
    assert_non_null(strstr(said, "/: compatible: "));
    begin();
    fdt_text(&tree, "colour", "red");
    assert_int_equal(parse(fdt_end(&tree)), ERR_INVALID);
    assert_non_null(strstr(said, "/: colour: "));
}

static uint32_t small_tree(void)
{
    begin();
    add_group("one", 1);
    return fdt_end(&tree);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    uint32_t bytes = small_tree();

    for (uint32_t cut = 0; cut < bytes; cut++) {
        assert_int_equal(parse(cut), ERR_INVALID);
        assert_int_equal(lines, 1);
        assert_int_equal(result.group_count, 0);
    }
    assert_int_equal(parse(bytes), OK);
}

/* Each header field, then each word of the structure, replaced by values that lead astray. None of
 * it may be read out of bounds or end in a loop; most of it is refused. */
static void every_word_astray(void **state)
{
    (void)state;
    static const uint32_t values[] = {0,          1,          3,          4,          0x7FFFFFFF,
                                      0x80000000, 0xFFFFFFFF, 0xFFFFFFF4, 0xFFFFFFF0, 0xFFFFFFFC};
    uint32_t bytes = small_tree();

    for (uint32_t at = 0; at < bytes; at += 4) {
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            small_tree();
            fdt_put32(tree.blob + at, values[i]);
            enum err e = parse(bytes);
            assert_true(e == OK || (e == ERR_INVALID && lines >= 1));
        }
    }
}

static void misaligned_structure(void **state)
{
    (void)state;
    uint32_t bytes = small_tree();

    fdt_put32(tree.blob + 8, FDT_BUILD_STRUCT_OFFSET + 2);
    assert_int_equal(parse(bytes), ERR_INVALID);
}

static void too_large(void **state)
{
    static const char filler[200];

    (void)state;
    begin();
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof(name), "g%d", i);
        fdt_node(&tree, name);
        fdt_property(&tree, "filler", filler, sizeof(filler));
        fdt_node_end(&tree);
    }
    assert_int_equal(parse(fdt_end(&tree)), ERR_INVALID);
    assert_non_null(strstr(said, "to 32768"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_deployment),        cmocka_unit_test(network_defaults),
        cmocka_unit_test(network_as_said),        cmocka_unit_test(bad_network_leaves_the_defaults),
        cmocka_unit_test(addresses_must_be_free), cmocka_unit_test(unsound_groups),
        cmocka_unit_test(names_and_images),       cmocka_unit_test(one_supervisor_only),
        cmocka_unit_test(as_many_groups_as_fit),  cmocka_unit_test(missing_peers),
        cmocka_unit_test(nobody_would_start_it),  cmocka_unit_test(unusable_root),
        cmocka_unit_test(every_cut_is_refused),   cmocka_unit_test(every_word_astray),
        cmocka_unit_test(misaligned_structure),   cmocka_unit_test(too_large),
        cmocka_unit_test(spare_numbers),          cmocka_unit_test(spare_addresses_must_be_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
