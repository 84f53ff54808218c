/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What firmware and CPU offer: power through PSCI (Arm DEN0022) or a watchdog, entropy, names.
 */
#include <libfdt.h>

#include "abi/hypercall.h"
#include "arch/arm64/firmware.h"
#include "arch/arm64/sysreg.h"
#include "arch/machine.h"
#include "core/base/string.h"

#define PSCI_CPU_ON 0xC4000003

static bool psci;

RESIDENT static uint64_t smc(uint64_t function, uint64_t a, uint64_t b)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    __asm__ volatile("smc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2)
                     :
                     : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
                       "x15", "x16", "x17", "memory");
    return x0;
}

void firmware_find(const void *fdt)
{
    int node = fdt_node_offset_by_compatible(fdt, -1, "arm,psci-1.0");
    if (node < 0) {
        node = fdt_node_offset_by_compatible(fdt, -1, "arm,psci-0.2");
    }
    int bytes;
    const char *method = node >= 0 ? fdt_getprop(fdt, node, "method", &bytes) : NULL;
    /* From EL2 only SMC leads to firmware; "hvc" would call ourselves. */
    psci = method && bytes == 4 && !memcmp(method, "smc", 4);
    if (!psci) {
        bcm2835_pm_find(fdt);
    }
}

enum err firmware_start_cpu(uint64_t affinity, uint64_t entry, int *answer)
{
    if (!psci) {
        return ERR_UNSUPPORTED;
    }
    *answer = (int)smc(PSCI_CPU_ON, affinity, entry);
    return *answer == 0 ? OK : ERR_IO;
}

RESIDENT void machine_power_off(void)
{
    if (psci) {
        smc(PSCI_SYSTEM_OFF, 0, 0);
    }
    bcm2835_pm_reset(true);
}

RESIDENT void machine_reset(void)
{
    if (psci) {
        smc(PSCI_SYSTEM_RESET, 0, 0);
    }
    bcm2835_pm_reset(false);
}

/* FEAT_RNG: RNDR is S3_3_C2_C4_0; PSTATE.Z set means that no number was to be had. */
size_t machine_entropy(void *out, size_t n)
{
    if ((read_sysreg(id_aa64isar0_el1) >> 60) == 0) {
        return 0;
    }
    size_t done = 0;
    while (done < n) {
        uint64_t value, failed;
        __asm__ volatile("mrs %0, S3_3_C2_C4_0\n cset %1, eq" : "=r"(value), "=r"(failed)::"cc");
        if (failed) {
            break;
        }
        size_t part = MIN(n - done, sizeof(value));
        memcpy((char *)out + done, &value, part);
        done += part;
    }
    return done;
}

const char *machine_cpu_name(void)
{
    static const struct {
        uint16_t part;
        const char *name;
    } names[] = {
        {0xd03, "Cortex-A53"}, {0xd07, "Cortex-A57"},  {0xd08, "Cortex-A72"},
        {0xd0b, "Cortex-A76"}, {0xd0c, "Neoverse-N1"},
    };
    uint64_t midr = read_sysreg(midr_el1);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (midr >> 24 == 0x41 && (midr >> 4 & 0xfff) == names[i].part) {
            return names[i].name;
        }
    }
    return "ARMv8-A CPU";
}
