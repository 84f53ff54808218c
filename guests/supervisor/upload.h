/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An image on its way into EL2's memory. One at a time.
 */
#ifndef GUESTS_SUPERVISOR_UPLOAD_H
#define GUESTS_SUPERVISOR_UPLOAD_H

#include "guests/supervisor/exchange.h"

/* Checks what the head says and asks EL2 for memory; sets a problem if that fails. */
void upload_begin(struct exchange *x);
/* Passes bytes on; returns how many EL2 took. */
size_t upload_take(struct exchange *x, const char *data, size_t length);
void upload_leave(struct exchange *x);

#endif
