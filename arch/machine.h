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
    struct machine_range initrd;  /* bytes 0: none */
    const char *bootargs;         /* never NULL */
    const char *model;            /* never NULL */
    unsigned cpu_count;           /* that the device tree lists and EL2 has room for */
    const uint64_t *cpu_affinity; /* of each, as MPIDR_EL1 has it; the boot CPU is the first */
    uint64_t el2_text_bytes, el2_rodata_bytes, el2_data_bytes; /* that stay */
    uint64_t el2_boot_bytes; /* code and read-only data of the boot, given back after it */
};

/* Implemented above arch: the rest of the boot, on the boot CPU, MMU on, on its stack. */
void machine_main(const struct machine *m) NORETURN;

/* Implemented above arch: the rest of the boot of CPU `cpu_index()`, which is not the boot CPU: MMU
 * on, interrupt interface and timers started, interrupts masked, on its stack. */
void machine_secondary(void) NORETURN;

/* Starts CPU `cpu`, 1 to `m->cpu_count` - 1 in the order of the device tree, and waits, for a
 * second at most, until it is about to call machine_secondary(). What was written before is seen
 * there. Boot CPU, once for each, interrupts started. ERR_UNSUPPORTED: the device tree names no way
 * to start it that there is; ERR_INVALID, ERR_RANGE, ERR_NO_MEMORY: it releases it by an address
 * that cannot be written; ERR_IO: firmware refuses, with `*why`, a negative result of PSCI;
 * ERR_BUSY: it did not come in time, and halts if it comes later; ERR_NOT_FOUND: it came and
 * halted, for the interrupt controller has no interface for it. */
enum err machine_start_cpu(const struct machine *m, unsigned cpu, int *why) MUST_USE;

/* The memory of what is BOOT: from now on nobody may execute it or read it for what it was; it is
 * RAM like any other, mapped writable. Boot CPU, once, from code that is not BOOT, when the boot is
 * over on all CPUs. */
struct machine_range machine_release_boot(void) MUST_USE;

/* Stops all CPUs for good: this one now, the others when they next take an interrupt, which they
 * are sent. Any CPU. */
void machine_halt(void) NORETURN;

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
