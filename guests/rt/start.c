/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the entry to guest_main(), and the end of a VM that went wrong. .bss needs no clearing:
 * pages that the image does not fill are zero when they are first touched.
 */
#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/trap.h"

static void check_version(void)
{
    const struct toklat_system_page *page = system_page();
    bool same_major = page->abi_version >> 16 == TOKLAT_ABI_MAJOR;
    if (page->magic == TOKLAT_SYSTEM_MAGIC && same_major &&
        page->abi_version >= TOKLAT_ABI_VERSION) {
        return;
    }
    console_printf("this guest needs ABI %d.%d, the system page says %x\n", TOKLAT_ABI_MAJOR,
                   TOKLAT_ABI_MINOR, page->abi_version);
    exit_vm(RT_EXIT_VERSION);
}

void rt_start(void)
{
    check_version();
    exit_vm((uint64_t)guest_main());
}

void rt_fault(uint64_t vector, uint64_t esr, uint64_t elr, uint64_t far)
{
    console_printf("fault: vector %lu esr %lx elr %lx far %lx\n", vector, esr, elr, far);
    exit_vm(RT_EXIT_FAULT);
}

void rt_assert_failed(const char *what, const char *file, int line)
{
    console_printf("assertion failed: %s, %s:%d\n", what, file, line);
    exit_vm(RT_EXIT_ASSERT);
}
