/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef GUESTS_SUPERVISOR_UTF8_H
#define GUESTS_SUPERVISOR_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at the front of `length` bytes; 0 if there is no whole, sound one. */
size_t utf8_character(const char *text, size_t length);

bool utf8_sound(const char *text, size_t length);

#endif
