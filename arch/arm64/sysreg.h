/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System registers as the manual spells them, and their bits that EL2 uses (Arm ARM D19).
 */
#ifndef ARCH_ARM64_SYSREG_H
#define ARCH_ARM64_SYSREG_H

#include "core/base/types.h"

#define read_sysreg(name)                                                                          \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("mrs %0, " #name : "=r"(value_));                                         \
        value_;                                                                                    \
    })
#define write_sysreg(name, v) __asm__ volatile("msr " #name ", %x0" ::"rZ"((uint64_t)(v)))

static inline void isb(void)
{
    __asm__ volatile("isb" ::: "memory");
}

#define dsb(domain) __asm__ volatile("dsb " #domain ::: "memory")
#define dmb(domain) __asm__ volatile("dmb " #domain ::: "memory")

/* HCR_EL2 */
#define HCR_VM (1ull << 0)
#define HCR_SWIO (1ull << 1)
#define HCR_PTW (1ull << 2)
#define HCR_FMO (1ull << 3)
#define HCR_IMO (1ull << 4)
#define HCR_AMO (1ull << 5)
#define HCR_BSU_INNER (1ull << 10)
#define HCR_DC (1ull << 12)
#define HCR_TWI (1ull << 13)
#define HCR_TWE (1ull << 14)
#define HCR_TSC (1ull << 19)
#define HCR_TIDCP (1ull << 20)
#define HCR_TACR (1ull << 21)
#define HCR_TSW (1ull << 22)
#define HCR_TTLB (1ull << 25)
#define HCR_TVM (1ull << 26)
#define HCR_RW (1ull << 31)

/* What every guest runs under; see docs/architecture.md for what each bit is there for. */
#define HCR_GUEST                                                                                  \
    (HCR_VM | HCR_SWIO | HCR_PTW | HCR_FMO | HCR_IMO | HCR_AMO | HCR_BSU_INNER | HCR_TWI |         \
     HCR_TWE | HCR_TSC | HCR_TIDCP | HCR_TACR | HCR_TSW | HCR_RW)
/* ... without translation of its own, and with. */
#define HCR_GUEST_FLAT (HCR_GUEST | HCR_DC | HCR_TVM | HCR_TTLB)
#define HCR_GUEST_MMU HCR_GUEST

/* CPTR_EL2 without VHE: RES1 bits, traps of trace and SVE; TFP is the lazy switch. */
#define CPTR_RES1 0x32ffull
#define CPTR_TZ (1ull << 8)
#define CPTR_TFP (1ull << 10)
#define CPTR_TTA (1ull << 20)
#define CPTR_BASE (CPTR_RES1 | CPTR_TZ | CPTR_TTA)

/* MDCR_EL2: debug, PMU and trace trap. */
#define MDCR_TPMCR (1ull << 5)
#define MDCR_TPM (1ull << 6)
#define MDCR_TDE (1ull << 8)
#define MDCR_TDA (1ull << 9)
#define MDCR_TDOSA (1ull << 10)
#define MDCR_TDRA (1ull << 11)

/* SCTLR_EL1 of a guest at its start: RES1 bits and cacheable instruction fetch, stage 1 off. */
#define SCTLR_EL1_INIT (0x30d00800ull | (1ull << 12))

/* MPIDR_EL1: Aff3, Aff2, Aff1, Aff0 */
#define MPIDR_AFFINITY 0xff00ffffffull

/* ESR_ELx */
#define ESR_EC(esr) (((esr) >> 26) & 0x3f)
#define ESR_IL (1ull << 25)
#define EC_UNKNOWN 0x00
#define EC_WFX 0x01
#define EC_FP 0x07
#define EC_HVC64 0x16
#define EC_SMC64 0x17
#define EC_SYSREG 0x18
#define EC_INSTRUCTION_ABORT 0x20
#define EC_DATA_ABORT 0x24
#define ESR_WNR (1ull << 6)
#define ESR_CM (1ull << 8)
#define ESR_S1PTW (1ull << 7)
#define ESR_FSC_TYPE(esr) (((esr)&0x3f) >> 2) /* without the level */
#define FSC_TRANSLATION 1
#define FSC_PERMISSION 3

/* PAR_EL1 */
#define PAR_F (1ull << 0)
#define PAR_ADDRESS 0x0000FFFFFFFFF000ull

/* PSTATE and SPSR */
#define PSTATE_EL0T 0x0ull
#define PSTATE_EL1T 0x4ull
#define PSTATE_EL1H 0x5ull
#define PSTATE_MODE(p) ((p)&0x1f)
#define PSTATE_F (1ull << 6)
#define PSTATE_I (1ull << 7)
#define PSTATE_A (1ull << 8)
#define PSTATE_D (1ull << 9)
#define PSTATE_DAIF (PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F)

/* CNTx_CTL_EL0 */
#define TIMER_ENABLE 1u
#define TIMER_IMASK 2u
#define TIMER_ISTATUS 4u

#endif
