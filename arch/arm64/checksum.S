/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRC32C by the CRC32 instructions, which are optional in Armv8.0 (Arm ARM C3.4.8): a word at a
 * time, loaded at aligned addresses only.
 */
        .arch_extension crc
        .text
// uint32_t checksum(uint32_t crc, const void *p, size_t n)
        .global checksum
checksum:
        mrs     x3, id_aa64isar0_el1
        tst     x3, #0xf0000            // ID_AA64ISAR0_EL1.CRC32
        b.ne    1f
        b       crc32c
1:      mvn     w0, w0
2:      tst     x1, #7                  // bytes, up to a word
        b.eq    3f
        cbz     x2, 8f
        ldrb    w3, [x1], #1
        crc32cb w0, w0, w3
        sub     x2, x2, #1
        b       2b
3:      subs    x2, x2, #64             // eight words a turn; x2 is less by 64 until 5
        b.lo    5f
4:      ldp     x6, x7, [x1, #16]
        ldp     x8, x9, [x1, #32]
        ldp     x10, x11, [x1, #48]
        ldp     x4, x5, [x1], #64
        crc32cx w0, w0, x4
        crc32cx w0, w0, x5
        crc32cx w0, w0, x6
        crc32cx w0, w0, x7
        crc32cx w0, w0, x8
        crc32cx w0, w0, x9
        crc32cx w0, w0, x10
        crc32cx w0, w0, x11
        subs    x2, x2, #64
        b.hs    4b
5:      add     x2, x2, #64
6:      cmp     x2, #8                  // what is left: words, then bytes
        b.lo    7f
        ldr     x4, [x1], #8
        crc32cx w0, w0, x4
        sub     x2, x2, #8
        b       6b
7:      cbz     x2, 8f
        ldrb    w3, [x1], #1
        crc32cb w0, w0, w3
        sub     x2, x2, #1
        b       7b
8:      mvn     w0, w0
        ret
