/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memcpy, memmove and memset, 16 bytes a step. Guest memory is Normal (HCR_EL2.DC), so unaligned
 * accesses are allowed; SCTLR_EL1.A is 0.
 */
    .section .text.memmove, "ax"
    .global memmove
    .type memmove, %function
memmove:
    sub x3, x0, x1
    cmp x3, x2
    b.hs memcpy /* the target does not begin within the source: forward is safe */
    add x4, x0, x2
    add x1, x1, x2
1:  subs x2, x2, #16
    b.lo 2f
    ldp x5, x6, [x1, #-16]!
    stp x5, x6, [x4, #-16]!
    b 1b
2:  adds x2, x2, #16
    b.eq 4f
3:  ldrb w5, [x1, #-1]!
    strb w5, [x4, #-1]!
    subs x2, x2, #1
    b.ne 3b
4:  ret
    .size memmove, . - memmove

    .section .text.memcpy, "ax"
    .global memcpy
    .type memcpy, %function
memcpy:
    mov x3, x0
1:  subs x2, x2, #16
    b.lo 2f
    ldp x5, x6, [x1], #16
    stp x5, x6, [x3], #16
    b 1b
2:  tbz x2, #3, 3f
    ldr x5, [x1], #8
    str x5, [x3], #8
3:  tbz x2, #2, 4f
    ldr w5, [x1], #4
    str w5, [x3], #4
4:  tbz x2, #1, 5f
    ldrh w5, [x1], #2
    strh w5, [x3], #2
5:  tbz x2, #0, 6f
    ldrb w5, [x1]
    strb w5, [x3]
6:  ret
    .size memcpy, . - memcpy

    .section .text.memset, "ax"
    .global memset
    .type memset, %function
memset:
    and x1, x1, #0xff
    mov x5, #0x0101010101010101
    mul x1, x1, x5
    mov x3, x0
1:  subs x2, x2, #16
    b.lo 2f
    stp x1, x1, [x3], #16
    b 1b
2:  tbz x2, #3, 3f
    str x1, [x3], #8
3:  tbz x2, #2, 4f
    str w1, [x3], #4
4:  tbz x2, #1, 5f
    strh w1, [x3], #2
5:  tbz x2, #0, 6f
    strb w1, [x3]
6:  ret
    .size memset, . - memset
