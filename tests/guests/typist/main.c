/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A supervisor that types on the console of VM 2: a line of each length from 1 to LONGEST, several
 * at a time, more than the VM has room for; then "exit 42".
 */
#include <string.h>

#include "abi/control.h"
#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
#include "guests/rt/time.h"

#define VM 2
#define LONGEST 90
#define PAUSE_NS NS_PER_MS

TOKLAT_IMAGE(128 * 1024, 4096, 0);

static char text[LONGEST * (LONGEST + 3) / 2 + sizeof("exit 42\n")];

static size_t compose(void)
{
    char *to = text;
    for (unsigned length = 1; length <= LONGEST; length++) {
        memset(to, 'a' + (int)(length % 26), length);
        to[length] = '\n';
        to += length + 1;
    }
    memcpy(to, "exit 42\n", sizeof("exit 42\n"));
    return strlen(text);
}

int guest_main(void)
{
    size_t left = compose();
    const char *from = text;
    while (left > 0) {
        int64_t taken = hypercall(TOKLAT_VM_CONTROL, TOKLAT_VM_INPUT, VM, (uintptr_t)from, left, 0);
        if (taken < 0 && taken != TOKLAT_E_BUSY) {
            console_printf("input: %ld\n", taken);
            return 1;
        }
        from += taken > 0 ? taken : 0;
        left -= taken > 0 ? (size_t)taken : 0;
        idle(PAUSE_NS);
    }
    while ((idle(TOKLAT_IDLE_FOREVER) & TOKLAT_EVENT_SHUTDOWN) == 0) {
    }
    return RT_EXIT_OK;
}
