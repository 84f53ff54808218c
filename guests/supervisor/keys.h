/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers to creations that had an Idempotency-Key, so that the same request sent again is not
 * done again.
 */
#ifndef GUESTS_SUPERVISOR_KEYS_H
#define GUESTS_SUPERVISOR_KEYS_H

#include "guests/supervisor/ranges.h"

#define KEYS_MAX 32

enum key_state { KEY_NEW, KEY_PENDING, KEY_DONE, KEY_OTHER /* another request had it */ };

struct key_entry {
    uint64_t key; /* a hash; 0: the entry is free */
    uint64_t request;
    bool pending;
    uint32_t age;
    uint32_t group;
    struct ranges made;
};

/* Looks a key up. KEY_NEW: it is now pending, in place of the oldest answer. KEY_DONE: `entry` is
 * the answer. */
enum key_state keys_begin(uint64_t key, uint64_t request, const struct key_entry **entry);

/* The answer; or, with NULL, that it came to nothing and may be tried again. */
void keys_end(uint64_t key, uint32_t group, const struct ranges *made);

/* FNV-1a, 64 bits (Fowler, Noll, Vo), continued from `hash`; never 0. */
#define KEYS_HASH 0xcbf29ce484222325ull
uint64_t keys_hash(uint64_t hash, const void *data, size_t length);

#endif
