/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of VMs: in order of number, with paging; or the first few by another order.
 */
#include "guests/supervisor/steps.h"
#include "guests/supervisor/work_area.h"

#define OBJECT_MAX 1024 /* bytes of a VM object, generously */
#define OBJECT_MIN 64   /* and sparingly */

enum { BEGIN, ROWS, TAKE, SCAN, RANKED };

static bool by_number(const struct list_request *l)
{
    return l->sort == SORT_NUMBER && l->order != ORDER_DESCENDING;
}

static bool matches(const struct list_request *l, const struct toklat_vm *vm)
{
    return l->state == STATE_ANY || vm->brief.state == l->state;
}

static bool begin(struct exchange *x)
{
    const struct list_request *l = &x->request.list;
    struct list_cursor *c = &x->at.list;
    uint32_t first = 1;
    c->end = UINT32_MAX;
    if (l->image[0] != '\0') {
        int group = image_find(x, l->image);
        if (group < 0) {
            return false;
        }
        first = groups.at[group].first_vm;
        c->end = groups_end(&groups.at[group]);
    }
    c->next = l->after >= first ? l->after + 1 : first;
    c->stage = by_number(l) ? ROWS : TAKE;
    return true;
}

static void put_row(struct exchange *x, struct out *out, const struct toklat_vm *vm)
{
    struct list_cursor *c = &x->at.list;
    out_text(out, c->written++ == 0 ? "{\"vms\":[" : ",");
    vm_write(out, vm, x->request.list.fields, false);
    c->last = vm->brief.number;
}

static enum step finish(struct exchange *x, struct out *out, bool more)
{
    struct list_cursor *c = &x->at.list;
    out_text(out, c->written == 0 ? "{\"vms\":[" : "");
    if (more) {
        out_field(out, "],\"next\":", c->last);
        out_text(out, "}\n");
    } else {
        out_text(out, "],\"next\":null}\n");
    }
    return STEP_DONE;
}

/* Reads a batch of what is needed of each VM. */
static uint32_t read_batch(const struct list_request *l, uint32_t first, uint32_t count,
                           uint32_t *next)
{
    static struct toklat_vm_brief briefs[TOKLAT_VM_READ_MAX] __attribute__((aligned(8)));
    if (l->fields != FIELDS_BRIEF || !by_number(l)) {
        return control_read(first, vm_batch, count, 0, next);
    }
    uint32_t n = control_read(first, briefs, count, TOKLAT_VM_READ_STATE, next);
    for (uint32_t i = 0; i < n; i++) {
        vm_batch[i].brief = briefs[i];
    }
    return n;
}

/* Writes of a batch what is wanted and fits. True when the list has come to its end. */
static bool rows_of_batch(struct exchange *x, struct out *out, uint32_t n, uint32_t next,
                          bool *more)
{
    struct list_cursor *c = &x->at.list;
    *more = false;
    for (uint32_t i = 0; i < n; i++) {
        const struct toklat_vm *vm = &vm_batch[i];
        c->next = vm->brief.number;
        if (c->next >= c->end) {
            return true;
        }
        if (!matches(&x->request.list, vm)) {
            continue;
        }
        if (c->written == x->request.list.limit) {
            *more = true;
            return true;
        }
        if (out_room(out) < OBJECT_MAX) {
            return false;
        }
        put_row(x, out, vm);
    }
    c->next = next;
    return next == 0 || next >= c->end;
}

static enum step rows(struct exchange *x, struct out *out)
{
    struct list_cursor *c = &x->at.list;
    for (unsigned i = 0; i < API_STEP_READS && out_room(out) >= 2 * OBJECT_MAX; i++) {
        uint32_t next = 0;
        bool more = false;
        uint32_t n = 0;
        if (c->next != 0) {
            size_t fit = out_room(out) / OBJECT_MIN; /* what does not is read again */
            fit = fit < TOKLAT_VM_READ_MAX ? fit : TOKLAT_VM_READ_MAX;
            n = read_batch(&x->request.list, c->next, (uint32_t)fit, &next);
        }
        if (rows_of_batch(x, out, n, next, &more)) {
            return finish(x, out, more);
        }
    }
    return STEP_MORE;
}

static uint64_t key_of(const struct list_request *l, const struct toklat_vm *vm)
{
    switch (l->sort) {
    case SORT_USS:
        return vm_uss_bytes(vm);
    case SORT_CPU:
        return vm->cpu_ns;
    case SORT_RX:
        return vm->rx_frames;
    case SORT_STORED:
        return vm->record_bytes;
    default:
        return vm->brief.number;
    }
}

static enum step scan(struct exchange *x)
{
    const struct list_request *l = &x->request.list;
    struct list_cursor *c = &x->at.list;
    for (unsigned i = 0; i < API_STEP_READS && c->next != 0 && c->next < c->end; i++) {
        uint32_t n = control_read(c->next, vm_batch, TOKLAT_VM_READ_MAX, 0, &c->next);
        for (uint32_t v = 0; v < n && vm_batch[v].brief.number < c->end; v++) {
            uint64_t key = key_of(l, &vm_batch[v]);
            if (matches(l, &vm_batch[v])) {
                top_add(&work_area.top, l->order == ORDER_ASCENDING ? ~key : key,
                        vm_batch[v].brief.number);
            }
        }
    }
    if (c->next == 0 || c->next >= c->end) {
        top_sort(&work_area.top);
        c->stage = RANKED;
        c->next = 0;
    }
    return STEP_MORE;
}

/* `next` is now a place in the ranking. A VM that has ceased to exist meanwhile is left out. */
static enum step ranked(struct exchange *x, struct out *out)
{
    struct list_cursor *c = &x->at.list;
    for (; c->next < work_area.top.count; c->next++) {
        if (out_room(out) < 2 * OBJECT_MAX) {
            return STEP_MORE;
        }
        if (control_read_one(work_area.top.at[c->next].number, &vm_batch[0], 0)) {
            put_row(x, out, &vm_batch[0]);
        }
    }
    return finish(x, out, false);
}

enum step step_list(struct exchange *x, struct out *out)
{
    struct list_cursor *c = &x->at.list;
    enum step step;
    switch (c->stage) {
    case BEGIN:
        return begin(x) ? STEP_MORE : STEP_DONE;
    case ROWS:
        return rows(x, out);
    case TAKE:
        step = work_area_take(x);
        if (step == STEP_MORE) {
            top_begin(&work_area.top, x->request.list.limit);
            c->stage = SCAN;
        }
        return step;
    case SCAN:
        return scan(x);
    default:
        return ranked(x, out);
    }
}
