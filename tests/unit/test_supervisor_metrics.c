/* SPDX-License-Identifier: BSD-2-Clause */
// sources: guests/supervisor/metrics.c guests/supervisor/out.c guests/supervisor/utf8.c
/*
 * The text of /metrics: which number is which sample, that a text written in pieces is the same as
 * one written at once, and that Prometheus's own promtool finds nothing to say of it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "guests/supervisor/metrics.h"

#define PROMTOOL "build/prometheus/promtool"
#define TEXT_MAX (256 * 1024)

static struct metrics_source source;
static char text[TEXT_MAX];

/* Every number of the machine is another: `n` from `first` on. */
static void fill(uint64_t *at, size_t bytes, uint64_t first)
{
    for (size_t i = 0; i < bytes / sizeof(*at); i++) {
        at[i] = first + i;
    }
}

static void add_group(unsigned index, const char *name, uint32_t state, uint32_t first_vm)
{
    struct toklat_group *g = &source.groups[index];
    memset(g, 0, sizeof(*g));
    snprintf(g->name, sizeof(g->name), "%s", name);
    g->state = state;
    g->first_vm = first_vm;
    g->weight = 256;
    g->limit_pages = 16;
    g->template_pages = 40 + index;
    g->defined = 10 * index + 1;
    g->live = 10 * index + 2;
    g->stored = 10 * index + 3;
    g->paused = 10 * index + 4;
    g->dead = 10 * index + 5;
    g->started = 10 * index + 6;
    g->killed = 10 * index + 7;
    g->exited = 10 * index + 8;
}

static int set_up(void **state)
{
    struct toklat_machine *m = &source.machine;
    (void)state;
    memset(&source, 0, sizeof(source));
    fill(m->frames, sizeof(m->frames), 100);
    fill(&m->gatekeeper.admitted, 12 * sizeof(uint64_t), 200);
    fill(&m->store.capacity_bytes, sizeof(m->store), 300);
    fill(&m->network.vm_to_vm, sizeof(m->network), 400);
    fill(&m->faults, 4 * sizeof(uint64_t), 500);
    m->uptime_ns = 12345678901ull;
    m->ram_pages = 262144;
    m->cpus = 2;
    m->groups = 3;
    m->gatekeeper.resident = 31;
    m->gatekeeper.leaving = 34;
    m->cpu[1].idle_ns = 1500000000;
    m->cpu[1].turns = 77;
    m->cpu[1].residents = 5;
    add_group(0, "supervisor", TOKLAT_GROUP_READY, 1);
    add_group(1, "gone", TOKLAT_GROUP_ABSENT, 2);
    add_group(2, "web", TOKLAT_GROUP_BOOTING, 2);
    source.api_requests = 9;
    source.api_refused = 4;
    source.connections = 2;
    return 0;
}

/* Into `text`, with buffers of `size` bytes; each is full enough. */
static void write_text(size_t size)
{
    struct metrics_cursor cursor = {0};
    size_t length = 0;
    bool done = false;
    while (!done) {
        struct out out = {.at = malloc(size), .size = size};
        done = metrics_write(&out, &cursor, &source);
        assert_false(out.cut);
        assert_true(done || out_room(&out) < OUT_ITEM_MAX);
        assert_true(length + out.length < TEXT_MAX);
        memcpy(&text[length], out.at, out.length);
        length += out.length;
        free(out.at);
    }
    text[length] = '\0';
}

static void has(const char *line)
{
    char whole[256];
    snprintf(whole, sizeof(whole), "\n%s\n", line);
    if (strstr(text, whole) == NULL) {
        fail_msg("no line %s in\n%s", line, text);
    }
}

static void has_not(const char *what)
{
    if (strstr(text, what) != NULL) {
        fail_msg("%s in\n%s", what, text);
    }
}

static void numbers_of_the_machine(void **state)
{
    (void)state;
    write_text(TEXT_MAX / 2);
    has("toklat_uptime_seconds 12.345678");
    has("toklat_ram_bytes 1073741824");
    has("toklat_memory_bytes{kind=\"free\"} 409600");
    has("toklat_memory_bytes{kind=\"descriptors\"} 434176");
    has("toklat_gatekeeper_vms{state=\"resident\"} 31");
    has("toklat_gatekeeper_vms{state=\"leaving\"} 34");
    has("toklat_gatekeeper_admitted_total 200");
    has("toklat_gatekeeper_evicted_total{while=\"idle\"} 201");
    has("toklat_gatekeeper_held_total{reason=\"frames\"} 206");
    has("toklat_gatekeeper_held_total{reason=\"turn\"} 209");
    has("toklat_gatekeeper_wait_seconds_total 0.000000");
    has("toklat_store_capacity_bytes 300");
    has("toklat_store_refused_total 308");
    has("toklat_network_frames_total{path=\"vm_to_vm\"} 400");
    has("toklat_network_dropped_frames_total{reason=\"uplink\"} 409");
    has("toklat_faults_total 500");
    has("toklat_console_dropped_lines_total 503");
    has("toklat_api_requests_total 9");
    has("toklat_api_refused_total 4");
    has("toklat_api_connections 2");
}

static void numbers_of_cpus_and_images(void **state)
{
    (void)state;
    write_text(TEXT_MAX / 2);
    has("toklat_cpu_idle_seconds_total{cpu=\"0\"} 0.000000");
    has("toklat_cpu_idle_seconds_total{cpu=\"1\"} 1.500000");
    has("toklat_cpu_turns_total{cpu=\"1\"} 77");
    has("toklat_cpu_vms{cpu=\"1\"} 5");
    has_not("cpu=\"2\"");
    has("toklat_vms{image=\"supervisor\",state=\"defined\"} 1");
    has("toklat_vms{image=\"web\",state=\"dead\"} 25");
    has("toklat_vms_started_total{image=\"web\"} 26");
    has("toklat_vms_killed_total{image=\"web\"} 27");
    has("toklat_vms_exited_total{image=\"web\"} 28");
    has("toklat_image_ready{image=\"supervisor\"} 1");
    has("toklat_image_ready{image=\"web\"} 0");
    has("toklat_image_template_bytes{image=\"web\"} 172032");
    has("toklat_image_memory_limit_bytes{image=\"web\"} 65536");
    has_not("gone");
    has_not("toklat_vm_"); /* no series of single VMs */
}

static void heads_of_families(void **state)
{
    (void)state;
    write_text(TEXT_MAX / 2);
    assert_memory_equal(text, "# HELP toklat_uptime_seconds ", 29);
    has("# TYPE toklat_memory_bytes gauge");
    has("# UNIT toklat_memory_bytes bytes");
    has("# TYPE toklat_cpu_idle_seconds counter");
    has("# UNIT toklat_cpu_idle_seconds seconds");
    assert_string_equal(&text[strlen(text) - 7], "\n# EOF\n");
    source.classic = true;
    write_text(TEXT_MAX / 2);
    has("# TYPE toklat_cpu_idle_seconds_total counter");
    has("# TYPE toklat_memory_bytes gauge");
    has_not("# UNIT");
    has_not("# EOF");
}

static void a_machine_without_a_store(void **state)
{
    (void)state;
    source.machine.store.capacity_bytes = 0;
    write_text(TEXT_MAX / 2);
    has_not("toklat_store_");
}

static void add_top(void)
{
    struct toklat_vm *vm = source.top;
    source.top_count = METRICS_TOP_MAX;
    for (uint32_t i = 0; i < METRICS_TOP_MAX; i++) {
        vm[i] = (struct toklat_vm){.brief = {.number = 2 + i, .group = 2},
                                   .private_pages = 5 + i,
                                   .table_pages = 2,
                                   .descriptor_bytes = 1024,
                                   .cpu_ns = 1000000ull * i};
    }
}

static void the_largest_vms(void **state)
{
    (void)state;
    add_top();
    write_text(TEXT_MAX / 2);
    has("toklat_vm_uss_bytes{image=\"web\",vm=\"web/1\",number=\"2\"} 29696");
    has("toklat_vm_cpu_seconds_total{image=\"web\",vm=\"web/100\",number=\"101\"} 0.099000");
}

static void pieces_are_the_whole(void **state)
{
    static char whole[TEXT_MAX];
    (void)state;
    add_top();
    write_text(TEXT_MAX / 2);
    memcpy(whole, text, sizeof(whole));
    for (size_t size = OUT_ITEM_MAX; size < 2 * OUT_ITEM_MAX; size += 97) {
        write_text(size);
        assert_string_equal(text, whole);
    }
}

/* More of everything than there can be, and all at its largest: lines stay within an item. */
static void the_largest_numbers(void **state)
{
    (void)state;
    memset(&source, 0xff, sizeof(source));
    for (unsigned i = 0; i < TOKLAT_GROUPS_MAX; i++) {
        memset(source.groups[i].name, 'n', TOKLAT_NAME_BYTES);
    }
    source.classic = false;
    write_text(OUT_ITEM_MAX);
    has("toklat_ram_bytes 18446744073709547520");
    has("toklat_vms{image=\"nnnnnnnnnnnnnnnnnnnnnnnn\",state=\"dead\"} 4294967295");
    has_not("cpu=\"8\"");
}

static void promtool_finds_nothing(void **state)
{
    (void)state;
    if (access(PROMTOOL, X_OK) != 0) {
        skip();
    }
    add_top();
    source.classic = true;
    write_text(OUT_ITEM_MAX);
    FILE *promtool = popen(PROMTOOL " check metrics 2>&1 >&2", "w");
    assert_non_null(promtool);
    fputs(text, promtool);
    assert_int_equal(pclose(promtool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numbers_of_the_machine, set_up),
        cmocka_unit_test_setup(numbers_of_cpus_and_images, set_up),
        cmocka_unit_test_setup(heads_of_families, set_up),
        cmocka_unit_test_setup(a_machine_without_a_store, set_up),
        cmocka_unit_test_setup(the_largest_vms, set_up),
        cmocka_unit_test_setup(pieces_are_the_whole, set_up),
        cmocka_unit_test_setup(the_largest_numbers, set_up),
        cmocka_unit_test_setup(promtool_finds_nothing, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
