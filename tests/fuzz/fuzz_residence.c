/* SPDX-License-Identifier: BSD-2-Clause */
// sources: machine tests/unit/residence_steps.c core/keys_store.c
/*
 * VMs between memory and the store: what the input says happens to a machine with a disk
 * (tests/unit/residence_steps.h). An input that is too short for anything to be evicted is let be.
 */
#include <stddef.h>

#include "tests/unit/residence_steps.h"

#define BYTES_LEAST 96u
#define MACHINES_MAX 1500u /* of one process: each takes a while */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned machines;
    if (size >= BYTES_LEAST && machines < MACHINES_MAX) {
        machines++;
        residence_steps(data, size);
    }
    return 0;
}
