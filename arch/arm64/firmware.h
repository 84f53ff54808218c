/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware below EL2.
 */
#ifndef ARCH_ARM64_FIRMWARE_H
#define ARCH_ARM64_FIRMWARE_H

/* Looks for PSCI in the device tree. */
void firmware_find(const void *fdt);

#endif
