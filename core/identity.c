/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system page: who a VM is.
 */
#include "core/identity.h"
#include "abi/hypercall.h"
#include "arch/time.h"
#include "core/base/random.h"
#include "core/base/string.h"

/* Generations of one boot; those of the next one with the same store begin behind them. */
#define GENERATION_BOOT_SHIFT 40

static uint64_t wall_base_ns;
static uint64_t machine_base_ns; /* machine time when the physical counter was 0 */
static uint64_t generations;     /* handed out; never 0 to a guest */

BOOT void identity_set_wall_base(uint64_t ns)
{
    wall_base_ns = ns;
}

BOOT void identity_continue(uint64_t boots, uint64_t machine_ns)
{
    generations = boots << GENERATION_BOOT_SHIFT;
    machine_base_ns = machine_ns;
}

bool identity_has_wall(void)
{
    return wall_base_ns;
}

uint64_t identity_wall_ns(uint64_t ticks)
{
    return (wall_base_ns ? wall_base_ns : machine_base_ns) + ns_from_ticks(ticks);
}

/* Guests count machine time. */
static uint64_t guest_wall_base(void)
{
    return wall_base_ns ? wall_base_ns - machine_base_ns : 0;
}

static void put_ipv4(uint8_t out[4], uint32_t address)
{
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (uint8_t)(address >> (24 - 8 * i));
    }
}

static void put_peers(struct toklat_system_page *p, const struct deployment_group *c)
{
    p->peer_count = c->peer_count;
    for (unsigned i = 0; i < c->peer_count; i++) {
        const struct deployment_group *peer = groups[c->peers[i]].config;
        string_copy(p->peers[i].name, sizeof(p->peers[i].name), peer->name);
        put_ipv4(p->peers[i].ipv4_first, switch_ipv4(peer->first_vm));
        p->peers[i].count = peer->count;
    }
}

/* What differs between any two lives of any two VMs. */
static void put_fresh(struct toklat_system_page *p, uint32_t number)
{
    p->generation = ++generations;
    random_stream(p->generation, number, p->seed, sizeof(p->seed));
}

enum err identity_own_page(struct vm *vm)
{
    void *page;
    enum err e = space_resolve(&vm->space, IPA(TOKLAT_SYSTEM_PAGE), ACCESS_WRITE, &page);
    if (e == OK) {
        vm->page = page;
    }
    return e;
}

enum err identity_first(struct vm *vm)
{
    enum err e = identity_own_page(vm);
    if (e != OK) {
        return e;
    }
    struct toklat_system_page *p = vm->page;
    const struct group *g = vm_group(vm);
    p->magic = TOKLAT_SYSTEM_MAGIC;
    p->abi_version = TOKLAT_ABI_VERSION;
    p->memory_bytes = (uint64_t)g->image.layout.pages << PAGE_SHIFT;
    p->counter_hz = counter_hz();
    p->wall_base_ns = guest_wall_base();
    string_copy(p->name, sizeof(p->name), g->config->name);
    string_copy(p->args, sizeof(p->args), g->config->args);
    put_peers(p, g->config);
    put_fresh(p, 0);
    vm_show_account(vm);
    return OK;
}

/* Part of every start of a clone. */
inline enum err identity_clone(struct vm *vm)
{
    enum err e = identity_own_page(vm);
    if (e != OK) {
        return e;
    }
    struct toklat_system_page *p = vm->page;
    uint32_t number = vm->stub->number;
    const struct switch_config *net = switch_get_config();
    p->vm_number = number;
    p->instance = vm_instance(vm->stub);
    p->wall_base_ns = guest_wall_base();
    put_fresh(p, number);
    if (vm_group(vm)->config->reach != NIC_NONE) {
        switch_mac(number, p->mac);
        p->mtu = NIC_MTU;
        put_ipv4(p->ipv4, switch_ipv4(number));
        put_ipv4(p->netmask, net->netmask);
        put_ipv4(p->gateway, net->gateway);
    }
    vm_show_account(vm);
    return OK;
}

enum err identity_return(struct vm *vm, bool fresh)
{
    enum err e = identity_own_page(vm);
    if (e == OK && vm->page->vm_number != vm->stub->number) { /* the clone of a running VM */
        vm->stub->events |= TOKLAT_EVENT_RESUMED;
        return identity_clone(vm);
    }
    if (e == OK && fresh) {
        vm->page->wall_base_ns = guest_wall_base();
        put_fresh(vm->page, vm->stub->number);
        vm->stub->events |= TOKLAT_EVENT_RESUMED;
    }
    if (e == OK) {
        vm_show_account(vm);
    }
    return e;
}
