// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest's memory for tests of devices.
 */
#include "tests/unit/fake_space.h"

#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"

unsigned cpu_index(void)
{
    return 0;
}

void fake_space_init(struct fake_space *f, unsigned pages)
{
    memset(f, 0, sizeof(*f));
    f->layout.pages = pages;
    f->space.layout = &f->layout;
    f->page[0] = FAKE_UNMAPPED;
    for (unsigned i = 0; i < pages; i++) {
        f->pages[i] = calloc(1, PAGE_SIZE);
        if (!f->pages[i]) {
            abort();
        }
    }
}

void fake_space_free(struct fake_space *f)
{
    for (unsigned i = 0; i < f->layout.pages; i++) {
        free(f->pages[i]);
    }
}

static uint8_t *byte_at(struct fake_space *f, uint64_t at)
{
    return f->pages[at >> PAGE_SHIFT] + (at & PAGE_MASK);
}

void fake_write(struct fake_space *f, uint64_t at, const void *src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *byte_at(f, at + i) = ((const uint8_t *)src)[i];
    }
}

void fake_read(struct fake_space *f, uint64_t at, void *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)dst)[i] = *byte_at(f, at + i);
    }
}

static void copy_on_write(struct fake_space *f, uint64_t page)
{
    uint8_t *copy = malloc(PAGE_SIZE);
    if (!copy) {
        abort();
    }
    memcpy(copy, f->pages[page], PAGE_SIZE);
    free(f->pages[page]);
    f->pages[page] = copy;
    f->copies_on_write[page] = false;
}

enum err space_resolve(struct space *s, ipa_t ipa, enum access access, void **out)
{
    struct fake_space *f = (struct fake_space *)s;
    f->resolved++;
    if (ipa.v >> PAGE_SHIFT >= f->layout.pages) {
        return ERR_RANGE;
    }
    switch (f->page[ipa.v >> PAGE_SHIFT]) {
    case FAKE_UNMAPPED:
        return ERR_RANGE;
    case FAKE_NO_MEMORY:
        return ERR_NO_MEMORY;
    case FAKE_READ_ONLY:
        if (access == ACCESS_WRITE) {
            return ERR_DENIED;
        }
        break;
    case FAKE_WRITABLE:
        break;
    }
    if (access == ACCESS_WRITE && f->copies_on_write[ipa.v >> PAGE_SHIFT]) {
        copy_on_write(f, ipa.v >> PAGE_SHIFT);
    }
    *out = byte_at(f, ipa.v);
    return OK;
}

enum err guest_read(struct space *s, ipa_t ipa, void *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        void *p;
        enum err e = space_resolve(s, IPA(ipa.v + i), ACCESS_READ, &p);
        if (e != OK) {
            return e;
        }
        ((uint8_t *)dst)[i] = *(uint8_t *)p;
    }
    return OK;
}

enum err guest_write(struct space *s, ipa_t ipa, const void *src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        void *p;
        enum err e = space_resolve(s, IPA(ipa.v + i), ACCESS_WRITE, &p);
        if (e != OK) {
            return e;
        }
        *(uint8_t *)p = ((const uint8_t *)src)[i];
    }
    return OK;
}
