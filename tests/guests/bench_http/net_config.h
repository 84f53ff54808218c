/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP for the HTTP client of the bench: the small defaults, and UDP, by which it is told to begin.
 */
#ifndef TESTS_GUESTS_BENCH_HTTP_NET_CONFIG_H
#define TESTS_GUESTS_BENCH_HTTP_NET_CONFIG_H

#define LWIP_UDP 1

#endif
