/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one answer that may be long, read as it arrives: {"vms":[{...},{...}],"next":N}. The objects
 * of the list are given to `object` one at a time, each whole; nothing else is kept. Their members
 * are then walked with scan_member(). What arrives is not trusted: an object longer than
 * SCAN_OBJECT_BYTES, nesting deeper than SCAN_DEPTH_MAX, and what is no JSON end the scan.
 */
#ifndef TOKLAT_SCAN_H
#define TOKLAT_SCAN_H

#include "core/base/types.h"

#define SCAN_OBJECT_BYTES 4096
#define SCAN_DEPTH_MAX 16
#define SCAN_KEY_BYTES 16

struct scan {
    /* `text` has `n` bytes and a NUL after them. */
    void (*object)(void *context, const char *text, size_t n);
    void *context;
    uint64_t next, objects; /* next: 0 when there is none */

    bool in_string, escaped, in_list, wrong, done;
    bool value; /* of the outermost object: after a member's colon */
    unsigned depth;
    uint32_t braces; /* bit d: what was opened at depth d is an object */
    size_t used, key_length;
    char key[SCAN_KEY_BYTES];
    char text[SCAN_OBJECT_BYTES + 1];
};

/* The two pointers are set by the caller, all else is zero. False: it is wrong, from here on. */
bool scan_feed(struct scan *s, const char *data, size_t n);
/* All has been fed: was it a whole document? */
bool scan_end(const struct scan *s);

/* A member of an object. `key` and a string are as they were written, without the quotes. */
struct scan_member {
    const char *key, *at;
    size_t key_length, length;
    bool string;
};

/* The next member of an object that `*at` is in, to begin with at its first byte: false at its end,
 * or where it is none. The text ends with a NUL. */
bool scan_member(const char **at, struct scan_member *m);
bool scan_key_is(const struct scan_member *m, const char *key);

/* Its value: 0 when it is something else. */
uint64_t scan_number(const struct scan_member *m);
/* A decimal fraction in thousandths. */
uint64_t scan_thousandths(const struct scan_member *m);
/* A string as printable ASCII; what is not becomes `?`. */
void scan_text(const struct scan_member *m, char *to, size_t size);

#endif
