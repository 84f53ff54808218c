/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arm PrimeCell real-time clock PL031 (DDI 0224).
 */
#include "dev/drivers/mmio.h"
#include "dev/drivers/rtc.h"

#define RTCDR 0x000 /* seconds, counting up */

uint64_t rtc_pl031_read(uintptr_t base)
{
    return mmio_read32(base + RTCDR);
}
