/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypercall behind control().
 */
#include "guests/supervisor/control.h"

int64_t control(uint64_t operation, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                struct control_more *more)
{
    register uint64_t x0 __asm__("x0") = TOKLAT_VM_CONTROL;
    register uint64_t x1 __asm__("x1") = operation;
    register uint64_t x2 __asm__("x2") = a;
    register uint64_t x3 __asm__("x3") = b;
    register uint64_t x4 __asm__("x4") = c;
    register uint64_t x5 __asm__("x5") = d;
    __asm__ volatile("hvc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     : "r"(x4), "r"(x5)
                     : "memory");
    more->x1 = x1;
    more->x2 = x2;
    return (int64_t)x0;
}
