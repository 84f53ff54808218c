/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests of images that are loaded while the machine runs have in common: the supervisor, the
 * file in its memory, and what it says of it.
 */
#ifndef TESTS_UNIT_LOAD_TEST_H
#define TESTS_UNIT_LOAD_TEST_H

#include "core/load.h"
#include "tests/unit/machine_disk_test.h"

#define SPARE 10u
#define FIRST_SPARE (WEB + WEB_COUNT + WEB_RESERVE)
#define FILE_AT (GUEST_UNUSED + 0x123)

static struct elf_file image;
static struct toklat_load load;
static struct vm *boss;
static struct machine_frames before;

/* The supervisor has the file in its memory, and nothing was loaded yet. */
static inline void boss_has_file(void)
{
    boss = machine_vm(BOSS);
    elf_make(&image);
    assert_int_equal(guest_write(&boss->space, IPA(FILE_AT), &image, sizeof(image)), OK);
    before = machine_frames();
}

/* Brings `bytes` of the file at `from`. */
static inline void bring(uint64_t from, uint64_t bytes)
{
    uint64_t so_far = 0;
    assert_int_equal(load_begin(bytes), OK);
    assert_int_equal(load_write(boss, IPA(from), bytes, &so_far), OK);
    assert_int_equal(so_far, bytes);
}

static inline void describe(const char *name, uint32_t reserve)
{
    load = (struct toklat_load){.reserve = reserve, .network = TOKLAT_NETWORK_UPLINK};
    strcpy(load.name, name);
    strcpy(load.file, "new.elf");
}

/* Brings what is in `image` now, and has it loaded. */
static inline enum err load_image(const char *name, uint32_t reserve, unsigned *index)
{
    assert_int_equal(guest_write(&boss->space, IPA(FILE_AT), &image, sizeof(image)), OK);
    describe(name, reserve);
    bring(FILE_AT, sizeof(image));
    return load_commit(&load, index);
}

/* ... and its template plays to its checkpoint. */
static inline struct group *load_ready(const char *name, uint32_t reserve)
{
    unsigned index = 99;
    assert_int_equal(load_image(name, reserve, &index), OK);
    machine_check(true);
    assert_int_equal(groups[index].state, GROUP_BOOTING);
    switch_to(0);
    machine_boot(RX_BUFFERS);
    machine_check(true);
    assert_int_equal(groups[index].state, GROUP_READY);
    return &groups[index];
}

static inline uint32_t create(struct group *g)
{
    uint32_t number = 0;
    assert_int_equal(vm_create(g, &number), OK);
    return number;
}

#endif
