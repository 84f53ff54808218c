/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes small device trees, sound ones and, on purpose, unsound ones (Devicetree Specification,
 * chapter 5). There is room for a few nodes; the test ends when it is used up.
 */
#ifndef TESTS_UNIT_FDT_BUILD_H
#define TESTS_UNIT_FDT_BUILD_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define FDT_BUILD_BYTES (48 * 1024)
#define FDT_BUILD_STRINGS 1024
#define FDT_BUILD_STRUCT_OFFSET 56 /* header and one empty reservation */

struct fdt_build {
    uint8_t blob[FDT_BUILD_BYTES] __attribute__((aligned(8)));
    char strings[FDT_BUILD_STRINGS];
    uint32_t used;
    uint32_t strings_used;
};

static inline void fdt_put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

static inline void fdt_tag(struct fdt_build *b, uint32_t v)
{
    assert(b->used + 4 <= FDT_BUILD_BYTES);
    fdt_put32(b->blob + b->used, v);
    b->used += 4;
}

static inline void fdt_bytes(struct fdt_build *b, const void *data, uint32_t n)
{
    assert(b->used + n + 4 <= FDT_BUILD_BYTES);
    memcpy(b->blob + b->used, data, n);
    b->used += n;
    while (b->used % 4 != 0) {
        b->blob[b->used++] = 0;
    }
}

static inline void fdt_node(struct fdt_build *b, const char *name)
{
    fdt_tag(b, 1);
    fdt_bytes(b, name, (uint32_t)strlen(name) + 1);
}

static inline void fdt_node_end(struct fdt_build *b)
{
    fdt_tag(b, 2);
}

/* Offset of `name` in the strings, where each stands once. */
static inline uint32_t fdt_string(struct fdt_build *b, const char *name)
{
    uint32_t length = (uint32_t)strlen(name) + 1;
    uint32_t at = 0;

    while (at < b->strings_used && strcmp(b->strings + at, name) != 0) {
        at += (uint32_t)strlen(b->strings + at) + 1;
    }
    if (at == b->strings_used) {
        assert(at + length <= FDT_BUILD_STRINGS);
        memcpy(b->strings + at, name, length);
        b->strings_used += length;
    }
    return at;
}

static inline void fdt_property(struct fdt_build *b, const char *name, const void *data, uint32_t n)
{
    fdt_tag(b, 3);
    fdt_tag(b, n);
    fdt_tag(b, fdt_string(b, name));
    fdt_bytes(b, data, n);
}

static inline void fdt_text(struct fdt_build *b, const char *name, const char *text)
{
    fdt_property(b, name, text, (uint32_t)strlen(text) + 1);
}

static inline void fdt_cell(struct fdt_build *b, const char *name, uint32_t cell)
{
    uint8_t bytes[4];

    fdt_put32(bytes, cell);
    fdt_property(b, name, bytes, sizeof(bytes));
}

static inline void fdt_begin(struct fdt_build *b)
{
    memset(b, 0, sizeof(*b));
    b->used = FDT_BUILD_STRUCT_OFFSET;
    fdt_node(b, "");
}

/* Ends the root node and returns the size of the whole. */
static inline uint32_t fdt_end(struct fdt_build *b)
{
    fdt_node_end(b);
    fdt_tag(b, 9);
    uint32_t strings = b->used;
    fdt_bytes(b, b->strings, b->strings_used);
    const uint32_t header[10] = {
        0xd00dfeed, b->used,         FDT_BUILD_STRUCT_OFFSET,          strings, 40, 17, 16,
        0,          b->strings_used, strings - FDT_BUILD_STRUCT_OFFSET};
    for (uint32_t i = 0; i < 10; i++) {
        fdt_put32(b->blob + 4 * i, header[i]);
    }
    return b->used;
}

#endif
