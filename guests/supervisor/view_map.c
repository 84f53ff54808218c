/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All VMs at a glance: the map, a letter for each state with run lengths, and the histogram of
 * their private memory.
 */
#include "guests/supervisor/steps.h"
#include "guests/supervisor/work_area.h"

enum { BEGIN, OPEN, RUNS, CLOSE }; /* of the map */
enum { TAKE, SCAN, WRITE };        /* of the histogram */

#define RUN_ROOM 32
#define IMAGE_ROOM 256

static const char letters[TOKLAT_VM_STATES + 1] = "dRriwspx";

static enum step open_image(struct exchange *x, struct out *out)
{
    struct map_cursor *c = &x->at.map;
    while (c->group < groups.count && !groups_exists(c->group)) {
        c->group++;
    }
    if (c->group >= groups.count) {
        out_text(out, "]}\n");
        return STEP_DONE;
    }
    const struct toklat_group *g = &groups.at[c->group];
    out_text(out, x->sent++ == 0 ? "{\"image\":" : ",{\"image\":");
    out_json(out, g->name, sizeof(g->name));
    out_field(out, ",\"first_vm\":", g->first_vm);
    out_field(out, ",\"count\":", (uint64_t)g->count + g->reserve);
    out_text(out, ",\"states\":\"");
    c->next = g->first_vm;
    c->run = 0;
    c->stage = RUNS;
    return STEP_MORE;
}

static void end_run(struct map_cursor *c, struct out *out)
{
    if (c->run > 0) {
        out_u64(out, c->run);
        out_char(out, c->letter);
    }
    c->run = 0;
}

/* `count` numbers from c->next on have this letter. */
static void extend(struct map_cursor *c, struct out *out, char letter, uint32_t count)
{
    if (count == 0) {
        return;
    }
    if (letter != c->letter) {
        end_run(c, out);
        c->letter = letter;
    }
    c->run += count;
    c->next += count;
}

static enum step runs(struct exchange *x, struct out *out)
{
    static struct toklat_vm_brief briefs[TOKLAT_VM_READ_MAX] __attribute__((aligned(8)));
    struct map_cursor *c = &x->at.map;
    uint32_t end = groups_end(&groups.at[c->group]);
    for (unsigned i = 0; i < API_STEP_READS && c->next < end; i++) {
        uint32_t next = 0;
        if (out_room(out) < 2 * TOKLAT_VM_READ_MAX * RUN_ROOM / 4) {
            return STEP_MORE;
        }
        uint32_t n = control_read(c->next, briefs, TOKLAT_VM_READ_MAX, TOKLAT_VM_READ_STATE, &next);
        for (uint32_t v = 0; v < n && briefs[v].number < end; v++) {
            extend(c, out, '-', briefs[v].number - c->next);
            extend(c, out, briefs[v].state < TOKLAT_VM_STATES ? letters[briefs[v].state] : '-', 1);
        }
        next = next == 0 || next > end ? end : next;
        extend(c, out, '-', next > c->next ? next - c->next : 0);
    }
    if (c->next >= end) {
        end_run(c, out);
        out_text(out, "\"}");
        c->group++;
        c->stage = OPEN;
    }
    return STEP_MORE;
}

enum step step_map(struct exchange *x, struct out *out)
{
    struct map_cursor *c = &x->at.map;
    if (out_room(out) < IMAGE_ROOM) {
        return STEP_MORE;
    }
    if (c->stage == BEGIN) {
        out_field(out, "{\"total\":", groups.machine.vms);
        out_text(out, ",\"images\":[");
        c->stage = OPEN;
    }
    return c->stage == OPEN ? open_image(x, out) : runs(x, out);
}

static enum step scan(struct exchange *x)
{
    struct map_cursor *c = &x->at.map;
    for (unsigned i = 0; i < API_STEP_READS && c->next != 0; i++) {
        uint32_t n = control_read(c->next, vm_batch, TOKLAT_VM_READ_MAX, 0, &c->next);
        for (uint32_t v = 0; v < n; v++) {
            if (vm_in_memory(&vm_batch[v])) {
                histogram_add(&work_area.histogram, vm_uss_bytes(&vm_batch[v]) / TOKLAT_PAGE_BYTES);
            }
        }
    }
    if (c->next == 0) {
        c->stage = WRITE;
    }
    return STEP_MORE;
}

static enum step write_buckets(struct exchange *x, struct out *out)
{
    struct map_cursor *c = &x->at.map;
    for (; c->next < HISTOGRAM_BUCKETS; c->next++) {
        if (out_room(out) < IMAGE_ROOM) {
            return STEP_MORE;
        }
        uint32_t count = work_area.histogram.count[c->next];
        if (count != 0) {
            out_text(out, x->sent++ == 0 ? "{\"bucket_bytes\":4096,\"buckets\":[[" : ",[");
            out_u64(out, histogram_pages(c->next));
            out_field(out, ",", count);
            out_char(out, ']');
        }
    }
    out_text(out, x->sent == 0 ? "{\"bucket_bytes\":4096,\"buckets\":[" : "");
    out_text(out, "]}\n");
    return STEP_DONE;
}

enum step step_histogram(struct exchange *x, struct out *out)
{
    struct map_cursor *c = &x->at.map;
    enum step step;
    switch (c->stage) {
    case TAKE:
        step = work_area_take(x);
        if (step == STEP_MORE) {
            memset(&work_area.histogram, 0, sizeof(work_area.histogram));
            c->next = 1;
            c->stage = SCAN;
        }
        return step;
    case SCAN:
        return scan(x);
    default:
        return write_buckets(x, out);
    }
}
