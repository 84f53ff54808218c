/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the VMs and the machine hold, exactly.
 */
#ifndef CORE_FOOTPRINT_H
#define CORE_FOOTPRINT_H

/* Prints a table, and the same as one line of JSON. Walks all live VMs. */
void footprint_print(void);

#endif
