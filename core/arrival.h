/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMs on their way in.
 */
#ifndef CORE_ARRIVAL_H
#define CORE_ARRIVAL_H

#include "core/vm.h"

/* Frames that a VM is thought to need which never ran. */
#define ARRIVAL_NEW_FRAMES 8u

/* How much earlier than its deadline a VM that is out is read ahead. */
#define ARRIVAL_AHEAD_NS (20 * NS_PER_MS)

/* Frames that a VM which is out needs. */
uint32_t arrival_frames(const struct stub *s);

/* Makes a VM that is out COMING. NULL: there is no memory for that; nothing has changed. */
struct transit *arrival_come(struct stub *s);

/* ... and has it queue for admission. False: no memory. */
bool arrival_want(struct stub *s);

/* struct gate_ops. */
enum gate_answer arrival_admit(struct gate_waiter *w);

#endif
