/* SPDX-License-Identifier: BSD-2-Clause */
// sources: core/archive.c
/*
 * Any bytes as an archive: whatever is found lies inside it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const names[] = {"deployment.dtb", "hello.elf", "missing"};
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const void *data = NULL;
        size_t data_bytes = 0;
        struct refusal why = {0};
        enum err e = archive_find(bytes, n, names[i], &data, &data_bytes, &why);
        if (e != OK && !why.what) {
            abort();
        }
        for (size_t k = 0; e == OK && k < data_bytes; k++) {
            sum = (uint8_t)(sum + ((const uint8_t *)data)[k]);
        }
    }
    return 0;
}
