/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies between EL2 and a guest's memory, page by page.
 */
#include "arch/memory.h"
#include "mm/space.h"

/* Whether [ipa, ipa + n) lies below the end of the VM's memory; no sum can wrap. */
static bool in_memory(const struct space *s, ipa_t ipa, size_t n)
{
    uint64_t end = (uint64_t)s->layout->pages << PAGE_SHIFT;
    return ipa.v <= end && n <= end - ipa.v;
}

static size_t to_page_end(ipa_t ipa, size_t n)
{
    return MIN(n, (size_t)(PAGE_SIZE - (ipa.v & PAGE_MASK)));
}

enum err guest_read(struct space *s, ipa_t ipa, void *dst, size_t n)
{
    if (!in_memory(s, ipa, n)) {
        return ERR_RANGE;
    }
    uint8_t *to = dst;
    while (n > 0) {
        void *from;
        enum err e = space_resolve(s, ipa, ACCESS_READ, &from);
        if (e != OK) {
            return e;
        }
        size_t part = to_page_end(ipa, n);
        memory_copy(to, from, part);
        to += part;
        ipa.v += part;
        n -= part;
    }
    return OK;
}

enum err guest_write(struct space *s, ipa_t ipa, const void *src, size_t n)
{
    if (!in_memory(s, ipa, n)) {
        return ERR_RANGE;
    }
    const uint8_t *from = src;
    while (n > 0) {
        void *to;
        enum err e = space_resolve(s, ipa, ACCESS_WRITE, &to);
        if (e != OK) {
            return e;
        }
        size_t part = to_page_end(ipa, n);
        memory_copy(to, from, part);
        from += part;
        ipa.v += part;
        n -= part;
    }
    return OK;
}
