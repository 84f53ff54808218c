/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP hooks: initial sequence numbers are random.
 */
#ifndef GUESTS_RT_LWIP_HOOKS_H
#define GUESTS_RT_LWIP_HOOKS_H

#include "guests/rt/random.h"

#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port) random_u32()

#endif
