/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest image is an ELF64 file (little-endian, EM_AARCH64, ET_EXEC) with one PT_NOTE that holds
 * a note named "Toklat" of type TOKLAT_NOTE_IMAGE whose description is struct toklat_image_note.
 *
 * PT_LOAD segments are page-aligned, do not share pages, are never writable and executable at
 * once, and lie in [TOKLAT_IMAGE_BASE, memory_bytes - stack_bytes - one guard page).
 */
#ifndef ABI_IMAGE_H
#define ABI_IMAGE_H

#include <stdint.h>

#define TOKLAT_NOTE_NAME "Toklat"
#define TOKLAT_NOTE_IMAGE 1

/* Flags. Unknown ones are refused. */
#define TOKLAT_IMAGE_CHECKPOINT (1u << 0) /* boots once, calls checkpoint(), then is cloned */
#define TOKLAT_IMAGE_MMU (1u << 1)        /* wants stage 1 translation of its own */
#define TOKLAT_IMAGE_LARGE (1u << 2)      /* zero memory in 2 MiB blocks where they fit */
#define TOKLAT_IMAGE_FLAGS 7u

struct toklat_image_note {
    uint32_t abi_version; /* TOKLAT_ABI_VERSION that the guest was built for */
    uint32_t flags;
    uint64_t memory_bytes; /* multiple of a page, at most TOKLAT_MEMORY_MAX */
    uint64_t stack_bytes;  /* multiple of a page, at least one */
};

_Static_assert(sizeof(struct toklat_image_note) == 24, "published layout");

#endif
