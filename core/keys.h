/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read-only debug keys on the hypervisor's console, after Xen's.
 */
#ifndef CORE_KEYS_H
#define CORE_KEYS_H

#include "core/base/types.h"

/* The log's sink: the console, and the journal. */
void keys_say(const char *text, size_t n);

/* Sends the VMs' lines to the console. */
void keys_init(void);

/* Prints what the key stands for; an unknown one, how to get help. */
void keys_press(char c);

/* Keys of core/keys_store.c. */
void key_gatekeeper(void);
void key_store(void);

#endif
