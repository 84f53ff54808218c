/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksums of the machine that is a process: in software.
 */
#include "arch/memory.h"
#include "core/base/crc32c.h"

uint32_t checksum(uint32_t crc, const void *p, size_t n)
{
    return crc32c(crc, p, n);
}
