/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image note (abi/image.h) and what a guest defines: guest_main().
 */
#ifndef GUESTS_RT_IMAGE_H
#define GUESTS_RT_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/hypercall.h"
#include "abi/image.h"

struct rt_image_note {
    uint32_t name_bytes;
    uint32_t desc_bytes;
    uint32_t type;
    char name[8];
    struct toklat_image_note image __attribute__((packed, aligned(4)));
};

_Static_assert(sizeof(struct rt_image_note) == 44, "an ELF note, aligned to 4 bytes");

/* States, once in each guest, how much memory and stack it has, in bytes, and its flags
 * (TOKLAT_IMAGE_*). rt_stack_bytes lets the heap know where it has to end. */
#define TOKLAT_IMAGE(memory, stack, image_flags)                                                   \
    const uint64_t rt_stack_bytes = (stack);                                                       \
    __attribute__((section(".note.toklat"), used)) const struct rt_image_note rt_image_note = {    \
        .name_bytes = sizeof(TOKLAT_NOTE_NAME),                                                    \
        .desc_bytes = sizeof(struct toklat_image_note),                                            \
        .type = TOKLAT_NOTE_IMAGE,                                                                 \
        .name = TOKLAT_NOTE_NAME,                                                                  \
        .image = {.abi_version = TOKLAT_ABI_VERSION,                                               \
                  .flags = (image_flags),                                                          \
                  .memory_bytes = (memory),                                                        \
                  .stack_bytes = (stack)},                                                         \
    }

extern const uint64_t rt_stack_bytes;
extern const struct rt_image_note rt_image_note;

/* Whether it lies in the image's read-only data, and so never changes. */
static inline bool image_constant(const void *address)
{
    extern const char rt_rodata_start[];
    extern const char rt_rodata_end[];
    return (uintptr_t)address - (uintptr_t)rt_rodata_start <
           (uintptr_t)(rt_rodata_end - rt_rodata_start);
}

/* The guest's own code. Runs with exceptions masked; what it returns is the VM's exit status. */
int guest_main(void);

/* Exit statuses that the runtime itself uses; a guest chooses its own from 1 to 99. */
#define RT_EXIT_OK 0
#define RT_EXIT_FAULT 100   /* an unexpected exception; a line on the console says which */
#define RT_EXIT_ASSERT 101  /* an assertion failed; the line names it */
#define RT_EXIT_VERSION 102 /* EL2's ABI is of another major version, or older than the guest */

#endif
