/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Idempotency keys.
 */
#include "guests/supervisor/keys.h"

static struct key_entry entries[KEYS_MAX];
static uint32_t age;

uint64_t keys_hash(uint64_t hash, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3ull;
    }
    return hash != 0 ? hash : 1;
}

static struct key_entry *find(uint64_t key)
{
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        if (entries[i].key == key) {
            return &entries[i];
        }
    }
    return NULL;
}

/* The oldest that is not pending. With as many entries as connections there is always one. */
static struct key_entry *oldest(void)
{
    struct key_entry *found = NULL;
    for (unsigned i = 0; i < KEYS_MAX; i++) {
        struct key_entry *e = &entries[i];
        if (!e->pending &&
            (found == NULL || e->key == 0 || (found->key != 0 && e->age < found->age))) {
            found = e;
        }
    }
    return found;
}

enum key_state keys_begin(uint64_t key, uint64_t request, const struct key_entry **entry)
{
    struct key_entry *e = find(key);
    if (e != NULL) {
        *entry = e;
        return e->request != request ? KEY_OTHER : e->pending ? KEY_PENDING : KEY_DONE;
    }
    e = oldest();
    if (e == NULL) {
        return KEY_PENDING;
    }
    e->key = key;
    e->request = request;
    e->pending = true;
    e->age = ++age;
    e->made.count = 0;
    return KEY_NEW;
}

void keys_end(uint64_t key, uint32_t group, const struct ranges *made)
{
    struct key_entry *e = key != 0 ? find(key) : NULL;
    if (e == NULL) {
        return;
    }
    e->pending = false;
    if (made == NULL) {
        e->key = 0;
        return;
    }
    e->group = group;
    e->made = *made;
}
