/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware below EL2.
 */
#ifndef ARCH_ARM64_FIRMWARE_H
#define ARCH_ARM64_FIRMWARE_H

#include "core/base/error.h"

/* Looks in the device tree for PSCI, and for what resets the board where there is none. */
void firmware_find(const void *fdt);

/* PSCI CPU_ON (DEN0022, 5.1.4): starts the CPU of that affinity at `entry`, a physical address.
 * ERR_UNSUPPORTED: there is no PSCI; ERR_IO: it refuses, with `*answer`. */
enum err firmware_start_cpu(uint64_t affinity, uint64_t entry, int *answer) MUST_USE;

/* The watchdog of a BCM2835: found and mapped; resets the machine, or has its firmware leave it
 * off, and returns only if there is none. */
void bcm2835_pm_find(const void *fdt);
void bcm2835_pm_reset(bool halt);

#endif
