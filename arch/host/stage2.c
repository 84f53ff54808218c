/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stage-2 maintenance of the process that plays a machine: counted, and checked for
 * break-before-make (Arm ARM D8.14.1).
 */
#include "arch/stage2.h"
#include "arch/cpu.h"
#include "arch/host/host.h"

#include <stdio.h>
#include <stdlib.h>

#define VMIDS 256

static uint64_t generation[CPUS_MAX];
static uint16_t next_id[CPUS_MAX];

bool vmid_validate(struct vmid *v)
{
    unsigned cpu = cpu_index();
    HOST_COUNT(vmids, 1);
    if (v->generation != 0 && v->generation == generation[cpu]) {
        return false;
    }
    if (generation[cpu] == 0 || next_id[cpu] == VMIDS) {
        generation[cpu]++;
        next_id[cpu] = 1;
    }
    v->generation = generation[cpu];
    v->id = next_id[cpu]++;
    return true;
}

/* What a valid entry may gain without having been invalid: permission, and software's bits. */
static bool gains_only(pte_t old, pte_t pte)
{
    pte_t ignored = PTE_SW_COW | PTE_SW_SHARED | (old & PTE_TABLE ? 0xFFCull & ~PTE_NORMAL : 0);
    pte_t gain = PTE_S2AP_W | PTE_AF;
    bool loses = (old & gain & ~pte) || (pte & PTE_XN & ~old);
    return !loses && ((old ^ pte) & ~(ignored | gain | PTE_XN)) == 0;
}

void stage2_publish(pte_t *entry, pte_t pte)
{
    if (pte_is_valid(*entry) && !gains_only(*entry, pte)) {
        fprintf(stderr, "host: no break before make: 0x%llx to 0x%llx\n",
                (unsigned long long)*entry, (unsigned long long)pte);
        abort();
    }
    __atomic_store_n(entry, pte, __ATOMIC_RELEASE);
    HOST_COUNT(publishes, 1);
}

void stage2_break(pte_t *entry, ipa_t ipa, const struct vmid *v)
{
    (void)ipa;
    (void)v;
    __atomic_store_n(entry, 0, __ATOMIC_RELEASE);
    HOST_COUNT(breaks, 1);
}

void stage2_flush(const struct vmid *v)
{
    (void)v;
    HOST_COUNT(flushes, 1);
}
