/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring of console input in a system page: what console_read() is, without the VM.
 */
#ifndef GUESTS_RT_INPUT_H
#define GUESTS_RT_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/system_page.h"

bool input_waits(const struct toklat_system_page *page);

/* Takes at most `n` bytes, the oldest first; returns how many. */
size_t input_take(struct toklat_system_page *page, char *out, size_t n);

#endif
