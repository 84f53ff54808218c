/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry and exception vectors at EL1h. Only entry 5, IRQ from the current EL with SP_ELx, is
 * expected: it is the exception that EL2 fabricates for pending events. All others are faults.
 */
    .section .text.entry, "ax"
    .global rt_entry
rt_entry:
    adrp x1, rt_vectors
    add x1, x1, :lo12:rt_vectors
    msr vbar_el1, x1
    isb
    mov x29, xzr
    mov x30, xzr
    b rt_start

    .macro fault_entry number
    .balign 128
    mov x0, #\number
    b rt_fault_entry
    .endm

    .section .text.vectors, "ax"
    .balign 2048
    .global rt_vectors
rt_vectors:
    fault_entry 0
    fault_entry 1
    fault_entry 2
    fault_entry 3
    fault_entry 4
    .balign 128
    b upcall_entry
    fault_entry 6
    fault_entry 7
    fault_entry 8
    fault_entry 9
    fault_entry 10
    fault_entry 11
    fault_entry 12
    fault_entry 13
    fault_entry 14
    fault_entry 15
    .balign 128

rt_fault_entry:
    mrs x1, esr_el1
    mrs x2, elr_el1
    mrs x3, far_el1
    bl rt_fault

/* Saves what a C function may change, and what a nested upcall would. */
upcall_entry:
    sub sp, sp, #192
    stp x0, x1, [sp, #0]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x29, [sp, #144]
    mrs x0, elr_el1
    mrs x1, spsr_el1
    stp x30, x0, [sp, #160]
    str x1, [sp, #176]
    bl rt_upcall
    ldp x30, x0, [sp, #160]
    ldr x1, [sp, #176]
    msr elr_el1, x0
    msr spsr_el1, x1
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x29, [sp, #144]
    ldp x0, x1, [sp, #0]
    add sp, sp, #192
    eret
