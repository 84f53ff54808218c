/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contract: what the machine is, as its device tree and its boot loader say.
 */
#ifndef ARCH_MACHINE_H
#define ARCH_MACHINE_H

#include "core/base/error.h"
#include "core/base/types.h"

#define MACHINE_RAM_MAX 8
#define MACHINE_USED_MAX 32

struct machine_range {
    uint64_t base;
    uint64_t bytes;
};

struct machine {
    const void *fdt;
    struct machine_range ram[MACHINE_RAM_MAX]; /* page-aligned, disjoint, ascending */
    unsigned ram_count;
    struct machine_range used[MACHINE_USED_MAX]; /* EL2's image, firmware, device tree, archive */
    unsigned used_count;
    struct machine_range initrd; /* bytes 0: none */
    const char *bootargs;        /* never NULL */
    const char *model;           /* never NULL */
    unsigned cpu_count;          /* that the device tree lists */
    uint64_t el2_text_bytes, el2_rodata_bytes, el2_data_bytes;
};

/* Implemented above arch: the rest of the boot, on the boot CPU, MMU on, on its stack. */
void machine_main(const struct machine *m) NORETURN;

/* Implemented above arch: says on the console that EL2 is needed, and stops. Boot CPU, MMU off. */
void machine_wrong_level(const struct machine *m, unsigned level) NORETURN;

/* Maps a device's registers at their own address; never executable. ERR_RANGE: they lie in RAM, or
 * where EL2 cannot map; ERR_NO_MEMORY: the pool of boot tables is used up. Boot CPU. */
enum err machine_map_device(uint64_t base, uint64_t bytes) MUST_USE;

/* Finds and starts the interrupt controller and this CPU's timers. ERR_NOT_FOUND: the device tree
 * names none that EL2 knows; ERR_INVALID: it is malformed. */
enum err machine_start_interrupts(const struct machine *m) MUST_USE;

/* The name of what was found, for the boot messages. */
const char *machine_interrupt_controller(void);

/* Short name of the CPU that runs this, from its identification register. */
const char *machine_cpu_name(void);

/* Stops or restarts the machine through its firmware; returns if there is none. */
void machine_power_off(void);
void machine_reset(void);

/* Entropy of the CPU's own (FEAT_RNG) if it has any; returns bytes written. */
size_t machine_entropy(void *out, size_t n);

#endif
