/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the API says when it refuses (RFC 9457), as a line and an exit code.
 */
#ifndef TOKLAT_PROBLEM_H
#define TOKLAT_PROBLEM_H

#include "core/base/types.h"

/* The exit code of a status that is no success. */
int problem_code(long status);

/* Complains, unless `quiet`, of what the body says: detail, and field, value and limit where the
 * detail does not have them. `about` begins the line, unless it is NULL. */
int problem_exit(bool quiet, const char *about, long status, const char *body, size_t n);

#endif
