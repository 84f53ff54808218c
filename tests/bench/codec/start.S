/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry of the codec's bench, which has a machine for itself, and its way out: semihosting.
 */
        .text
        .global start
start:  adrp    x1, stack_top
        add     sp, x1, :lo12:stack_top
        bl      bench_main
        mov     x1, #0                  // falls through: the end

// uint64_t semihost(const void *argument, uint64_t operation)
        .global semihost
semihost:
        cbnz    x1, 1f
        adr     x0, exit_status
        mov     x1, #0x18               // SYS_EXIT
1:      mov     x2, x0
        mov     x0, x1
        mov     x1, x2
        hlt     #0xf000
        ret

        .balign 8
exit_status:
        .quad   0x20026, 0              // ADP_Stopped_ApplicationExit

        .bss
        .balign 16
        .space  16384
stack_top:
