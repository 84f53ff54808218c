/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generic timer (Arm ARM D11): EL2 counts physical ticks and uses CNTHP.
 */
#include <libfdt.h>

#include "arch/arm64/sysreg.h"
#include "arch/arm64/timer.h"
#include "arch/irq.h"
#include "arch/time.h"
#include "core/base/cells.h"

static uint64_t hz;
static uint32_t el2_irq, virtual_irq;

uint64_t counter_now(void)
{
    isb(); /* not before what precedes it in program order (Arm ARM D11.2.2) */
    return read_sysreg(cntpct_el0);
}

uint64_t counter_hz(void)
{
    return hz;
}

/* a * mul / div, rounded up, or UINT64_MAX. */
static uint64_t scale(uint64_t a, uint64_t mul, uint64_t div)
{
    uint64_t whole = a / div;
    uint64_t rest = a % div;
    if (whole > (UINT64_MAX - mul) / mul) {
        return UINT64_MAX;
    }
    return whole * mul + (rest * mul + div - 1) / div; /* rest * mul: both below 2^32 in practice */
}

uint64_t ticks_from_ns(uint64_t ns)
{
    return scale(ns, hz, NS_PER_S);
}

uint64_t ns_from_ticks(uint64_t ticks)
{
    return scale(ticks, NS_PER_S, hz);
}

void timer_arm(uint64_t deadline)
{
    if (deadline == TICKS_NEVER) {
        write_sysreg(cnthp_ctl_el2, 0);
    } else {
        write_sysreg(cnthp_cval_el2, deadline);
        write_sysreg(cnthp_ctl_el2, TIMER_ENABLE);
    }
    isb();
}

uint32_t irq_el2_timer(void)
{
    return el2_irq;
}

uint32_t irq_virtual_timer(void)
{
    return virtual_irq;
}

/* Entries of the timer node (Devicetree binding arm,arch_timer). */
#define ENTRY_VIRTUAL 2
#define ENTRY_HYPERVISOR 3

void timer_start_cpu(void)
{
    write_sysreg(cntv_ctl_el0, 0);
    write_sysreg(cnthp_ctl_el2, 0);
}

BOOT enum err timer_start(const void *fdt)
{
    int bytes;
    int node = fdt_node_offset_by_compatible(fdt, -1, "arm,armv8-timer");
    enum err e = node < 0 ? ERR_NOT_FOUND : irq_of_node(fdt, node, ENTRY_VIRTUAL, &virtual_irq);
    if (e == OK) {
        e = irq_of_node(fdt, node, ENTRY_HYPERVISOR, &el2_irq);
    }
    if (e != OK) {
        return ERR_INVALID;
    }
    const fdt32_t *clock = fdt_getprop(fdt, node, "clock-frequency", &bytes);
    hz = read_sysreg(cntfrq_el0);
    if (clock && bytes == 4) {
        hz = cells_read(clock, 1);
    }
    if (hz == 0 || hz > 4 * NS_PER_S) {
        return ERR_UNSUPPORTED;
    }
    timer_start_cpu();
    return OK;
}
