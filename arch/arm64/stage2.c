/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the hardware caches of stage 2: identifiers and TLB maintenance.
 *
 * A space runs on its home CPU alone and its identifier belongs to that CPU, so all maintenance is
 * local: non-shareable TLBI, nothing is broadcast.
 */
#include "arch/stage2.h"
#include "arch/arm64/cpu.h"

#define VMID_MAX 255 /* 8 bits: VTCR_EL2.VS is 0 on all CPUs, 0 is EL2's own */

static const pte_t empty_root[STAGE2_ROOT_ENTRIES] __attribute__((aligned(128)));

uint64_t stage2_nobody(void)
{
    return (uint64_t)empty_root;
}

bool vmid_validate(struct vmid *v)
{
    struct cpu *cpu = cpu_this();
    if (likely(v->generation == cpu->vmid_generation)) {
        return false;
    }
    if (cpu->vmid_next > VMID_MAX) {
        cpu->vmid_generation++;
        cpu->vmid_next = 1;
        dsb(nshst);
        __asm__ volatile("tlbi alle1" ::: "memory"); /* all VMIDs, stages 1 and 2, this CPU */
        dsb(nsh);
        isb();
    }
    v->generation = cpu->vmid_generation;
    v->id = (uint16_t)cpu->vmid_next++;
    return true;
}

void stage2_publish(pte_t *entry, pte_t pte)
{
    dsb(nshst); /* what the entry points to, before the entry: partner is the table walk */
    *(volatile pte_t *)entry = pte;
    dsb(nshst); /* the entry, before the guest's next walk */
}

/* TLBI of stage 2 acts on the VMID in VTTBR_EL2. */
static uint64_t vmid_select(const struct vmid *v)
{
    uint64_t old = read_sysreg(vttbr_el2);
    if (old >> 48 != v->id) {
        write_sysreg(vttbr_el2, stage2_nobody() | (uint64_t)v->id << 48);
        isb();
    }
    return old;
}

static void vmid_restore(const struct vmid *v, uint64_t old)
{
    if (old >> 48 != v->id) {
        write_sysreg(vttbr_el2, old);
        isb();
    }
}

/* An identifier of an older generation has nothing cached: the rollover invalidated everything. */
static bool vmid_is_cached(const struct vmid *v)
{
    return v->generation == cpu_this()->vmid_generation;
}

/* Arm ARM D8.14.1; TLBI IPAS2E1 takes IPA[47:12] and leaves entries that combine both stages, which
 * VMALLE1 takes away (D8.14.5). */
void stage2_break(pte_t *entry, ipa_t ipa, const struct vmid *v)
{
    *(volatile pte_t *)entry = 0;
    if (!vmid_is_cached(v)) {
        return;
    }
    dsb(nshst);
    uint64_t old = vmid_select(v);
    __asm__ volatile("tlbi ipas2e1, %0" ::"r"(ipa.v >> PAGE_SHIFT) : "memory");
    dsb(nsh);
    __asm__ volatile("tlbi vmalle1" ::: "memory");
    dsb(nsh);
    isb();
    vmid_restore(v, old);
}

void stage2_flush(const struct vmid *v)
{
    if (!vmid_is_cached(v)) {
        return;
    }
    dsb(nshst);
    uint64_t old = vmid_select(v);
    __asm__ volatile("tlbi vmalls12e1" ::: "memory");
    dsb(nsh);
    isb();
    vmid_restore(v, old);
}
