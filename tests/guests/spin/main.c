/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Computes, touching nothing but registers, for as many million rounds as its arguments say; prints
 * when it began and when it was done, in ns of the machine, which are the same for all VMs; idles.
 */
#include <stdint.h>
#include <stdlib.h>

#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/time.h"

#define MILLION 1000000u

TOKLAT_IMAGE(64 * 1024, 4096, TOKLAT_IMAGE_CHECKPOINT);

/* Xorshift (Marsaglia, 2003): each round needs the one before. */
static uint64_t spin(uint64_t rounds)
{
    uint64_t x = system_page()->vm_number;
    while (rounds--) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return x;
}

int guest_main(void)
{
    checkpoint();
    uint64_t begun = time_machine_ns();
    uint64_t result = spin((uint64_t)atoi(system_page()->args) * MILLION);
    uint64_t done = time_machine_ns();
    console_printf("spin: from %lu to %lu, %lu of CPU, result %lx\n", begun, done,
                   time_virtual_ns(), result);
    for (;;) {
        idle(TOKLAT_IDLE_FOREVER);
    }
}
