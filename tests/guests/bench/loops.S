/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The measured loops, one iteration of which is always the same instructions.
 */
#include "abi/control.h"
#include "abi/hypercall.h"

#define EVENTS_PENDING 0x1038
#define EVENT_TIMER 1
#define DOORBELL_TX 2

    .macro load_identifier reg, value
    movz \reg, #(\value >> 16) & 0xFFFF, lsl #16
    movk \reg, #\value & 0xFFFF
    .endm

    .macro save
    stp x29, x30, [sp, #-64]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    .endm

    .macro restore
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x29, x30, [sp], #64
    .endm

    .macro call_loop name, trap:vararg
    .global \name
\name:
    save
    mov x19, x0
    mov x20, x1
    mov x21, x2
    mov x22, x3
1:  mov x0, x19
    mov x1, x20
    mov x2, x21
    \trap
    subs x22, x22, #1
    b.ne 1b
    restore
    ret
    .endm

    .macro create_loop name, trap:vararg
    .global \name
\name:
    save
    mov x19, x0
    mov x20, x1
    mov x21, x2
1:  load_identifier w0, TOKLAT_VM_CONTROL
    mov x1, #TOKLAT_VM_CREATE
    mov x2, x19
    \trap
    str x0, [x20], #8
    subs x21, x21, #1
    b.ne 1b
    restore
    ret
    .endm

    .macro control_loop name, trap:vararg
    .global \name
\name:
    save
    mov x19, x0
    mov x20, x1
    mov x21, x2
1:  load_identifier w0, TOKLAT_VM_CONTROL
    mov x1, x19
    ldr x2, [x20], #8
    \trap
    subs x21, x21, #1
    b.ne 1b
    restore
    ret
    .endm

/* x19, x20: avail.idx of both queues; w22, w23: their values; x21: count. */
    .macro doorbells trap:vararg
    mov x19, x0
    mov x20, x1
    mov x21, x2
    ldrh w22, [x19]
    ldrh w23, [x20]
1:  add w22, w22, #1
    add w23, w23, #1
    strh w22, [x19]
    dmb osh
    load_identifier w0, TOKLAT_DOORBELL
    mov x1, #DOORBELL_TX
    \trap
    strh w23, [x20]
    subs x21, x21, #1
    b.ne 1b
    .endm

    .macro doorbell_loop name, trap:vararg
    .global \name
\name:
    save
    doorbells \trap
    restore
    ret
    .endm

    .text
    call_loop loop_call, hvc #0
    call_loop loop_call_nop, nop
    create_loop loop_create, hvc #0
    create_loop loop_create_nop, nop
    control_loop loop_control, hvc #0
    control_loop loop_control_nop, nop
    doorbell_loop loop_doorbell, hvc #0
    doorbell_loop loop_doorbell_nop, nop

    .global loop_store
loop_store:
    str xzr, [x0]
    add x0, x0, #4096
    subs x1, x1, #1
    b.ne loop_store
    ret

/* From here to the matching upcalls_off: x13 handles upcalls, x12 holds the bits that it clears,
 * x14 counts, x15 is the timer's interval; x9 to x11 are the handler's. x24 keeps VBAR_EL1. */
    .macro upcalls_on handler, bits
    mov x12, \bits
    adr x13, \handler
    mov x14, #0
    mrs x24, vbar_el1
    adrp x9, loop_vectors
    add x9, x9, :lo12:loop_vectors
    msr vbar_el1, x9
    isb
    msr daifclr, #2
    .endm

    .macro upcalls_off
    msr daifset, #2
    msr vbar_el1, x24
    isb
    .endm

    .global loop_doorbell_upcalls
loop_doorbell_upcalls:
    save
    upcalls_on loop_upcall, x3
    doorbells hvc #0
    upcalls_off
    mov x0, x14
    restore
    ret

    .global loop_busy
loop_busy:
    save
    mov x15, x1
    upcalls_on loop_timer, #EVENT_TIMER
    cbz x15, 1f
    msr cntv_tval_el0, x15
    mov x9, #1
    msr cntv_ctl_el0, x9
    isb
1:  subs x0, x0, #1
    b.ne 1b
    upcalls_off
    msr cntv_ctl_el0, xzr
    mov x0, x14
    restore
    ret

/* The handlers; straight on, but for a store that fails only when EL2 came in between. */
    .macro take_events
    mov x9, #EVENTS_PENDING & 0xF000
    add x9, x9, #EVENTS_PENDING & 0xFFF
1:  ldxr x10, [x9]
    bic x10, x10, x12
    stxr w11, x10, [x9]
    cbnz w11, 1b
    add x14, x14, #1
    .endm

    .global loop_upcall, loop_upcall_end
loop_upcall:
    take_events
    eret
loop_upcall_end:

    .global loop_timer, loop_timer_end
loop_timer:
    take_events
    msr cntv_tval_el0, x15
    mov x10, #1
    msr cntv_ctl_el0, x10
    eret
loop_timer_end:

    .balign 2048
loop_vectors:
    .rept 5
    .balign 128
    b loop_fault
    .endr
    .balign 128
    br x13
    .rept 10
    .balign 128
    b loop_fault
    .endr
    .balign 128

loop_fault:
    mov x0, #0
    mrs x1, esr_el1
    mrs x2, elr_el1
    mrs x3, far_el1
    b rt_fault
