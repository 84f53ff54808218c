// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest's memory for tests of devices: an array, of which single pages can be unmapped, read-only
 * or without a frame. Plays mm/space.h's space_resolve, guest_read and guest_write, and cpu_index.
 */
#ifndef TESTS_UNIT_FAKE_SPACE_H
#define TESTS_UNIT_FAKE_SPACE_H

#include "mm/space.h"

#define FAKE_PAGES_MAX 64

enum fake_page { FAKE_WRITABLE, FAKE_READ_ONLY, FAKE_UNMAPPED, FAKE_NO_MEMORY };

/* `space` is the first member: what the code under test is given. */
struct fake_space {
    struct space space;
    struct layout layout;
    enum fake_page page[FAKE_PAGES_MAX];
    bool copies_on_write[FAKE_PAGES_MAX]; /* the next write moves it, and the old one is freed */
    unsigned resolved;                    /* how often a translation was asked for */
    uint8_t *pages[FAKE_PAGES_MAX];       /* allocated one by one, so that crossing one is found */
};

/* All pages but the first are writable and zero. */
void fake_space_init(struct fake_space *f, unsigned pages);
void fake_space_free(struct fake_space *f);

/* The test's own access, which nothing refuses. */
void fake_write(struct fake_space *f, uint64_t at, const void *src, size_t n);
void fake_read(struct fake_space *f, uint64_t at, void *dst, size_t n);

#endif
