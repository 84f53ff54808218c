/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Console input. Both indices count bytes modulo 2^32: EL2 moves `put`, the guest `taken`, and EL2
 * puts no byte over one that was not taken. It writes only while this VM does not run, so that no
 * barrier is needed beside the order of volatile accesses. Whatever the indices say, only the ring
 * is read, and no more than one round of it in one call.
 */
#include "guests/rt/input.h"

#define RING TOKLAT_CONSOLE_IN_BYTES

_Static_assert((RING & (RING - 1)) == 0, "positions go on where the indices wrap");

bool input_waits(const struct toklat_system_page *page)
{
    return page->console_in_put != page->console_in_taken;
}

size_t input_take(struct toklat_system_page *page, char *out, size_t n)
{
    uint32_t taken = page->console_in_taken;
    uint32_t count = page->console_in_put - taken;
    count = count < RING ? count : RING;
    count = count < n ? count : (uint32_t)n;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = page->console_in[(taken + i) % RING];
    }
    page->console_in_taken = taken + count;
    return count;
}
