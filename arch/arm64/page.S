/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole pages: zeroed by cache line, copied and compared by pairs of registers; and small copies at
 * any alignment, which Normal memory allows (Arm ARM B2.5.2; SCTLR_EL2.A is 0).
 */
        .text
// void page_zero(void *page): DCZID_EL0.BS gives the block of DC ZVA, 64 bytes on every CPU that
// Toklat runs on; DZP (bit 4) forbids it.
        .global page_zero
page_zero:
        add     x1, x0, #4096
        mrs     x2, dczid_el0
        cmp     x2, #4
        b.ne    2f
1:      dc      zva, x0
        add     x3, x0, #64
        dc      zva, x3
        add     x3, x0, #128
        dc      zva, x3
        add     x3, x0, #192
        dc      zva, x3
        add     x0, x0, #256
        cmp     x0, x1
        b.lo    1b
        ret
2:      stp     xzr, xzr, [x0]
        stp     xzr, xzr, [x0, #16]
        stp     xzr, xzr, [x0, #32]
        stp     xzr, xzr, [x0, #48]
        add     x0, x0, #64
        cmp     x0, x1
        b.lo    2b
        ret

// void page_copy(void *dst, const void *src)
        .global page_copy
page_copy:
        add     x2, x1, #4096
1:      ldp     x3, x4, [x1]
        ldp     x5, x6, [x1, #16]
        ldp     x7, x8, [x1, #32]
        ldp     x9, x10, [x1, #48]
        ldp     x11, x12, [x1, #64]
        ldp     x13, x14, [x1, #80]
        ldp     x15, x16, [x1, #96]
        stp     x3, x4, [x0]
        stp     x5, x6, [x0, #16]
        stp     x7, x8, [x0, #32]
        stp     x9, x10, [x0, #48]
        ldp     x3, x4, [x1, #112]
        stp     x11, x12, [x0, #64]
        stp     x13, x14, [x0, #80]
        stp     x15, x16, [x0, #96]
        stp     x3, x4, [x0, #112]
        add     x0, x0, #128
        add     x1, x1, #128
        cmp     x1, x2
        b.lo    1b
        ret

// size_t page_differs(const void *a, const void *b, size_t from)
        .global page_differs
page_differs:
        cmp     x2, #4096
        b.hs    2f
1:      add     x3, x0, x2
        add     x4, x1, x2
        ldp     x5, x6, [x3]
        ldp     x7, x8, [x4]
        ldp     x9, x10, [x3, #16]
        ldp     x11, x12, [x4, #16]
        ldp     x13, x14, [x3, #32]
        ldp     x15, x16, [x4, #32]
        cmp     x5, x7
        ccmp    x6, x8, #0, eq
        ccmp    x9, x11, #0, eq
        ccmp    x10, x12, #0, eq
        ldp     x5, x6, [x3, #48]
        ldp     x7, x8, [x4, #48]
        ccmp    x13, x15, #0, eq
        ccmp    x14, x16, #0, eq
        ccmp    x5, x7, #0, eq
        ccmp    x6, x8, #0, eq
        b.ne    2f
        add     x2, x2, #64
        tbz     x2, #12, 1b
2:      mov     x0, x2
        ret

// void memory_copy(void *dst, const void *src, size_t n): the last bytes are read first and written
// last, so that the loop need not end on the boundary of a pair.
        .global memory_copy
memory_copy:
        cmp     x2, #16
        b.lo    2f
        add     x3, x1, x2
        ldp     x5, x6, [x3, #-16]
        add     x4, x0, x2
        sub     x4, x4, #16
1:      cmp     x0, x4
        b.hs    3f
        ldp     x7, x8, [x1], #16
        stp     x7, x8, [x0], #16
        b       1b
3:      stp     x5, x6, [x4]
        ret
2:      tbz     x2, #3, 4f              // 8 to 15 bytes: two words that overlap
        add     x3, x1, x2
        ldr     x5, [x1]
        ldr     x6, [x3, #-8]
        add     x4, x0, x2
        str     x5, [x0]
        str     x6, [x4, #-8]
        ret
4:      cbz     x2, 6f
5:      ldrb    w5, [x1], #1
        strb    w5, [x0], #1
        subs    x2, x2, #1
        b.ne    5b
6:      ret
