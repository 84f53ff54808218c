/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generic timer of this CPU.
 */
#ifndef ARCH_ARM64_TIMER_H
#define ARCH_ARM64_TIMER_H

#include "core/base/error.h"

/* Reads the counter's frequency and the timers' interrupts. ERR_INVALID: the device tree has no
 * usable timer node; ERR_UNSUPPORTED: neither it nor CNTFRQ_EL0 gives a frequency. */
enum err timer_start(const void *fdt) MUST_USE;

/* Silences the timers of the CPU that calls. */
void timer_start_cpu(void);

#endif
