/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways for a VM to come to its end, each a single wrong act.
 */
#include <stdint.h>

#include "abi/system_page.h"
#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "tests/guests/faulty/modes.h"

typedef void (*function_fn)(void);

static void store(uintptr_t address)
{
    *(volatile uint64_t *)address = 1;
}

static void load(uintptr_t address)
{
    (void)*(volatile uint64_t *)address;
}

void mode_write_outside(void)
{
    store(system_page()->memory_bytes + TOKLAT_PAGE_BYTES);
}

void mode_read_outside(void)
{
    load(system_page()->memory_bytes);
}

/* Beyond what stage 2 has entries for. */
void mode_far_address(void)
{
    load(1ull << 38);
}

/* Between the system page and the image. */
void mode_gap(void)
{
    load(TOKLAT_SYSTEM_PAGE + TOKLAT_PAGE_BYTES);
}

void mode_write_text(void)
{
    store((uintptr_t)&mode_write_text & ~7ull);
}

void mode_write_rodata(void)
{
    store((uintptr_t)&rt_image_note & ~7ull);
}

void mode_execute_data(void)
{
    static uint32_t code[2] = {0xD65F03C0, 0xD65F03C0}; /* ret */

    code[1] = code[0];
    ((function_fn)(uintptr_t)code)();
}

void mode_null_jump(void)
{
    volatile uintptr_t nowhere = 0;

    ((function_fn)nowhere)();
}

void mode_stack_overflow(void)
{
    probe_push();
}

/* Every page up to the stack's guard. Survives only when the machine has that many frames. */
void mode_heap_exhaust(void)
{
    extern char rt_image_end[];
    uintptr_t end = system_page()->memory_bytes - rt_stack_bytes - TOKLAT_PAGE_BYTES;
    unsigned pages = 0;

    for (uintptr_t at = (uintptr_t)rt_image_end & ~7ull; at < end; at += TOKLAT_PAGE_BYTES) {
        store(at);
        pages++;
    }
    console_printf("touched %u pages, holds %u\n", pages, system_page()->private_pages);
}

void mode_set_way(void)
{
    __asm__ volatile("dc cisw, %0" ::"r"(0ull));
}

void mode_sysreg(void)
{
    __asm__ volatile("msr pmcr_el0, %0" ::"r"(1ull));
}

void mode_debug_register(void)
{
    __asm__ volatile("msr dbgbvr0_el1, %0" ::"r"(1ull));
}

void mode_physical_timer(void)
{
    __asm__ volatile("msr cntp_ctl_el0, %0" ::"r"(1ull));
}

void mode_spin(void)
{
    console_printf("spinning\n");
    __asm__ volatile("msr daifset, #15\n\t"
                     "0: b 0b");
}
