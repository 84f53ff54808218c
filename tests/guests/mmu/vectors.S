/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vectors of a guest that has stage 1 faults and takes them itself: a synchronous exception from
 * EL1h is counted and the instruction skipped, or the call of what cannot be fetched; all others go
 * to the runtime's vectors.
 */
    .macro to_runtime number
    .balign 128
    b rt_vectors + 128 * \number
    .endm

    .section .text.vectors, "ax"
    .balign 2048
own_vectors:
    .irp n, 0, 1, 2, 3
    to_runtime \n
    .endr
    .balign 128
    stp x0, x1, [sp, #-16]!
    stp x2, x3, [sp, #-16]!
    adrp x0, aborts
    add x0, x0, :lo12:aborts
    ldr x1, [x0]
    add x1, x1, #1
    str x1, [x0]
    mrs x1, esr_el1
    adrp x0, abort_esr
    str x1, [x0, :lo12:abort_esr]
    mrs x1, far_el1
    adrp x0, abort_far
    str x1, [x0, :lo12:abort_far]
    mrs x1, esr_el1
    lsr x1, x1, #26
    cmp x1, #0x21               // of a fetch: to the caller
    mrs x1, elr_el1
    add x1, x1, #4
    csel x1, x30, x1, eq
    msr elr_el1, x1
    ldp x2, x3, [sp], #16
    ldp x0, x1, [sp], #16
    eret
    .irp n, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    to_runtime \n
    .endr

    .text
    .global stage1_vectors
stage1_vectors:
    adrp x0, own_vectors
    add x0, x0, :lo12:own_vectors
    msr vbar_el1, x0
    isb
    ret
