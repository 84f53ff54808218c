/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clocks from the virtual counter and the system page, and dates for people and protocols.
 */
#include "guests/rt/time.h"

#include <stdio.h>

#include "guests/rt/hypercall.h"

struct date {
    unsigned year, month, day, weekday; /* month and day from 1, weekday 0 is Sunday */
    unsigned hour, minute, second;
};

static uint64_t ticks_to_ns(uint64_t ticks)
{
    uint64_t hz = system_page()->counter_hz;
    return ticks / hz * NS_PER_SECOND + ticks % hz * NS_PER_SECOND / hz;
}

/* The isb keeps the read in program order (Arm ARM, D11.2.2). */
static uint64_t read_counter(void)
{
    uint64_t ticks;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
}

uint64_t time_virtual_ns(void)
{
    return ticks_to_ns(read_counter());
}

/* EL2 changes wall_offset whenever this VM was not running: both halves must be of one stretch. */
uint64_t time_machine_ns(void)
{
    const struct toklat_system_page *page = system_page();
    uint64_t offset;
    uint64_t ticks;
    do {
        offset = page->wall_offset;
        ticks = read_counter();
    } while (offset != page->wall_offset);
    return ticks_to_ns(ticks + offset);
}

uint64_t time_wall_ns(void)
{
    uint64_t base = system_page()->wall_base_ns;
    return base == 0 ? 0 : base + time_machine_ns();
}

/* Civil date from days since 1970-01-01, counted in eras of 400 years that begin in March, so
 * that the leap day is the last day of a year. */
static void date_from_days(struct date *date, uint64_t days)
{
    uint64_t shifted = days + 719468; /* since 0000-03-01 */
    uint64_t era = shifted / 146097;
    unsigned day_of_era = (unsigned)(shifted % 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153;
    date->day = day_of_year - (153 * march_month + 2) / 5 + 1;
    date->month = march_month < 10 ? march_month + 3 : march_month - 9;
    date->year = (unsigned)(era * 400) + year_of_era + (date->month <= 2 ? 1 : 0);
    date->weekday = (unsigned)((days + 4) % 7);
}

static struct date date_from_unix(uint64_t unix_ns)
{
    struct date date;
    uint64_t seconds = unix_ns / NS_PER_SECOND;
    unsigned second_of_day = (unsigned)(seconds % 86400);
    date_from_days(&date, seconds / 86400);
    date.hour = second_of_day / 3600;
    date.minute = second_of_day / 60 % 60;
    date.second = second_of_day % 60;
    return date;
}

void time_format_iso8601(char text[TIME_ISO8601_BYTES], uint64_t unix_ns)
{
    struct date d = date_from_unix(unix_ns);
    snprintf(text, TIME_ISO8601_BYTES, "%04u-%02u-%02uT%02u:%02u:%02uZ", d.year, d.month, d.day,
             d.hour, d.minute, d.second);
}

void time_format_http(char text[TIME_HTTP_BYTES], uint64_t unix_ns)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct date d = date_from_unix(unix_ns);
    snprintf(text, TIME_HTTP_BYTES, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", &days[d.weekday * 3],
             d.day, &months[(d.month - 1) * 3], d.year, d.hour, d.minute, d.second);
}
