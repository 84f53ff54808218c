/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A battery-backed clock, read once at boot (Arm PrimeCell PL031, DDI 0224).
 */
#ifndef DEV_DRIVERS_RTC_H
#define DEV_DRIVERS_RTC_H

#include "core/base/types.h"

#define RTC_PL031_COMPATIBLE "arm,pl031"

/* Seconds since 1970 (UTC). */
uint64_t rtc_pl031_read(uintptr_t base);

#endif
