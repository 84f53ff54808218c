/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry, as the Linux arm64 boot protocol has it (Documentation/arm64/booting): MMU and data cache
 * off, x0 = device tree, the image cleaned to the point of coherency. Nothing is known yet but the
 * address that the code runs at.
 *
 * The other CPUs enter at secondary_entry, MMU and data cache off, from PSCI or a spin table.
 */
#include "arch/arm64/offsets.h"

#define PAGE 4096

        .section .head, "ax"
        .global image_start
        b       start
        .long   0
        .quad   0                       // text_offset
        .long   image_size, 0           // 32 bits: an absolute 64-bit one would be relocated
        .quad   0b1010                  // little-endian, 4 KiB pages, anywhere in RAM
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .long   0

        .section .text_boot, "ax"
start:  msr     daifset, #0xf
        mov     x20, x0
        adrp    x1, boot_stack_top
        add     sp, x1, :lo12:boot_stack_top

        // Zero what the loader does not: [data_end, image_end).
        adrp    x1, data_end
        adrp    x2, image_end
1:      stp     xzr, xzr, [x1], #16
        cmp     x1, x2
        b.lo    1b

        // Relocate: every entry is R_AARCH64_RELATIVE (1027): *(base + offset) = base + addend.
        adrp    x1, image_start
        adrp    x2, rela_start
        add     x2, x2, :lo12:rela_start
        adrp    x3, rela_end
        add     x3, x3, :lo12:rela_end
2:      cmp     x2, x3
        b.hs    3f
        ldp     x4, x5, [x2]
        ldr     x6, [x2, #16]
        add     x2, x2, #24
        cmp     w5, #1027
        b.ne    2b
        add     x6, x6, x1
        str     x6, [x4, x1]
        b       2b

3:      mrs     x1, CurrentEL
        lsr     x1, x1, #2
        mov     x0, x20
        bl      boot_main               // never returns

        .global boot_leave
boot_leave:
        mrs     x2, tpidr_el2
        mov     sp, x2
        br      x1

        .text
// void mmu_enable(const struct mmu_registers *r): reads nothing else and uses no stack.
        .global mmu_enable
mmu_enable:
        ldp     x1, x2, [x0]
        ldp     x3, x4, [x0, #16]
        ldr     x5, [x0, #32]
        msr     mair_el2, x1
        msr     tcr_el2, x2
        msr     vtcr_el2, x3
        msr     ttbr0_el2, x4
        isb
        tlbi    alle2
        tlbi    alle1
        ic      iallu
        dsb     nsh
        isb
        msr     sctlr_el2, x5
        isb
        ret

// Until its MMU is on this CPU reads code and mmu_registers alone, and writes nothing: a line that
// another CPU's cache holds hides neither. The boot CPU wrote mmu_registers with its MMU off, and
// nobody writes it again, so memory has it and nothing needs cleaning; table walks are coherent.
//
// Coherent they are once CPUECTLR_EL1.SMPEN is set, which must precede caches and MMU (Cortex-A53
// TRM, DDI 0500; Cortex-A72 TRM, 100095: CPUECTLR_EL1). That is EL3's to do before it enters here:
// ACTLR_EL3 and ACTLR_EL2 decide whether EL2 may write the register at all.
        .global secondary_entry
secondary_entry:
        msr     daifset, #0xf
        mrs     x0, CurrentEL
        cmp     x0, #2 << 2
        b.ne    park
        mov     x0, #1 << 31            // HCR_EL2.RW; E2H off, before TCR_EL2 is written
        msr     hcr_el2, x0
        isb
        adrp    x0, mmu_registers
        add     x0, x0, :lo12:mmu_registers
        bl      mmu_enable

        // Its index, by its affinity (MPIDR_AFFINITY): a spin table gives no argument.
        mrs     x1, mpidr_el1
        and     x1, x1, #0xffffffffff
        and     x1, x1, #~0xff000000
        adrp    x2, cpu_affinity
        add     x2, x2, :lo12:cpu_affinity
        mov     x0, #1                  // 0 is the boot CPU
1:      ldr     x3, [x2, x0, lsl #3]
        add     x0, x0, #1
        cmp     x3, x1
        b.eq    2f
        cmp     x0, #8                  // CPUS_MAX
        b.lo    1b
park:   wfi
        b       park

2:      adrp    x1, stacks
        mov     x2, #CPU_STRIDE
        madd    x1, x0, x2, x1          // index + 1 strides up
        sub     sp, x1, #CPU_BYTES
        sub     x0, x0, #1
        b       secondary_main          // never returns

        .bss
        .balign 16
        .space  4096
boot_stack_top:
