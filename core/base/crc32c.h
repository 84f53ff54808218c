/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRC32C, the Castagnoli polynomial (RFC 3720, appendix B.4), in software, for host tools and for
 * CPUs without the instructions; EL2 calls checksum() of arch/memory.h.
 */
#ifndef CORE_BASE_CRC32C_H
#define CORE_BASE_CRC32C_H

#include "core/base/types.h"

/* Goes on from `crc`, 0 at first: crc32c(crc32c(0, a, n), b, m) is that of a and b together. */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);

#endif
