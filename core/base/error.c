/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of results, for messages.
 */
#include "core/base/error.h"

static const char *const names[] = {
    [OK] = "ok",
    [ERR_INVALID] = "invalid",
    [ERR_RANGE] = "out of range",
    [ERR_DENIED] = "denied",
    [ERR_NO_MEMORY] = "no memory",
    [ERR_NOT_FOUND] = "not found",
    [ERR_BUSY] = "busy",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_IO] = "input/output error",
    [ERR_AWAY] = "in the store",
};

const char *err_name(enum err e)
{
    return (unsigned)e < ARRAY_SIZE(names) ? names[e] : "unknown error";
}
