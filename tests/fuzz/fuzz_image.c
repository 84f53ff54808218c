/* SPDX-License-Identifier: BSD-2-Clause */
// sources: mm/frame_init.c mm/buddy.c
// sources: mm/image.c mm/space.c mm/space_fault.c mm/table.c mm/guest.c mm/frame.c
// sources: arch/host/memory.c arch/host/stage2.c arch/host/cpu.c core/base/log.c core/base/fmt.c
/*
 * Any bytes as a guest image: refused, or loaded by the rules; never read outside of, and no frame
 * lost. The input may change a sound image from some place on, or be a whole file.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/host/host.h"
#include "core/base/log.h"
#include "mm/image.h"
#include "tests/unit/elf_maker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void start_machine(void)
{
    struct frame_range ram = {PA(HOST_RAM_BASE), MIB(1)};
    host_memory_init(MIB(1));
    CHECK(frame_init(&ram, 1, NULL, 0) == OK);
}

static void try_file(const uint8_t *file, size_t bytes, uint64_t memory_bytes)
{
    struct image image;
    struct refusal why = {0};
    if (image_parse(file, bytes, memory_bytes, &image, &why) != OK) {
        CHECK(why.where && why.what);
        return;
    }
    struct space s;
    space_init(&s, &image.layout, 1);
    enum err e = image_load(&image, &s);
    CHECK(e == OK || e == ERR_NO_MEMORY);
    if (e == OK) {
        CHECK(space_fault(&s, IPA(image.entry), ACCESS_EXECUTE) == OK);
        CHECK(space_fault(&s, IPA(image.entry), ACCESS_WRITE) == ERR_DENIED);
    }
    space_destroy(&s);
    CHECK(frame_count(FRAME_PRIVATE) == 0 && frame_count(FRAME_STAGE2) == 0);
}

/* The first two bytes say where the rest goes into a sound image. */
static void try_changed(const uint8_t *data, size_t size)
{
    static struct elf_file elf;
    if (size < 2) {
        return;
    }
    elf_make(&elf);
    size_t at = (data[0] | (size_t)data[1] << 8) % offsetof(struct elf_file, pad);
    memcpy((uint8_t *)&elf + at, data + 2, MIN(size - 2, sizeof(elf) - at));
    try_file((const uint8_t *)&elf, sizeof(elf), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    if (!started) {
        start_machine();
        started = true;
    }
    try_file(data, size, 0);
    try_file(data, size, MIB(1));
    try_changed(data, size);
    return 0;
}
