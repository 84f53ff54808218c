/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generic timer (Arm ARM D11): EL2 counts physical ticks and uses CNTHP.
 */
#include <libfdt.h>

#include "arch/arm64/sysreg.h"
#include "arch/arm64/timer.h"
#include "arch/irq.h"
#include "arch/time.h"
#include "core/base/devicetree.h"
#include "core/base/log.h"

#define HZ_MAX (4ull * NS_PER_S) /* scale() multiplies by it */

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

/* What the tree says overrides what firmware set: it is there for firmware that set nothing. */
BOOT static enum err find_frequency(const void *fdt, int node)
{
    uint64_t clock = dt_number(fdt, node, "clock-frequency");
    hz = read_sysreg(cntfrq_el0);
    if (clock == 0 && fdt_getprop(fdt, node, "clock-frequency", NULL)) {
        log_warn("device tree: timer: clock-frequency of 0 Hz; CNTFRQ_EL0 has %llu",
                 (unsigned long long)hz);
    }
    hz = clock ? clock : hz;
    if (hz == 0 || hz > HZ_MAX) {
        log_error("timer: a counter at %llu Hz, limit 1 to %llu: neither CNTFRQ_EL0 nor "
                  "clock-frequency says more",
                  (unsigned long long)hz, HZ_MAX);
        return ERR_UNSUPPORTED;
    }
    return OK;
}

BOOT enum err timer_start(const void *fdt)
{
    int node = fdt_node_offset_by_compatible(fdt, -1, "arm,armv8-timer");
    if (node < 0) {
        node = fdt_node_offset_by_compatible(fdt, -1, "arm,armv7-timer"); /* the Pi 3's tree */
    }
    if (node < 0) {
        log_error("device tree: no arm,armv8-timer or arm,armv7-timer");
        return ERR_INVALID;
    }
    enum err e = irq_of_node(fdt, node, ENTRY_VIRTUAL, &virtual_irq);
    if (e == OK) {
        e = irq_of_node(fdt, node, ENTRY_HYPERVISOR, &el2_irq);
    }
    if (e != OK) {
        log_error("device tree: timer: interrupts: %s", err_name(e));
        return ERR_INVALID;
    }
    e = find_frequency(fdt, node);
    if (e == OK) {
        timer_start_cpu();
    }
    return e;
}
