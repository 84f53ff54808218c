/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of ELF64 an image uses (System V ABI, chapters 4 and 5; ELF for the Arm 64-bit
 * architecture, IHI 0056).
 */
#ifndef MM_ELF_H
#define MM_ELF_H

#include "core/base/types.h"

#define ELF_MAGIC 0x464C457Fu /* 0x7F "ELF", as a little-endian word */
#define ELF_CLASS_64 2
#define ELF_DATA_LITTLE 1
#define ELF_VERSION 1
#define ELF_TYPE_EXEC 2
#define ELF_MACHINE_AARCH64 183

struct elf_header {
    uint32_t magic;
    uint8_t class;
    uint8_t data;
    uint8_t ident_version;
    uint8_t os_abi;
    uint8_t pad[8];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t phoff;
    uint64_t shoff;
    uint32_t flags;
    uint16_t ehsize;
    uint16_t phentsize;
    uint16_t phnum;
    uint16_t shentsize;
    uint16_t shnum;
    uint16_t shstrndx;
};

#define ELF_PT_LOAD 1
#define ELF_PT_INTERP 3
#define ELF_PT_NOTE 4

#define ELF_PF_X 1u
#define ELF_PF_W 2u
#define ELF_PF_R 4u

struct elf_segment {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t vaddr;
    uint64_t paddr;
    uint64_t filesz;
    uint64_t memsz;
    uint64_t align;
};

/* Name and description follow, each padded to 4 bytes. */
struct elf_note {
    uint32_t namesz;
    uint32_t descsz;
    uint32_t type;
};

_Static_assert(sizeof(struct elf_header) == 64, "ELF64");
_Static_assert(sizeof(struct elf_segment) == 56, "ELF64");

#endif
