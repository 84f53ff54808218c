/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The footprint: of every image the spread of each measure over its VMs that are in memory, found
 * in passes (spread.h), one image after the other.
 */
#include "guests/supervisor/steps.h"
#include "guests/supervisor/work_area.h"

enum { BEGIN, OPEN, PASS, CLOSE };

static const char *const keys[MEASURES] = {"\"uss_bytes\":", "\"rss_bytes\":", "\"pss_bytes\":",
                                           "\"stage2_bytes\":", "\"descriptor_bytes\":"};

static uint64_t measure(const struct toklat_vm *vm, enum measure m)
{
    switch (m) {
    case USS:
        return vm_uss_bytes(vm);
    case RSS:
        return vm_rss_bytes(vm);
    case PSS:
        return vm_pss_bytes(vm);
    case STAGE2:
        return (uint64_t)vm->table_pages * TOKLAT_PAGE_BYTES;
    default:
        return vm->descriptor_bytes;
    }
}

static void put_spread(struct out *out, const char *key, const struct spread *s)
{
    out_char(out, ',');
    out_text(out, key);
    out_field(out, "{\"min\":", s->min);
    out_field(out, ",\"median\":", s->median);
    out_field(out, ",\"max\":", s->max);
    out_field(out, ",\"sum\":", s->sum);
    out_char(out, '}');
}

static void put_image(struct exchange *x, struct out *out)
{
    const char *name = groups.at[x->at.footprint.group].name;
    out_text(out, x->sent++ == 0 ? "{\"images\":[{\"image\":" : ",{\"image\":");
    out_json(out, name, TOKLAT_NAME_BYTES);
    out_field(out, ",\"live\":", work_area.footprint.spread[USS].count);
    for (unsigned m = 0; m < MEASURES; m++) {
        put_spread(out, keys[m], &work_area.footprint.spread[m]);
    }
    out_field(out, ",\"stored\":", work_area.footprint.stored);
    out_field(out, ",\"stored_bytes\":", work_area.footprint.stored_bytes);
    out_char(out, '}');
}

/* To the next image that there is; or to the end. */
static enum step open_image(struct exchange *x)
{
    struct footprint_cursor *c = &x->at.footprint;
    while (c->group < groups.count && !groups_exists(c->group)) {
        c->group++;
    }
    if (c->group >= groups.count) {
        c->stage = CLOSE;
        return STEP_MORE;
    }
    for (unsigned m = 0; m < MEASURES; m++) {
        spread_begin(&work_area.footprint.spread[m]);
    }
    work_area.footprint.stored = 0;
    work_area.footprint.stored_bytes = 0;
    c->next = groups.at[c->group].first_vm;
    c->stage = PASS;
    return STEP_MORE;
}

static void take(const struct toklat_vm *vm)
{
    if (work_area.footprint.spread[USS].pass == 0) {
        work_area.footprint.stored += vm->brief.state == TOKLAT_VM_STORED ? 1 : 0;
        work_area.footprint.stored_bytes += vm->record_bytes;
    }
    for (unsigned m = 0; m < MEASURES && vm_in_memory(vm); m++) {
        if (spread_open(&work_area.footprint.spread[m])) {
            spread_add(&work_area.footprint.spread[m], measure(vm, m));
        }
    }
}

/* Ends a pass over the image. True if there is another. */
static bool another_pass(void)
{
    bool again = false;
    for (unsigned m = 0; m < MEASURES; m++) {
        again |= spread_again(&work_area.footprint.spread[m]);
    }
    return again;
}

static enum step pass(struct exchange *x, struct out *out)
{
    struct footprint_cursor *c = &x->at.footprint;
    const struct toklat_group *g = &groups.at[c->group];
    uint64_t flags = spread_open(&work_area.footprint.spread[PSS]) ? TOKLAT_VM_READ_PSS : 0;
    if (!out_has_room(out)) {
        return STEP_MORE;
    }
    for (unsigned i = 0; i < API_STEP_READS && c->next != 0 && c->next < groups_end(g); i++) {
        uint32_t n = control_read(c->next, vm_batch, TOKLAT_VM_READ_MAX, flags, &c->next);
        for (uint32_t v = 0; v < n && vm_batch[v].brief.number < groups_end(g); v++) {
            take(&vm_batch[v]);
        }
    }
    if (c->next != 0 && c->next < groups_end(g)) {
        return STEP_MORE;
    }
    c->next = g->first_vm;
    if (!another_pass()) {
        put_image(x, out);
        c->group++;
        c->stage = OPEN;
    }
    return STEP_MORE;
}

static enum step finish(struct exchange *x, struct out *out)
{
    if (!out_has_room(out)) {
        return STEP_MORE;
    }
    groups_read_machine();
    out_text(out, x->sent == 0 ? "{\"images\":[" : "");
    out_text(out, "],\"machine\":");
    memory_write(out);
    out_text(out, "}\n");
    return STEP_DONE;
}

enum step step_footprint(struct exchange *x, struct out *out)
{
    enum step step;
    switch (x->at.footprint.stage) {
    case BEGIN:
        step = work_area_take(x);
        x->at.footprint.stage = step == STEP_MORE ? OPEN : BEGIN;
        return step;
    case OPEN:
        return open_image(x);
    case PASS:
        return pass(x, out);
    default:
        return finish(x, out);
    }
}
