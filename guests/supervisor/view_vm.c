/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM object, and what steps on one VM share.
 */
#include "guests/supervisor/steps.h"

struct toklat_vm vm_batch[TOKLAT_VM_READ_MAX] __attribute__((aligned(8)));

const char *const vm_state_names[TOKLAT_VM_STATES] = {"defined", "running", "runnable", "idle",
                                                      "waiting", "stored",  "paused",   "dead"};

uint64_t vm_uss_bytes(const struct toklat_vm *vm)
{
    return ((uint64_t)vm->private_pages + vm->table_pages) * TOKLAT_PAGE_BYTES +
           vm->descriptor_bytes;
}

uint64_t vm_rss_bytes(const struct toklat_vm *vm)
{
    return ((uint64_t)vm->private_pages + vm->shared_pages) * TOKLAT_PAGE_BYTES;
}

uint64_t vm_pss_bytes(const struct toklat_vm *vm)
{
    return vm->pss_bytes + (uint64_t)vm->table_pages * TOKLAT_PAGE_BYTES + vm->descriptor_bytes;
}

static const char *state_name(const struct toklat_vm *vm)
{
    return vm->brief.state < TOKLAT_VM_STATES ? vm_state_names[vm->brief.state] : "unknown";
}

static void put_name(struct out *out, const struct toklat_group *g, uint32_t number)
{
    if (g != NULL) {
        out_bytes(out, g->name, strnlen(g->name, TOKLAT_NAME_BYTES));
    }
    out_char(out, '/');
    out_u64(out, g != NULL ? number - g->first_vm + 1 : number);
}

void vm_write_name(struct out *out, uint32_t number)
{
    int group = groups_of_vm(number);
    out_char(out, '"');
    put_name(out, group >= 0 ? &groups.at[group] : NULL, number);
    out_char(out, '"');
}

static void put_address(struct out *out, uint32_t number)
{
    const uint8_t *own = api.own_ipv4;
    uint32_t base =
        (uint32_t)own[0] << 24 | (uint32_t)own[1] << 16 | (uint32_t)own[2] << 8 | own[3];
    uint32_t address = base - api.own_number + number;
    out_field(out, ",\"ipv4\":\"", address >> 24);
    out_field(out, ".", address >> 16 & 0xff);
    out_field(out, ".", address >> 8 & 0xff);
    out_field(out, ".", address & 0xff);
    out_char(out, '"');
}

static void put_sizes(struct out *out, const struct toklat_vm *vm, bool with_pss)
{
    out_field(out, ",\"uss_bytes\":", vm_uss_bytes(vm));
    out_field(out, ",\"rss_bytes\":", vm_rss_bytes(vm));
    if (with_pss) {
        out_field(out, ",\"pss_bytes\":", vm_pss_bytes(vm));
    }
    out_field(out, ",\"stage2_bytes\":", (uint64_t)vm->table_pages * TOKLAT_PAGE_BYTES);
    out_field(out, ",\"descriptor_bytes\":", vm->descriptor_bytes);
    out_field(out, ",\"stored_bytes\":", vm->record_bytes);
    out_field(out, ",\"record\":", vm->record);
}

static void put_rest(struct out *out, const struct toklat_vm *vm, const struct toklat_group *g)
{
    out_text(out, ",\"cpu_seconds\":");
    out_seconds(out, vm->cpu_ns);
    out_field(out, ",\"rx_frames\":", vm->rx_frames);
    out_field(out, ",\"tx_frames\":", vm->tx_frames);
    out_field(out, ",\"dropped_frames\":", (uint64_t)vm->rx_dropped + vm->tx_dropped);
    if (g != NULL && g->network != TOKLAT_NETWORK_NONE) {
        put_address(out, vm->brief.number);
    } else {
        out_text(out, ",\"ipv4\":null");
    }
}

/* Of most of very many VMs there is nothing to say. */
static bool is_blank(const struct toklat_vm *vm)
{
    return vm->private_pages == 0 && vm->table_pages == 0 && vm->descriptor_bytes == 0 &&
           vm->record_bytes == 0 && vm->cpu_ns == 0 && vm->brief.cpu == 0;
}

void vm_write(struct out *out, const struct toklat_vm *vm, enum list_fields fields, bool with_pss)
{
    uint32_t number = vm->brief.number;
    const struct toklat_group *g =
        groups_exists(vm->brief.group) ? &groups.at[vm->brief.group] : NULL;
    out_field(out, "{\"number\":", number);
    out_text(out, ",\"name\":\"");
    put_name(out, g, number);
    if (fields != FIELDS_LIST) {
        out_text(out, "\",\"image\":\"");
        out_bytes(out, g != NULL ? g->name : "",
                  g != NULL ? strnlen(g->name, TOKLAT_NAME_BYTES) : 0);
        out_field(out, "\",\"instance\":", g != NULL ? number - g->first_vm + 1 : number);
        out_text(out, ",\"state\":\"");
    } else {
        out_text(out, "\",\"state\":\"");
    }
    out_text(out, state_name(vm));
    if (fields == FIELDS_BRIEF) {
        out_text(out, "\"}");
        return;
    }
    if (fields == FIELDS_LIST && is_blank(vm)) {
        out_text(out, "\",\"cpu\":0,\"uss_bytes\":0,\"stored_bytes\":0,\"cpu_seconds\":0.000000}");
        return;
    }
    out_field(out, "\",\"cpu\":", vm->brief.cpu);
    if (fields == FIELDS_LIST) {
        out_field(out, ",\"uss_bytes\":", vm_uss_bytes(vm));
        out_field(out, ",\"stored_bytes\":", vm->record_bytes);
        out_text(out, ",\"cpu_seconds\":");
        out_seconds(out, vm->cpu_ns);
    } else {
        put_sizes(out, vm, with_pss);
        put_rest(out, vm, g);
    }
    out_char(out, '}');
}

bool vm_find(struct exchange *x, uint64_t flags)
{
    return control_read_one(x->request.number, &vm_batch[0], flags) ||
           problem_number(&x->problem, 404, "number", x->request.number, "a VM that exists");
}

enum step wait_until(struct exchange *x, uint64_t wake_ns)
{
    x->wake_ns = wake_ns < x->wake_ns ? wake_ns : x->wake_ns;
    return STEP_LATER;
}

static enum step judge_busy(struct exchange *x, uint32_t number)
{
    uint64_t now = platform_now_ns();
    if (x->give_up_ns == 0) {
        x->give_up_ns = now + API_BUSY_NS;
    }
    if (now < x->give_up_ns) {
        return wait_until(x, now + API_RETRY_NS);
    }
    problem_number(&x->problem, 409, "number", number,
                   "a VM that can do this now; it could not for %u s",
                   (unsigned)(API_BUSY_NS / 1000000000));
    return STEP_DONE;
}

enum step judge(struct exchange *x, int64_t result, uint32_t number)
{
    struct problem *p = &x->problem;
    if (result >= 0) {
        x->give_up_ns = 0;
        return STEP_MORE;
    }
    switch (result) {
    case TOKLAT_E_BUSY:
        return judge_busy(x, number);
    case TOKLAT_E_NOT_FOUND:
        problem_number(p, 404, "number", number, "what exists");
        break;
    case TOKLAT_E_DENIED:
        problem_number(p, 403, "number", number, "not the supervisor itself");
        break;
    case TOKLAT_E_NO_MEMORY:
        problem_plain(p, 503, "no memory for this now");
        p->retry_s = 1;
        break;
    case TOKLAT_E_INVALID:
    case TOKLAT_E_RANGE:
        problem_number(p, 409, "number", number, "what can do this; EL2 answers %d", (int)result);
        break;
    default:
        problem_plain(p, 500, "EL2 answers %d", (int)result);
        break;
    }
    return STEP_DONE;
}

enum step step_vm(struct exchange *x, struct out *out)
{
    if (vm_find(x, TOKLAT_VM_READ_PSS)) {
        vm_write(out, &vm_batch[0], FIELDS_FULL, true);
        out_char(out, '\n');
    }
    return STEP_DONE;
}
