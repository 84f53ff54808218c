/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine core/footprint.c
/*
 * The footprint that is printed, against one that is computed another way: every value of every
 * VM sorted, and every page of every table divided by hand.
 */
#include "abi/control.h"
#include "tests/unit/machine_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/footprint.h"

#define MANY 41u

static const char *const measures[] = {"uss", "pss", "rss", "stage2", "descriptor"};

struct spread {
    uint64_t min, median, max, sum;
};

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* --- the model ---------------------------------------------------------------------------- */

/* What one page costs one VM, in 1/65,536 of a byte: shared by all tables that refer to it but
 * the template's own, and by all VMs that refer to this table. */
static uint64_t page_cost(pte_t root, pte_t pte)
{
    uint64_t sharers = frame_refs(pte_pa(pte)) - (frame_kind(pte_pa(pte)) == FRAME_SHARED);
    sharers += root & PTE_SW_SHARED ? frame_refs(pte_pa(root)) - 1 : 0;
    return (PAGE_SIZE << 16) / MAX(sharers, 1ull);
}

static void walk(const struct vm *vm, uint64_t values[5])
{
    uint64_t pss = 0;
    memset(values, 0, 5 * sizeof(values[0]));
    for (unsigned r = 0; r < STAGE2_ROOT_ENTRIES; r++) {
        pte_t root = vm->space.root[r];
        if (root == 0) {
            continue;
        }
        values[3] += root & PTE_SW_SHARED ? 0 : PAGE_SIZE;
        const pte_t *table = root_table(root);
        for (unsigned i = 0; i < STAGE2_TABLE_ENTRIES; i++) {
            if (table[i] != 0) {
                values[0] += frame_kind(pte_pa(table[i])) == FRAME_PRIVATE ? PAGE_SIZE : 0;
                values[2] += PAGE_SIZE;
                pss += page_cost(root, table[i]);
            }
        }
    }
    values[1] = pss >> 16;
    values[4] = vm->context.extra ? 2048 : 1024;
}

static void model(const struct group *g, struct spread spreads[5])
{
    static uint64_t sorted[5][MANY];
    uint32_t n = 0;
    const struct deployment_group *c = g->config;
    for (uint32_t i = c->first_vm; i < c->first_vm + c->count + c->reserve; i++) {
        uint64_t values[5];
        if (state_of(i) != VM_LIVE) {
            continue;
        }
        walk(machine_vm(i), values);
        for (unsigned m = 0; m < 5; m++) {
            sorted[m][n] = values[m];
        }
        n++;
    }
    memset(spreads, 0, 5 * sizeof(spreads[0]));
    for (unsigned m = 0; n && m < 5; m++) {
        qsort(sorted[m], n, sizeof(uint64_t), ascending);
        spreads[m] = (struct spread){sorted[m][0], sorted[m][(n - 1) / 2], sorted[m][n - 1], 0};
        for (uint32_t i = 0; i < n; i++) {
            spreads[m].sum += sorted[m][i];
        }
    }
}

/* --- what is printed ---------------------------------------------------------------------- */

static const char *find(const char *from, const char *what)
{
    const char *at = strstr(from, what);
    if (!at) {
        fail_msg("\"%s\" is not in: %s", what, from);
    }
    return at + strlen(what);
}

static uint64_t number(const char *from, const char *name)
{
    char key[64];
    snprintf(key, sizeof(key), "\"%s\":", name);
    return strtoull(find(from, key), NULL, 10);
}

static void check_group(const char *json, const struct group *g)
{
    char key[64];
    struct spread expected[5];
    model(g, expected);
    snprintf(key, sizeof(key), "\"%s\":{", g->config->name);
    json = find(json, key);
    assert_int_equal(number(json, "count"), g->live);
    for (unsigned m = 0; m < 5; m++) {
        snprintf(key, sizeof(key), "\"%s_bytes\":{", measures[m]);
        const char *at = find(json, key);
        assert_int_equal(number(at, "min"), expected[m].min);
        assert_int_equal(number(at, "median"), expected[m].median);
        assert_int_equal(number(at, "max"), expected[m].max);
        assert_int_equal(number(at, "sum"), expected[m].sum);
    }
}

static void check_machine(const char *json)
{
    static const char *const parts[] = {"el2",    "stubs",       "shared", "private",
                                        "stage2", "descriptors", "free"};
    uint64_t sum = 0;
    json = find(json, "\"machine\":{");
    for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
        char key[32];
        snprintf(key, sizeof(key), "%s_bytes", parts[i]);
        sum += number(json, key);
    }
    assert_int_equal(sum, number(json, "ram_bytes"));
    assert_int_equal(sum, frame_total() * PAGE_SIZE);
}

static void check(void)
{
    machine_check(true);
    machine_output_clear();
    footprint_print();
    const char *json = strchr(machine_output, '{');
    assert_non_null(json);
    uint64_t uss = 0;
    for (unsigned i = 0; i < group_count; i++) {
        struct spread s[5];
        check_group(json, &groups[i]);
        model(&groups[i], s);
        uss += s[0].sum;
    }
    check_machine(json);
    assert_int_equal(uss, frame_count(FRAME_PRIVATE) * PAGE_SIZE);
}

/* --- tests -------------------------------------------------------------------------------- */

static void deploy_many(void)
{
    machine_init(MIB(8));
    struct deployment_group *boss = machine_add("boss", 1, 0);
    boss->supervisor = boss->start_at_boot = true;
    machine_add("many", MANY - 1, 1);
    machine_start();
    machine_boot(0);
}

/* One to MANY VMs that hold different amounts, the median at every parity. */
static void test_against_the_model(void **state)
{
    (void)state;
    deploy_many();
    uint32_t extra;
    check();
    assert_int_equal(vm_create(&groups[1], &extra), OK);
    for (uint32_t n = 2; n <= MANY + 1; n++) {
        start_and_run(n);
        for (unsigned pages = (n * 7919) % 13; pages; pages--) {
            machine_abort(IPA(GUEST_UNUSED + pages * PAGE_SIZE), ACCESS_WRITE);
            machine_abort(IPA(0x7000 + (pages % 4) * PAGE_SIZE), ACCESS_WRITE);
        }
        if (n % 3 == 0) {
            machine_fault(TRAP_FP);
        }
        machine_call(TOKLAT_IDLE, 1, 0);
        machine_trap(TOKLAT_IDLE, TOKLAT_IDLE_FOREVER, 0);
        check();
    }
    for (uint32_t n = 2; n <= MANY + 1; n += 1 + n % 2) {
        assert_int_equal(control(TOKLAT_VM_DESTROY, n), 0);
        check();
    }
}

static void test_nothing_lives(void **state)
{
    (void)state;
    machine_init(MIB(8));
    machine_add("none", 3, 0);
    machine_start();
    machine_boot(0);
    check();
    assert_true(output_has("\"none\":{\"count\":0,\"uss_bytes\":"
                           "{\"min\":0,\"median\":0,\"max\":0,\"sum\":0}"));
}

static void test_nothing_is_deployed(void **state)
{
    (void)state;
    machine_init(MIB(8));
    machine_start();
    check();
    assert_true(output_has("{\"images\":{},\"machine\":{"));
}

/* All clones that share what they share: their parts add up to the whole. */
static void test_pss_adds_up(void **state)
{
    (void)state;
    deploy_many();
    for (uint32_t n = 2; n <= MANY; n++) {
        assert_int_equal(control(TOKLAT_VM_START, n), 0);
    }
    struct spread s[5];
    model(&groups[1], s);
    uint64_t template_bytes = groups[1].template->space.shared_pages * PAGE_SIZE;
    /* Each has a system page and a table of its own, and so all but the template's copy of that. */
    uint64_t whole = s[0].sum + template_bytes - PAGE_SIZE;
    assert_in_range(s[1].sum, whole - MANY * 8, whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_against_the_model, teardown_machine),
        cmocka_unit_test_teardown(test_nothing_lives, teardown_machine),
        cmocka_unit_test_teardown(test_nothing_is_deployed, teardown_machine),
        cmocka_unit_test_teardown(test_pss_adds_up, teardown_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
