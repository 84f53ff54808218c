/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry, as the Linux arm64 boot protocol has it (Documentation/arm64/booting): MMU and data cache
 * off, x0 = device tree, the image cleaned to the point of coherency. Nothing is known yet but the
 * address that the code runs at.
 */
#include "arch/arm64/offsets.h"

#define PAGE 4096

        .section .head, "ax"
        .global image_start
head:   b       start
        .long   0
        .quad   0                       // text_offset
        .long   image_size, 0           // 32 bits: an absolute 64-bit one would be relocated
        .quad   0b1010                  // little-endian, 4 KiB pages, anywhere in RAM
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .long   0

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

        .text
        .global boot_leave
boot_leave:
        mrs     x2, tpidr_el2
        mov     sp, x2
        br      x1

        .bss
        .balign 16
        .space  4096
boot_stack_top:
