/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP for guests that are built outside this tree: the small defaults of lwipopts.h, and UDP.
 * libtoklat-net.a is compiled with it and lies beside it: a guest cannot have another, whose
 * structures would differ.
 */
#ifndef GUESTS_SDK_NET_CONFIG_H
#define GUESTS_SDK_NET_CONFIG_H

#define LWIP_UDP 1

#endif
