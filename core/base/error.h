/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one set of results. A function that can fail returns one, and it must be looked at.
 */
#ifndef CORE_BASE_ERROR_H
#define CORE_BASE_ERROR_H

#include "core/base/types.h"

enum err {
    OK = 0,
    ERR_INVALID,     /* malformed: alignment, size, reserved bits, bad format */
    ERR_RANGE,       /* well-formed, but outside what exists or is owned */
    ERR_DENIED,      /* no right to do this, such as a write to text */
    ERR_NO_MEMORY,   /* no free frame, stub or slot; may succeed later */
    ERR_NOT_FOUND,   /* no such thing */
    ERR_BUSY,        /* not in this state; may succeed later */
    ERR_UNSUPPORTED, /* known, but not on this machine or in this version */
    ERR_IO,          /* a device failed */
    ERR_AWAY,        /* in the store, not in memory: to be read first */
};

/* Why something from outside was refused: what, its value, and the limit that it broke. `where`
 * says in which node, segment or file; all strings are constants or outlive the refusal. */
struct refusal {
    const char *where;
    const char *what;
    uint64_t value;
    uint64_t limit;
};

/* A short lower-case name of a result, for messages. */
const char *err_name(enum err e);

#endif
