/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New VMs, of an image or from a VM: all that were asked for, or none. They are made in batches,
 * and what was made is unmade when one cannot be. An Idempotency-Key makes a repetition harmless.
 *
 *   CHECK -> MAKE -+-> answer
 *                  `-> UNMAKE -> problem
 */
#include "guests/supervisor/keys.h"
#include "guests/supervisor/steps.h"

enum { CHECK, MAKE, UNMAKE };

static enum step answer(struct exchange *x, struct out *out, const struct ranges *made)
{
    uint32_t group = x->at.action.group;
    out_text(out, "{\"image\":");
    out_json(out, groups.at[group].name, TOKLAT_NAME_BYTES);
    out_field(out, ",\"count\":", ranges_total(made));
    out_text(out, ",\"numbers\":");
    ranges_write(made, out);
    out_text(out, "}\n");
    return STEP_DONE;
}

/* What makes two requests the same: where they go and all that their bodies say. */
static uint64_t request_hash(const struct exchange *x)
{
    uint32_t where[2] = {x->request.endpoint, x->request.number};
    return keys_hash(x->body_hash, where, sizeof(where));
}

static bool find_group(struct exchange *x)
{
    groups_read();
    int group = -1;
    if (x->request.endpoint == API_VMS_CREATE) {
        group = image_find(x, x->request.create.image);
    } else if (vm_may_change(x)) {
        group = vm_batch[0].brief.group;
    }
    x->at.action.group = (uint32_t)group;
    return group >= 0 && groups_exists((uint32_t)group);
}

static bool check(struct exchange *x)
{
    static const char *const states[] = {"booting", "ready", "failed", "absent"};
    if (!find_group(x)) {
        return false;
    }
    const struct toklat_group *g = &groups.at[x->at.action.group];
    uint32_t count = x->request.create.count;
    if (g->state != TOKLAT_GROUP_READY) {
        return problem_field(&x->problem, 409, "image",
                             text_of(states[g->state < 3 ? g->state : 3]), "ready");
    }
    if (x->request.endpoint == API_VM_CLONE && groups.machine.store.capacity_bytes == 0) {
        return problem_plain(&x->problem, 409, "there is no store");
    }
    if (count > groups_free(g)) {
        return problem_number(&x->problem, 409, "count", count,
                              "at most %u, the numbers of %.*s that are free", groups_free(g),
                              TOKLAT_NAME_BYTES, g->name);
    }
    return true;
}

static enum step begin(struct exchange *x, struct out *out)
{
    const struct key_entry *entry = NULL;
    x->at.action.stage = CHECK;
    if (x->request.key != 0) {
        switch (keys_begin(x->request.key, request_hash(x), &entry)) {
        case KEY_OTHER:
            problem_field(&x->problem, 422, "Idempotency-Key", text_of(""),
                          "the request that had it first, and no other");
            return STEP_DONE;
        case KEY_PENDING:
            problem_field(&x->problem, 409, "Idempotency-Key", text_of(""),
                          "one of a request that is not being done at this moment");
            x->problem.retry_s = 1;
            return STEP_DONE;
        case KEY_DONE:
            x->at.action.group = entry->group;
            return answer(x, out, &entry->made);
        default:
            break;
        }
    }
    if (!check(x)) {
        keys_end(x->request.key, 0, NULL);
        return STEP_DONE;
    }
    x->at.action.stage = MAKE;
    return STEP_MORE;
}

/* Turns back, with the problem that there is now. */
static enum step unmake(struct exchange *x)
{
    struct action_cursor *c = &x->at.action;
    c->refusal = x->problem;
    x->problem.status = 0;
    x->give_up_ns = 0;
    c->stage = UNMAKE;
    return STEP_MORE;
}

/* Starts the VM that was made last, if that was asked for. */
static enum step start(struct exchange *x)
{
    struct action_cursor *c = &x->at.action;
    if (c->starting == 0) {
        return STEP_MORE;
    }
    enum step step = judge(x, control_simple(TOKLAT_VM_START, c->starting, 0, 0), c->starting);
    c->starting = step == STEP_MORE ? 0 : c->starting;
    return step;
}

static enum step make_one(struct exchange *x, uint64_t operation, uint64_t from)
{
    struct action_cursor *c = &x->at.action;
    int64_t result = control_simple(operation, from, 0, 0);
    enum step step = judge(x, result, operation == TOKLAT_VM_CLONE ? x->request.number : 0);
    if (step != STEP_MORE) {
        return step;
    }
    if (!ranges_add(&c->made, (uint32_t)result)) {
        control_simple(TOKLAT_VM_DESTROY, (uint64_t)result, 0, 0);
        problem_number(&x->problem, 409, "count", x->request.create.count,
                       "free numbers in at most %u ranges", RANGES_MAX);
        return STEP_DONE;
    }
    c->done++;
    c->starting = x->request.create.start ? (uint32_t)result : 0;
    return STEP_MORE;
}

static enum step make(struct exchange *x, struct out *out, uint64_t operation, uint64_t from)
{
    struct action_cursor *c = &x->at.action;
    for (unsigned i = 0; i < API_BATCH; i++) {
        enum step step = start(x);
        if (step == STEP_MORE && c->done == x->request.create.count) {
            keys_end(x->request.key, c->group, &c->made);
            return answer(x, out, &c->made);
        }
        step = step == STEP_MORE ? make_one(x, operation, from) : step;
        if (step != STEP_MORE) {
            return step == STEP_DONE ? unmake(x) : step;
        }
    }
    return STEP_MORE;
}

/* The last range's last number goes first. One that EL2 does not give up within the time stays. */
static enum step unmake_batch(struct exchange *x)
{
    struct action_cursor *c = &x->at.action;
    for (unsigned i = 0; i < API_BATCH && c->made.count > 0; i++) {
        struct range *last = &c->made.at[c->made.count - 1];
        enum step step = judge(x, control_simple(TOKLAT_VM_DESTROY, last->last, 0, 0), last->last);
        if (step == STEP_LATER) {
            return step;
        }
        c->made.count -= last->first == last->last ? 1 : 0;
        last->last--;
        x->give_up_ns = 0;
    }
    if (c->made.count > 0) {
        x->problem.status = 0;
        return STEP_MORE;
    }
    keys_end(x->request.key, 0, NULL);
    x->problem = c->refusal;
    return STEP_DONE;
}

static enum step make_step(struct exchange *x, struct out *out, uint64_t operation, uint64_t from)
{
    switch (x->at.action.stage) {
    case CHECK:
        return begin(x, out);
    case MAKE:
        return make(x, out, operation, from);
    default:
        return unmake_batch(x);
    }
}

enum step step_create(struct exchange *x, struct out *out)
{
    return make_step(x, out, TOKLAT_VM_CREATE, x->at.action.group);
}

enum step step_clone(struct exchange *x, struct out *out)
{
    return make_step(x, out, TOKLAT_VM_CLONE, x->request.number);
}
