/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest whose template dies before its checkpoint: its group must be said to have failed, and
 * nothing else. With "args" "exit" it ends by itself, otherwise by a wild store.
 */
#include <string.h>

#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"

TOKLAT_IMAGE(64 * 1024, 4096, TOKLAT_IMAGE_CHECKPOINT);

int guest_main(void)
{
    if (strcmp(system_page()->args, "exit") != 0) {
        *(volatile uint64_t *)(system_page()->memory_bytes + TOKLAT_PAGE_BYTES) = 1;
    }
    return 7;
}
