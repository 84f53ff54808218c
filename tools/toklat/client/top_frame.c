/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of `toklat top`. Shares of a CPU are differences between two of them, over the machine's
 * own time.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/toklat/client/clean.h"
#include "tools/toklat/client/table.h"
#include "tools/toklat/client/top.h"

#define LINE_BYTES 512

static bool take(void *context, const char *text, size_t n)
{
    struct top *t = context;
    struct top_frame *f = &t->frames[t->now];
    struct vm_row *row = &f->rows[f->count];
    vm_row_parse(row, text);
    if (!strcmp(row->state, "defined") && strcmp(t->sort, "number") != 0) {
        return true; /* those that do nothing come last, and tell nothing */
    }
    if (t->json) {
        fputs(f->count ? "," : "", t->json);
        fwrite(text, 1, n, t->json);
    }
    f->count++;
    return f->count < TOP_ROWS_MAX;
}

int top_fetch(struct top *t, struct api *a, size_t rows)
{
    char query[64];
    t->now = !t->now;
    struct top_frame *f = &t->frames[t->now];
    json_decref(f->machine);
    f->machine = NULL;
    f->count = 0;
    int code = api_get(a, &f->machine, "/v1/machine");
    if (code != EXIT_CLEAN) {
        return code;
    }
    snprintf(query, sizeof(query), "&sort=%s", t->sort);
    return listing_fetch(a, query, MAX(MIN(rows, (size_t)TOP_ROWS_MAX), (size_t)1), take, t);
}

void top_free(struct top *t)
{
    json_decref(t->frames[0].machine);
    json_decref(t->frames[1].machine);
}

static void PRINTF(3, 4) line(FILE *to, size_t width, const char *format, ...)
{
    char text[LINE_BYTES], cell[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    clean_cell(cell, MIN(sizeof(cell), width + 1), text);
    fprintf(to, "%s\n", cell);
}

static double elapsed(const struct top *t)
{
    const json_t *now = t->frames[t->now].machine, *before = t->frames[!t->now].machine;
    return before ? member_real(now, "uptime_seconds") - member_real(before, "uptime_seconds") : 0;
}

static void draw_cpus(const struct top *t, FILE *to, size_t width)
{
    char text[LINE_BYTES] = "CPU ";
    const json_t *cpu, *cpus = json_object_get(t->frames[t->now].machine, "cpus");
    const json_t *old = json_object_get(t->frames[!t->now].machine, "cpus");
    double seconds = elapsed(t);
    size_t i, n = strlen(text);
    json_array_foreach(cpus, i, cpu)
    {
        double idle =
            member_real(cpu, "idle_seconds") - member_real(json_array_get(old, i), "idle_seconds");
        double busy = seconds > 0 ? 100 * (1 - idle / seconds) : 0;
        n += (size_t)snprintf(text + n, sizeof(text) - n, " %zu: %3.0f %%", i, busy < 0 ? 0 : busy);
        if (seconds <= 0 || n >= sizeof(text) - 16) {
            break;
        }
    }
    line(to, width, "%s", seconds > 0 ? text : "CPU  (from the second picture on)");
}

static void draw_head(const struct top *t, FILE *to, size_t width)
{
    const json_t *m = t->frames[t->now].machine, *vms = json_object_get(m, "vms");
    const json_t *memory = json_object_get(m, "memory"), *gate = json_object_get(m, "gatekeeper");
    const json_t *store = json_object_get(m, "store");
    char up[SIZE_BYTES], a[SIZE_BYTES], b[SIZE_BYTES], c[SIZE_BYTES], d[SIZE_BYTES], e[SIZE_BYTES];
    line(to, width, "up %s, VMs: %ju live, %ju stored, %ju paused, %ju dead, %ju defined",
         seconds_text((uint64_t)(MAX(member_real(m, "uptime_seconds"), 0.0) * 1000), up),
         (uintmax_t)member_number(vms, "live"), (uintmax_t)member_number(vms, "stored"),
         (uintmax_t)member_number(vms, "paused"), (uintmax_t)member_number(vms, "dead"),
         (uintmax_t)member_number(vms, "defined"));
    draw_cpus(t, to, width);
    line(to, width, "Memory  %s: %s hypervisor, %s shared, %s VMs' own, %s free",
         size_text(member_number(memory, "ram_bytes"), a),
         size_text(member_number(memory, "el2_bytes") + member_number(memory, "stubs_bytes"), b),
         size_text(member_number(memory, "shared_bytes"), c),
         size_text(member_number(memory, "private_bytes") + member_number(memory, "stage2_bytes") +
                       member_number(memory, "descriptors_bytes"),
                   d),
         size_text(member_number(memory, "free_bytes"), e));
    if (json_is_object(store)) {
        size_text(member_number(store, "live_bytes"), a);
        size_text(member_number(store, "capacity_bytes"), b);
    }
    line(to, width, "Gatekeeper  %ju waiting, %ju arriving, %ju leaving%s%s%s%s",
         (uintmax_t)member_number(gate, "waiting"), (uintmax_t)member_number(gate, "arriving"),
         (uintmax_t)member_number(gate, "leaving"), json_is_object(store) ? "   Store  " : "",
         json_is_object(store) ? a : "", json_is_object(store) ? " of " : "",
         json_is_object(store) ? b : "");
}

static const struct vm_row *before(const struct top *t, uint32_t number)
{
    const struct top_frame *f = &t->frames[!t->now];
    for (size_t i = 0; i < f->count; i++) {
        if (f->rows[i].number == number) {
            return &f->rows[i];
        }
    }
    return NULL;
}

static void share_text(const struct top *t, const struct vm_row *row, char *text)
{
    const struct vm_row *old = before(t, row->number);
    double seconds = elapsed(t);
    if (!old || seconds <= 0 || row->cpu_ms < old->cpu_ms) {
        strcpy(text, "-");
        return;
    }
    double share = (double)(row->cpu_ms - old->cpu_ms) / seconds / 10;
    snprintf(text, SIZE_BYTES, "%.1f", MIN(share, 999.9));
}

static void draw_row(const struct top *t, struct table *table, const struct vm_row *row)
{
    char number[SIZE_BYTES], cpu[SIZE_BYTES], share[SIZE_BYTES], uss[SIZE_BYTES];
    char stored[SIZE_BYTES], seconds[SIZE_BYTES], rx[SIZE_BYTES], tx[SIZE_BYTES];
    share_text(t, row, share);
    const char *cells[] = {
        number_text(row->number, number),
        row->name,
        row->state,
        number_text(row->cpu, cpu),
        share,
        size_text(row->uss, uss),
        size_text(row->stored, stored),
        seconds_text(row->cpu_ms, seconds),
        number_text(row->rx, rx),
        number_text(row->tx, tx),
    };
    table_row(table, cells);
}

void top_draw(const struct top *t, FILE *to, size_t width, size_t rows)
{
    static const struct table_column columns[] = {
        {"NUMBER", TABLE_NUMBER}, {"NAME", TABLE_CUT},    {"STATE", TABLE_STATE},
        {"CPU", TABLE_NUMBER},    {"%CPU", TABLE_NUMBER}, {"USS", TABLE_NUMBER},
        {"STORED", TABLE_NUMBER}, {"TIME", TABLE_NUMBER}, {"RX", TABLE_NUMBER},
        {"TX", TABLE_NUMBER},
    };
    const struct top_frame *f = &t->frames[t->now];
    struct table table;
    draw_head(t, to, width);
    putc('\n', to);
    table_begin(&table, columns, ARRAY_SIZE(columns));
    for (size_t i = 0; i < f->count && i < rows; i++) {
        draw_row(t, &table, &f->rows[i]);
    }
    table_end(&table, to, width, false);
}
