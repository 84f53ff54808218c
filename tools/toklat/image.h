/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a store's bytes are: a file, a block device, or memory. Reading a store needs no more than
 * this of it.
 */
#ifndef TOKLAT_IMAGE_H
#define TOKLAT_IMAGE_H

#include "abi/store.h"
#include "core/base/types.h"

struct image {
    /* `n` bytes at `offset`, all inside; false: they cannot be read or written. */
    bool (*read)(struct image *im, uint64_t offset, void *to, size_t n);
    bool (*write)(struct image *im, uint64_t offset, const void *from, size_t n);
    bool (*flush)(struct image *im);
    /* The first offset from `offset` on that may hold something else than zeroes; `bytes`: none. */
    uint64_t (*next_data)(struct image *im, uint64_t offset);
    uint64_t bytes;
};

/* False beyond the end, too. */
bool image_read(struct image *im, uint64_t sector, void *to, uint32_t sectors) MUST_USE;
bool image_write(struct image *im, uint64_t sector, const void *from, uint32_t sectors) MUST_USE;

struct image_file {
    struct image image;
    const char *path;
    int fd;
    bool regular;
};

enum image_mode { IMAGE_READ, IMAGE_WRITE, IMAGE_CREATE };

/* Opens a file or device. To write, it is locked against others who do, and must not be used by a
 * QEMU. Says what is wrong on stderr; false then. A reader is told when somebody writes. */
bool image_file_open(struct image_file *f, const char *path, enum image_mode mode) MUST_USE;
void image_file_close(struct image_file *f);

#endif
