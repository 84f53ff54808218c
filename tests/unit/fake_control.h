/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine behind vm_control, as the supervisor sees one: a few images, some VMs, a journal. It
 * does what it is asked at once, or refuses as it was told to.
 */
#ifndef TESTS_UNIT_FAKE_CONTROL_H
#define TESTS_UNIT_FAKE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/control.h"

#define FAKE_VMS 400 /* numbers from 1 */
#define FAKE_GROUPS 4
#define FAKE_JOURNAL_BYTES 65536

struct fake {
    struct toklat_machine machine;
    struct toklat_group groups[TOKLAT_GROUPS_MAX];
    struct toklat_vm vms[FAKE_VMS + 1]; /* by number; number 0: there is none */
    uint64_t journal[FAKE_JOURNAL_BYTES / 8];
    uint64_t journal_base;                /* cursor of its first byte */
    uint64_t now_ns;                      /* goes on by 1 ms with each look at it */
    int64_t refuse[TOKLAT_OPERATIONS];    /* what an operation returns instead; 0: it works */
    uint32_t refusals[TOKLAT_OPERATIONS]; /* so often; 0: for ever */
    uint32_t calls[TOKLAT_OPERATIONS];
    uint32_t fail_create_after; /* VMs; 0: never */
    uint64_t image_bytes, image_written;
    char input[256];
    size_t input_length;
    size_t input_room;
    const char *load_problem;
    struct toklat_load load;
};

extern struct fake fake;

/* Group 0: the supervisor, VM 1. Group 1, "web": VMs 2 to 11, reserve to 110. Group 2: one that
 * was loaded, "extra", reserve 111 to 120. Group 3: absent. */
void fake_begin(void);

/* A VM that lives, with so many private pages. */
void fake_live(uint32_t number, enum toklat_vm_state state, uint32_t private_pages);

void fake_note(enum toklat_journal kind, uint32_t vm, int64_t value, const char *text);

#endif
