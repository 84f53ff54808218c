/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's view of the compiler and the runtime.
 */
#ifndef GUESTS_RT_LWIP_ARCH_CC_H
#define GUESTS_RT_LWIP_ARCH_CC_H

#include <stdint.h>

#include "guests/rt/console.h"
#include "guests/rt/random.h"

#define LWIP_NO_CTYPE_H 1
#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H 1
#define X8_F "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

#define LWIP_RAND() random_u32()
#define LWIP_PLATFORM_DIAG(x)                                                                      \
    do {                                                                                           \
        console_printf x;                                                                          \
    } while (0)
#define LWIP_PLATFORM_ASSERT(x) rt_assert_failed(x, __FILE__, __LINE__)

/* Internet checksum in guests/rt/checksum.c. */
#define LWIP_CHKSUM rt_checksum
uint16_t rt_checksum(const void *data, int length);

#endif
