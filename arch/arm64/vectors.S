/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exception vectors and the way in and out of a guest.
 *
 * While a guest runs, SP_EL2 points to its context; in EL2 it is this CPU's one stack. All of a
 * guest's general registers, its PC and PSTATE are in the context before any C runs.
 *
 *   guest --trap--> save into [sp] -> sp = CPU stack -> C: hypercall, interrupt or fault
 *     ^                                                          |
 *     +--- eret <- load from [sp] <- sp = context <- world_switch, if it is another one
 *
 * A hypercall that returns NULL changed nothing but the caller's x0-x3: it restores only what C may
 * have changed. x19-x29 are callee-saved (AAPCS64); EL2 does not use x18 (-ffixed-x18).
 */
#include "arch/arm64/offsets.h"

.macro save_all
        stp     x0, x1, [sp, #0]
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        stp     x8, x9, [sp, #64]
        stp     x10, x11, [sp, #80]
        stp     x12, x13, [sp, #96]
        stp     x14, x15, [sp, #112]
        stp     x16, x17, [sp, #128]
        stp     x18, x19, [sp, #144]
        stp     x20, x21, [sp, #160]
        stp     x22, x23, [sp, #176]
        stp     x24, x25, [sp, #192]
        stp     x26, x27, [sp, #208]
        stp     x28, x29, [sp, #224]
        mrs     x1, elr_el2
        mrs     x2, spsr_el2
        stp     x30, x1, [sp, #CONTEXT_X30]
        str     x2, [sp, #CONTEXT_PSTATE]
.endm

// x0 = context that trapped, x1 = sp = this CPU: struct cpu lies on top of the CPU's stack
.macro to_el2
        mov     x0, sp
        mrs     x1, tpidr_el2
        mov     sp, x1
.endm

// Loads x0-x17 and returns to the guest.
.macro resume_guest
        ldp     x16, x17, [sp, #128]
        ldp     x14, x15, [sp, #112]
        ldp     x12, x13, [sp, #96]
        ldp     x10, x11, [sp, #80]
        ldp     x8, x9, [sp, #64]
        ldp     x6, x7, [sp, #48]
        ldp     x4, x5, [sp, #32]
        ldp     x2, x3, [sp, #16]
        ldp     x0, x1, [sp, #0]
        eret
        dsb     nsh                     // no speculation past an exception return
        isb
.endm

.macro vector target
        .balign 128
        b       \target
.endm

        .text
        .balign 2048
        .global vectors
vectors:
        vector  el2_fault               // current EL with SP0: EL2 never uses SP0
        vector  el2_fault
        vector  el2_fault
        vector  el2_fault
        vector  el2_fault               // current EL with SPx: a defect of EL2
        vector  el2_fault
        vector  el2_fault
        vector  el2_fault
        vector  guest_sync              // lower EL, AArch64
        vector  guest_irq
        vector  guest_irq               // FIQ: nothing is routed there
        vector  guest_other
        vector  guest_other             // lower EL, AArch32: HCR_EL2.RW forbids it
        vector  guest_other
        vector  guest_other
        vector  guest_other

guest_sync:
        save_all
        mov     x20, sp
        to_el2
        mrs     x2, esr_el2
        lsr     x3, x2, #26
        cmp     x3, #0x16               // HVC from AArch64
        b.ne    guest_fault
        ldr     x3, [x1, #CPU_HYPERCALL]
        blr     x3
        cbnz    x0, enter
        mov     sp, x20                 // the caller, with nothing changed but x0-x3
        ldr     x20, [sp, #160]
        ldr     x30, [sp, #CONTEXT_X30]
        resume_guest

guest_irq:
        save_all
        to_el2
        ldr     x3, [x1, #CPU_INTERRUPT]
        blr     x3
        b       enter

guest_other:
        save_all
        to_el2
        mov     x1, #1
        bl      trap_fault
        b       enter

guest_fault:
        mov     x1, #0
        bl      trap_fault

// Enters context x0, whichever it is. The CPU's stack is empty again.
enter:
        mov     x1, sp
        ldr     x2, [x1, #CPU_LOADED]
        cmp     x0, x2
        b.eq    1f
        bl      world_switch            // returns what it is given
1:      mov     sp, x0
        ldp     x30, x1, [sp, #CONTEXT_X30]
        ldr     x2, [sp, #CONTEXT_PSTATE]
        msr     elr_el2, x1
        msr     spsr_el2, x2
        ldp     x18, x19, [sp, #144]
        ldp     x20, x21, [sp, #160]
        ldp     x22, x23, [sp, #176]
        ldp     x24, x25, [sp, #192]
        ldp     x26, x27, [sp, #208]
        ldp     x28, x29, [sp, #224]
        resume_guest

// void context_enter(struct context *c)
        .global context_enter
context_enter:
        mrs     x1, tpidr_el2
        mov     sp, x1
        b       enter

// A fault in EL2 itself. The stack may be what is broken: nothing returns, so begin it anew.
el2_fault:
        mov     x3, sp
        mrs     x8, tpidr_el2
        mov     sp, x8
        mrs     x0, esr_el2
        mrs     x1, elr_el2
        mrs     x2, far_el2
        bl      trap_el2_fault          // never returns

// void fp_save(struct context_extra *e), void fp_load(const struct context_extra *e)
        .arch_extension fp
        .arch_extension simd
        .macro each_pair op
        \op     q0, q1, [x0, #0]
        \op     q2, q3, [x0, #32]
        \op     q4, q5, [x0, #64]
        \op     q6, q7, [x0, #96]
        \op     q8, q9, [x0, #128]
        \op     q10, q11, [x0, #160]
        \op     q12, q13, [x0, #192]
        \op     q14, q15, [x0, #224]
        \op     q16, q17, [x0, #256]
        \op     q18, q19, [x0, #288]
        \op     q20, q21, [x0, #320]
        \op     q22, q23, [x0, #352]
        \op     q24, q25, [x0, #384]
        \op     q26, q27, [x0, #416]
        \op     q28, q29, [x0, #448]
        \op     q30, q31, [x0, #480]
        .endm
        .global fp_save
fp_save:
        each_pair stp
        mrs     x1, fpcr
        mrs     x2, fpsr
        add     x0, x0, #512
        stp     x1, x2, [x0]
        ret
        .global fp_load
fp_load:
        each_pair ldp
        add     x0, x0, #512
        ldp     x1, x2, [x0]
        msr     fpcr, x1
        msr     fpsr, x2
        ret

// A guard page below each CPU's stack; arch/arm64/mmu.c leaves it unmapped.
        .section .stacks, "aw", %nobits
        .balign 4096
        .global stacks
stacks: .space  8 * CPU_STRIDE          // CPUS_MAX
