/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest guest: says who it is, then exits or idles, as its arguments say.
 *
 * Arguments (deployment property "args"): "exit" ends with status 0, "exit=N" with status N; with
 * anything else it serves events until it is asked to shut down.
 */
#include <stdlib.h>
#include <string.h>

#include "guests/rt/console.h"
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"

TOKLAT_IMAGE(64 * 1024, 4096, TOKLAT_IMAGE_CHECKPOINT);

static void introduce(void)
{
    const struct toklat_system_page *page = system_page();
    console_printf("hello, I am VM %u, instance %u of %s, generation %lx\n", page->vm_number,
                   page->instance, page->name, page->generation);
}

int guest_main(void)
{
    checkpoint();
    introduce();
    const char *args = system_page()->args;
    if (strncmp(args, "exit", 4) == 0) {
        return args[4] == '=' ? atoi(&args[5]) : RT_EXIT_OK;
    }
    uint64_t events = 0;
    while ((events & TOKLAT_EVENT_SHUTDOWN) == 0) {
        events = idle(TOKLAT_IDLE_FOREVER);
    }
    return RT_EXIT_OK;
}
