/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two clocks. Virtual time advances only while this VM runs; wall time always.
 */
#ifndef GUESTS_RT_TIME_H
#define GUESTS_RT_TIME_H

#include <stdint.h>

#define NS_PER_SECOND 1000000000ull
#define NS_PER_MS 1000000ull

/* This VM's own time, in ns. */
uint64_t time_virtual_ns(void);

/* Time since the machine was switched on, in ns, the same for every VM. For deadlines. */
uint64_t time_machine_ns(void);

/* Unix time in ns, or 0 on a board without a clock. */
uint64_t time_wall_ns(void);

/* Bytes that time_format_iso8601 writes, its NUL included: "2024-02-29T23:59:59Z". */
#define TIME_ISO8601_BYTES 21

/* Writes a Unix time in ns as ISO 8601 in UTC, cut to seconds. Years 1970 to 9999. */
void time_format_iso8601(char text[TIME_ISO8601_BYTES], uint64_t unix_ns);

/* Bytes of an HTTP date (RFC 9110, 5.6.7), its NUL included: "Thu, 29 Feb 2024 23:59:59 GMT". */
#define TIME_HTTP_BYTES 30

void time_format_http(char text[TIME_HTTP_BYTES], uint64_t unix_ns);

#endif
