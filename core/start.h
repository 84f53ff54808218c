/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each CPU does once, and the step from the boot to what it was for.
 */
#ifndef CORE_START_H
#define CORE_START_H

#include "core/base/error.h"

/* Stops the machine, and says `what` failed, unless `e` is OK. */
void start_need(enum err e, const char *what);

/* Starts what every CPU has of its own. Each CPU, interrupts masked. */
void start_this_cpu(void);

/* Gives the memory of what is BOOT back, and enters the first VM. Boot CPU, last of all. */
void start_running(void) NORETURN;

#endif
