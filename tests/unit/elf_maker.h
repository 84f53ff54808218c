/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes a small sound guest image in memory, for tests to spoil.
 *
 *   0x0000 header, program headers, note    0x1000 text (2 pages)    0x3000 rodata    0x4000 data
 */
#ifndef TESTS_UNIT_ELF_MAKER_H
#define TESTS_UNIT_ELF_MAKER_H

#include <string.h>

#include "abi/hypercall.h"
#include "abi/image.h"
#include "abi/system_page.h"
#include "mm/elf.h"

#define ELF_BYTES 0x4200
#define ELF_MEMORY (512 * 1024)
#define ELF_STACK (4 * PAGE_SIZE)
#define ELF_LOADS 3

struct elf_file {
    struct elf_header header;
    struct elf_segment note_segment;
    struct elf_segment loads[ELF_LOADS];
    struct elf_note note_header;
    char note_name[8];
    struct toklat_image_note note;
    uint8_t pad[0x1000 - 64 - 4 * 56 - 12 - 8 - 24];
    uint8_t text[2 * 4096];
    uint8_t rodata[4096];
    uint8_t data[0x200];
} __attribute__((packed));

_Static_assert(sizeof(struct elf_file) == ELF_BYTES, "as drawn");

static inline void elf_make(struct elf_file *f)
{
    memset(f, 0, sizeof(*f));
    f->header = (struct elf_header){
        .magic = ELF_MAGIC,
        .class = ELF_CLASS_64,
        .data = ELF_DATA_LITTLE,
        .ident_version = ELF_VERSION,
        .type = ELF_TYPE_EXEC,
        .machine = ELF_MACHINE_AARCH64,
        .version = ELF_VERSION,
        .entry = 0x3004,
        .phoff = sizeof(struct elf_header),
        .ehsize = sizeof(struct elf_header),
        .phentsize = sizeof(struct elf_segment),
        .phnum = 1 + ELF_LOADS,
    };
    uint64_t note = offsetof(struct elf_file, note_header);
    f->note_segment =
        (struct elf_segment){ELF_PT_NOTE, ELF_PF_R, note, 0, 0, 12 + 8 + 24, 12 + 8 + 24, 4};
    f->loads[0] = (struct elf_segment){
        ELF_PT_LOAD, ELF_PF_R | ELF_PF_X, 0x1000, 0x3000, 0x3000, 0x1800, 0x1800, 0x1000};
    f->loads[1] =
        (struct elf_segment){ELF_PT_LOAD, ELF_PF_R, 0x3000, 0x5000, 0x5000, 0x1000, 0x1000, 0x1000};
    f->loads[2] = (struct elf_segment){
        ELF_PT_LOAD, ELF_PF_R | ELF_PF_W, 0x4000, 0x7000, 0x7000, 0x200, 0x3210, 0x1000};
    f->note_header =
        (struct elf_note){sizeof(TOKLAT_NOTE_NAME), sizeof(f->note), TOKLAT_NOTE_IMAGE};
    memcpy(f->note_name, TOKLAT_NOTE_NAME, sizeof(TOKLAT_NOTE_NAME));
    f->note = (struct toklat_image_note){TOKLAT_ABI_VERSION, TOKLAT_IMAGE_CHECKPOINT, ELF_MEMORY,
                                         ELF_STACK};
    for (unsigned i = 0; i < sizeof(f->text); i++) {
        f->text[i] = (uint8_t)(i ^ 0x11);
    }
    memset(f->rodata, 0x22, sizeof(f->rodata));
    memset(f->data, 0x33, sizeof(f->data));
}

#endif
