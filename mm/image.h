/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest images: ELF64 files with a Toklat note (abi/image.h). Nothing in the file is trusted.
 */
#ifndef MM_IMAGE_H
#define MM_IMAGE_H

#include "abi/image.h"
#include "core/base/error.h"
#include "mm/space.h"

struct image_segment {
    uint64_t offset; /* in the file */
    uint64_t file_bytes;
    uint32_t first_page;
    uint32_t end_page;
    unsigned perm;
};

/* What a checked file says. */
struct image {
    const uint8_t *file;
    uint64_t entry;
    uint64_t stack_bytes;
    uint32_t flags; /* TOKLAT_IMAGE_* */
    uint32_t segment_count;
    struct image_segment segments[LAYOUT_REGIONS_MAX - 3];
    struct layout layout; /* system page, segments, zero pages, stack */
};

/*
 * Checks `file` and describes it. `memory_bytes` overrides the note's when not 0 (deployment). On
 * ERR_INVALID, ERR_RANGE or ERR_UNSUPPORTED, `why` names the field, its value and the limit.
 */
enum err image_parse(const void *file, size_t bytes, uint64_t memory_bytes, struct image *out,
                     struct refusal *why) MUST_USE;

/* Copies the segments into the empty space `s`, whose layout is the image's, and makes the text
 * visible to instruction fetch. ERR_NO_MEMORY leaves a space to be destroyed. */
enum err image_load(const struct image *image, struct space *s) MUST_USE;

#endif
