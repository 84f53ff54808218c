/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware below EL2.
 */
#ifndef ARCH_ARM64_FIRMWARE_H
#define ARCH_ARM64_FIRMWARE_H

#include "core/base/error.h"

/* Looks for PSCI in the device tree. */
void firmware_find(const void *fdt);

/* PSCI CPU_ON (DEN0022, 5.1.4): starts the CPU of that affinity at `entry`, a physical address.
 * ERR_UNSUPPORTED: there is no PSCI; ERR_IO: it refuses, with `*answer`. */
enum err firmware_start_cpu(uint64_t affinity, uint64_t entry, int *answer) MUST_USE;

#endif
