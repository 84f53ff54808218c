/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done to one VM, or to ranges of them: start, pause, resume, restart, checkpoint, delete.
 */
#include "guests/supervisor/steps.h"

/* States in which an operation makes sense; in another it is refused at once, not tried. */
#define IN(state) (1u << TOKLAT_VM_##state)
#define IN_LIFE (IN(RUNNING) | IN(RUNNABLE) | IN(IDLE) | IN(WAITING) | IN(STORED))

static const struct change {
    uint8_t endpoint;
    uint8_t operation;
    uint16_t states;
    const char *limit;
} changes[] = {
    {API_VM_START, TOKLAT_VM_START, IN(DEFINED) | IN(DEAD), "defined or dead"},
    {API_VM_PAUSE, TOKLAT_VM_PAUSE, IN_LIFE, "running, runnable, idle, waiting or stored"},
    {API_VM_RESUME, TOKLAT_VM_RESUME, IN(PAUSED), "paused"},
    {API_VM_RESTART, TOKLAT_VM_RESTART, IN_LIFE | IN(PAUSED) | IN(DEAD), "any but defined"},
    {API_VM_CHECKPOINT, TOKLAT_VM_CHECKPOINT, IN_LIFE | IN(PAUSED),
     "running, runnable, idle, waiting, stored or paused"},
    {API_VM_CLONE, TOKLAT_VM_CLONE, IN_LIFE | IN(PAUSED),
     "running, runnable, idle, waiting, stored or paused"},
};

static const struct change *change_of(const struct exchange *x)
{
    size_t i = 0;
    while (changes[i].endpoint != x->request.endpoint) {
        i++;
    }
    return &changes[i];
}

bool vm_may_change(struct exchange *x)
{
    const struct change *change = change_of(x);
    if (!vm_find(x, 0)) {
        return false;
    }
    uint8_t state = vm_batch[0].brief.state;
    if (state < TOKLAT_VM_STATES && (change->states & 1u << state) != 0) {
        return true;
    }
    return problem_field(&x->problem, 409, "state",
                         text_of(state < TOKLAT_VM_STATES ? vm_state_names[state] : ""), "%s",
                         change->limit);
}

static enum step write_vm(struct exchange *x, struct out *out)
{
    if (vm_find(x, TOKLAT_VM_READ_PSS)) {
        vm_write(out, &vm_batch[0], FIELDS_FULL, true);
        out_char(out, '\n');
    }
    return STEP_DONE;
}

enum step step_change(struct exchange *x, struct out *out)
{
    struct action_cursor *c = &x->at.action;
    if (c->stage == 0) {
        if (!vm_may_change(x)) {
            return STEP_DONE;
        }
        c->stage = 1;
    }
    int64_t result = control_simple(change_of(x)->operation, x->request.number, 0, 0);
    enum step step = judge(x, result, x->request.number);
    return step == STEP_MORE ? write_vm(x, out) : step;
}

/* --- checkpoint: asked for, then looked at until the record is another --- */

enum { CHECK, ASK, AWAIT };

static enum step await_record(struct exchange *x, struct out *out)
{
    uint64_t now = platform_now_ns();
    if (!vm_find(x, 0)) {
        return STEP_DONE;
    }
    if (vm_batch[0].record != x->at.action.record) {
        return write_vm(x, out);
    }
    if (x->give_up_ns == 0) {
        x->give_up_ns = now + API_CHECKPOINT_NS;
    }
    if (now < x->give_up_ns) {
        return wait_until(x, now + API_RETRY_NS);
    }
    problem_plain(&x->problem, 504, "the record was not written within %u s",
                  (unsigned)(API_CHECKPOINT_NS / 1000000000));
    return STEP_DONE;
}

enum step step_checkpoint(struct exchange *x, struct out *out)
{
    struct action_cursor *c = &x->at.action;
    enum step step = STEP_MORE;
    if (c->stage == CHECK) {
        groups_read_machine();
        if (groups.machine.store.capacity_bytes == 0) {
            problem_plain(&x->problem, 409, "there is no store");
            return STEP_DONE;
        }
        if (!vm_may_change(x)) {
            return STEP_DONE;
        }
        c->record = vm_batch[0].record;
        c->stage = ASK;
    }
    if (c->stage == ASK) {
        int64_t result = control_simple(TOKLAT_VM_CHECKPOINT, x->request.number, 0, 0);
        step = judge(x, result, x->request.number);
        c->stage = step == STEP_MORE ? AWAIT : ASK;
    }
    return c->stage == AWAIT ? await_record(x, out) : step;
}

/* --- delete --- */

enum step step_vm_delete(struct exchange *x, struct out *out)
{
    (void)out;
    int64_t result = control_simple(TOKLAT_VM_DESTROY, x->request.number, 0, 0);
    enum step step = judge(x, result, x->request.number);
    return step == STEP_MORE ? STEP_DONE : step;
}

/* The next VM of the ranges that exists; 0 if there is none. */
static uint32_t next_existing(struct exchange *x)
{
    static struct toklat_vm_brief brief __attribute__((aligned(8)));
    struct action_cursor *c = &x->at.action;
    const struct ranges *r = &x->request.ranges;
    for (; c->range < r->count; c->range++) {
        uint32_t next = 0;
        uint32_t from = c->next > r->at[c->range].first ? c->next : r->at[c->range].first;
        while (from != 0 && from <= r->at[c->range].last) {
            uint32_t n = control_read(from, &brief, 1, TOKLAT_VM_READ_STATE, &next);
            if (n == 1 && brief.number <= r->at[c->range].last) {
                return brief.number;
            }
            from = n == 1 ? 0 : next;
        }
    }
    return 0;
}

static enum step finish_delete(struct exchange *x, struct out *out)
{
    uint64_t total = ranges_total(&x->request.ranges);
    out_field(out, "{\"deleted\":", x->at.action.deleted);
    out_field(out, ",\"not_found\":", total - x->at.action.deleted);
    out_text(out, "}\n");
    return STEP_DONE;
}

enum step step_delete_ranges(struct exchange *x, struct out *out)
{
    struct action_cursor *c = &x->at.action;
    if (ranges_hold(&x->request.ranges, api.own_number)) {
        problem_number(&x->problem, 403, "numbers", api.own_number, "not the supervisor itself");
        return STEP_DONE;
    }
    for (unsigned i = 0; i < API_BATCH; i++) {
        uint32_t number = next_existing(x);
        if (number == 0) {
            return finish_delete(x, out);
        }
        int64_t result = control_simple(TOKLAT_VM_DESTROY, number, 0, 0);
        enum step step = result == TOKLAT_E_NOT_FOUND ? STEP_MORE : judge(x, result, number);
        if (step != STEP_MORE) {
            return step;
        }
        c->deleted += result >= 0 ? 1 : 0;
        c->next = number + 1;
    }
    return STEP_MORE;
}
