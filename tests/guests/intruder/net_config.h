/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP for the intruder: a connection for each of its attempts.
 */
#ifndef TESTS_GUESTS_INTRUDER_NET_CONFIG_H
#define TESTS_GUESTS_INTRUDER_NET_CONFIG_H

#define ARP_QUEUEING 1 /* several attempts wait for one answer */
#define ARP_TABLE_SIZE 10

#endif
