/* SPDX-License-Identifier: BSD-2-Clause */
// sources: mm/frame_init.c mm/buddy.c
// sources: mm/image.c mm/space.c mm/space_fault.c mm/table.c mm/guest.c mm/frame.c
// sources: arch/host/memory.c arch/host/stage2.c arch/host/cpu.c core/base/log.c core/base/fmt.c
/*
 * Images: a sound one is laid out and loaded; every kind of unsound one is refused by name; and no
 * change of any byte reads outside the file or makes a layout that breaks a rule.
 */
#include "tests/unit/space_check.h"

#include <stdlib.h>

#include "mm/image.h"
#include "tests/unit/elf_maker.h"

static struct elf_file elf;
static struct image image;
static struct refusal why;
static struct space space;

static int fresh(void **state)
{
    (void)state;
    host_memory_init(MIB(2));
    struct frame_range ram = {PA(HOST_RAM_BASE), MIB(2)};
    assert_int_equal(frame_init(&ram, 1, NULL, 0), OK);
    elf_make(&elf);
    return 0;
}

static enum err parse(void)
{
    why = (struct refusal){"", "", 0, 0};
    return image_parse(&elf, sizeof(elf), 0, &image, &why);
}

static void refused_at(int line, enum err wanted, const char *where, const char *what)
{
    enum err e = parse();
    if (e != wanted || strcmp(why.where, where) != 0 ||
        strncmp(why.what, what, strlen(what)) != 0) {
        print_error("line %d: got %d, %s: %s, 0x%lx, 0x%lx\n", line, e, why.where, why.what,
                    why.value, why.limit);
        fail();
    }
    elf_make(&elf);
}

#define REFUSED(change, e, where, what)                                                            \
    do {                                                                                           \
        change;                                                                                    \
        refused_at(__LINE__, e, where, what);                                                      \
    } while (0)

static void region_is(unsigned i, uint32_t first, uint32_t end, unsigned perm)
{
    assert_int_equal(image.layout.regions[i].first_page, first);
    assert_int_equal(image.layout.regions[i].end_page, end);
    assert_int_equal(image.layout.regions[i].perm, perm);
}

static void sound_image_is_laid_out(void **state)
{
    (void)state;
    assert_int_equal(parse(), OK);
    assert_int_equal(image.entry, 0x3004);
    assert_int_equal(image.stack_bytes, ELF_STACK);
    assert_int_equal(image.flags, TOKLAT_IMAGE_CHECKPOINT);
    assert_int_equal(image.layout.pages, 128);
    assert_int_equal(image.layout.count, 6);
    assert_false(image.layout.own_mmu);
    assert_false(image.layout.large);
    region_is(0, 1, 2, PERM_W);
    region_is(1, 3, 5, PERM_X);
    region_is(2, 5, 6, 0);
    region_is(3, 7, 11, PERM_W);
    region_is(4, 11, 123, PERM_W);
    region_is(5, 124, 128, PERM_W);
}

static void flags_reach_the_layout(void **state)
{
    (void)state;
    elf.note.flags = TOKLAT_IMAGE_MMU;
    assert_int_equal(parse(), OK);
    assert_true(image.layout.own_mmu);
    elf.note.flags = TOKLAT_IMAGE_LARGE;
    assert_int_equal(parse(), OK);
    assert_true(image.layout.large);
}

static void sound_image_is_loaded(void **state)
{
    (void)state;
    assert_int_equal(parse(), OK);
    space_init(&space, &image.layout, 1);
    assert_int_equal(image_load(&image, &space), OK);
    assert_int_equal(space.private_pages, 4); /* nothing for .bss, stack or system page */
    assert_int_equal(host_counts.icache_syncs, 2);
    static uint8_t in[0x3210], zero[0x3210];
    assert_int_equal(guest_read(&space, IPA(0x3000), in, 0x2000), OK);
    assert_memory_equal(in, elf.text, 0x1800);
    assert_memory_equal(in + 0x1800, zero, 0x800);
    assert_int_equal(guest_read(&space, IPA(0x5000), in, 0x1000), OK);
    assert_memory_equal(in, elf.rodata, 0x1000);
    assert_int_equal(guest_read(&space, IPA(0x7000), in, 0x3210), OK);
    assert_memory_equal(in, elf.data, 0x200);
    assert_memory_equal(in + 0x200, zero, 0x3010);
    assert_int_equal(guest_read(&space, IPA(TOKLAT_SYSTEM_PAGE), in, 64), OK);
    assert_int_equal(space_fault(&space, IPA(0x3000), ACCESS_EXECUTE), OK);
    assert_int_equal(space_fault(&space, IPA(0x3000), ACCESS_WRITE), ERR_DENIED);
    assert_int_equal(space_fault(&space, IPA(0x6000), ACCESS_READ), ERR_RANGE);
    census_start();
    census_add(&space, false);
    census_end();
    space_destroy(&space);
}

static void out_of_frames_at_each_step(void **state)
{
    (void)state;
    assert_int_equal(parse(), OK);
    static pa_t held[512];
    unsigned n = 0;
    while (n < 512 && frame_alloc(FRAME_EL2, 0, &held[n]) == OK) {
        n++;
    }
    for (unsigned spare = 0; spare < 5; spare++) {
        space_init(&space, &image.layout, 1);
        assert_int_equal(image_load(&image, &space), ERR_NO_MEMORY);
        census_start();
        census_add(&space, false);
        census_end();
        space_destroy(&space);
        assert_int_equal(frame_count(FRAME_FREE), spare);
        assert_true(frame_unref(held[--n]));
    }
    space_init(&space, &image.layout, 1);
    assert_int_equal(image_load(&image, &space), OK);
    space_destroy(&space);
}

static void memory_may_be_given(void **state)
{
    (void)state;
    assert_int_equal(image_parse(&elf, sizeof(elf), MIB(32), &image, &why), OK);
    assert_int_equal(image.layout.pages, 8192);
    assert_int_equal(image_parse(&elf, sizeof(elf), MIB(32) + PAGE_SIZE, &image, &why), ERR_RANGE);
    assert_string_equal(why.where, "deployment");
    assert_int_equal(why.value, MIB(32) + PAGE_SIZE);
    assert_int_equal(why.limit, MIB(32));
    assert_int_equal(image_parse(&elf, sizeof(elf), 5, &image, &why), ERR_INVALID);
    assert_int_equal(image_parse(&elf, sizeof(elf), 0xF000, &image, &why), ERR_RANGE);
    assert_string_equal(why.where, "segment 3");
}

/* Exactly as much memory as there must be, and one page less. */
static void memory_to_the_page(void **state)
{
    (void)state;
    elf.note.stack_bytes = PAGE_SIZE;
    assert_int_equal(image_parse(&elf, sizeof(elf), 0xD000, &image, &why), OK);
    assert_int_equal(image.layout.count, 5);
    region_is(3, 7, 11, PERM_W);
    region_is(4, 12, 13, PERM_W);
    assert_int_equal(image_parse(&elf, sizeof(elf), 0xC000, &image, &why), ERR_RANGE);
    assert_string_equal(why.what, "p_memsz (at most)");
}

static void refuses_bad_headers(void **state)
{
    (void)state;
    REFUSED(elf.header.magic++, ERR_INVALID, "header", "magic");
    REFUSED(elf.header.class = 1, ERR_UNSUPPORTED, "header", "ei_class");
    REFUSED(elf.header.data = 2, ERR_UNSUPPORTED, "header", "ei_data");
    REFUSED(elf.header.ident_version = 0, ERR_UNSUPPORTED, "header", "ei_version");
    REFUSED(elf.header.type = 3, ERR_UNSUPPORTED, "header", "e_type");
    REFUSED(elf.header.machine = 62, ERR_UNSUPPORTED, "header", "e_machine");
    REFUSED(elf.header.version = 2, ERR_UNSUPPORTED, "header", "e_version");
    REFUSED(elf.header.flags = 1, ERR_UNSUPPORTED, "header", "e_flags");
    REFUSED(elf.header.ehsize = 63, ERR_INVALID, "header", "e_ehsize");
    REFUSED(elf.header.phentsize = 32, ERR_INVALID, "header", "e_phentsize");
    REFUSED(elf.header.phnum = 0, ERR_RANGE, "header", "e_phnum");
    REFUSED(elf.header.phnum = 17, ERR_RANGE, "header", "e_phnum");
    REFUSED(elf.header.phoff = sizeof(elf) - 223, ERR_RANGE, "header", "e_phoff");
    REFUSED(elf.header.phoff = UINT64_MAX - 10, ERR_RANGE, "header", "e_phoff");
    REFUSED(elf.header.entry = 0x3002, ERR_RANGE, "header", "e_entry");
    REFUSED(elf.header.entry = 0x4800, ERR_RANGE, "header", "e_entry");
    REFUSED(elf.header.entry = 0x5000, ERR_RANGE, "header", "e_entry");
    REFUSED(elf.header.entry = 0x7000, ERR_RANGE, "header", "e_entry");
    REFUSED(elf.header.entry = UINT64_MAX - 3, ERR_RANGE, "header", "e_entry");
    REFUSED(elf.header.entry = 0, ERR_RANGE, "header", "e_entry");
}

/* docs/virtual-architecture.md, 2: the same major version, and no later minor. */
static void a_guest_for_an_older_minor_version_runs(void **state)
{
    (void)state;
    for (uint32_t minor = 0; minor <= TOKLAT_ABI_MINOR; minor++) {
        elf.note.abi_version = TOKLAT_ABI_MAJOR << 16 | minor;
        assert_int_equal(parse(), OK);
    }
    REFUSED(elf.note.abi_version = TOKLAT_ABI_MAJOR << 16 | (TOKLAT_ABI_MINOR + 1), ERR_UNSUPPORTED,
            "note", "abi_version");
    REFUSED(elf.note.abi_version = TOKLAT_ABI_MAJOR << 16 | 0xFFFF, ERR_UNSUPPORTED, "note",
            "abi_version");
}

static void refuses_bad_notes(void **state)
{
    (void)state;
    REFUSED(elf.note_segment.type = 0, ERR_INVALID, "file", "notes named Toklat");
    REFUSED(elf.note_name[0] = 't', ERR_INVALID, "file", "notes named Toklat");
    REFUSED(elf.note_header.namesz = 6, ERR_INVALID, "file", "notes named Toklat");
    REFUSED(elf.note_header.namesz = 100, ERR_RANGE, "segment 0", "n_namesz");
    REFUSED(elf.note_header.namesz = UINT32_MAX, ERR_RANGE, "segment 0", "n_namesz");
    REFUSED(elf.note_header.descsz = UINT32_MAX, ERR_RANGE, "segment 0", "n_descsz");
    REFUSED(elf.note_header.descsz = 20, ERR_INVALID, "segment 0", "note size");
    REFUSED(elf.note_header.type = 2, ERR_UNSUPPORTED, "segment 0", "note type");
    REFUSED(elf.note_segment.offset = sizeof(elf) + 1, ERR_RANGE, "segment 0", "p_offset");
    REFUSED(elf.note_segment.filesz = sizeof(elf), ERR_RANGE, "segment 0", "p_filesz");
    REFUSED(elf.note_segment.filesz = UINT64_MAX, ERR_RANGE, "segment 0", "p_filesz");
    REFUSED(elf.loads[1] = elf.note_segment, ERR_INVALID, "segment 2", "second note");
    REFUSED(elf.loads[1].type = ELF_PT_INTERP, ERR_UNSUPPORTED, "segment 2", "p_type");
    REFUSED(elf.note.abi_version = 2 << 16, ERR_UNSUPPORTED, "note", "abi_version");
    REFUSED(elf.note.abi_version = 0, ERR_UNSUPPORTED, "note", "abi_version");
    REFUSED(elf.note.flags = 8, ERR_UNSUPPORTED, "note", "flags");
    REFUSED(elf.note.memory_bytes = ELF_MEMORY + 1, ERR_INVALID, "note", "memory_bytes");
    REFUSED(elf.note.memory_bytes = MIB(33), ERR_RANGE, "note", "memory_bytes (at most)");
    REFUSED(elf.note.memory_bytes = -PAGE_SIZE, ERR_RANGE, "note", "memory_bytes (at most)");
    REFUSED(elf.note.memory_bytes = 0, ERR_RANGE, "note", "memory_bytes (at least)");
    REFUSED(elf.note.stack_bytes = 0, ERR_RANGE, "note", "stack_bytes (at least)");
    REFUSED(elf.note.stack_bytes = 100, ERR_INVALID, "note", "stack_bytes (multiple of)");
    REFUSED(elf.note.stack_bytes = ELF_MEMORY, ERR_RANGE, "note", "stack_bytes (at most)");
    REFUSED(elf.note.stack_bytes = -PAGE_SIZE, ERR_RANGE, "note", "stack_bytes (at most)");
}

static void refuses_bad_segments(void **state)
{
    (void)state;
    REFUSED(elf.loads[0].flags = 7, ERR_INVALID, "segment 1", "p_flags (writable and exec");
    REFUSED(elf.loads[0].flags = 3, ERR_INVALID, "segment 1", "p_flags");
    REFUSED(elf.loads[0].flags = 8 | 4, ERR_INVALID, "segment 1", "p_flags");
    REFUSED(elf.loads[1].flags = 0, ERR_INVALID, "segment 2", "p_flags");
    REFUSED(elf.loads[0].offset = sizeof(elf) + 1, ERR_RANGE, "segment 1", "p_offset");
    REFUSED(elf.loads[0].offset = sizeof(elf) - 1, ERR_RANGE, "segment 1", "p_filesz");
    REFUSED(elf.loads[0].offset = UINT64_MAX, ERR_RANGE, "segment 1", "p_offset");
    REFUSED(elf.loads[0].filesz = UINT64_MAX, ERR_RANGE, "segment 1", "p_filesz");
    REFUSED(elf.loads[0].vaddr = 0x3004, ERR_INVALID, "segment 1", "p_vaddr (multiple");
    REFUSED(elf.loads[0].vaddr = 0x1000, ERR_RANGE, "segment 1", "p_vaddr (at least)");
    REFUSED(elf.loads[0].vaddr = 0, ERR_RANGE, "segment 1", "p_vaddr (at least)");
    REFUSED(elf.loads[1].vaddr = 0x4000, ERR_RANGE, "segment 2", "p_vaddr (at least)");
    REFUSED(elf.loads[2].vaddr = 0x5000, ERR_RANGE, "segment 3", "p_vaddr (at least)");
    REFUSED(elf.loads[2].vaddr = ELF_MEMORY, ERR_RANGE, "segment 3", "p_vaddr (below)");
    REFUSED(elf.loads[2].vaddr = -PAGE_SIZE, ERR_RANGE, "segment 3", "p_vaddr (below)");
    REFUSED(elf.loads[2].memsz = ELF_MEMORY, ERR_RANGE, "segment 3", "p_memsz (at most)");
    REFUSED(elf.loads[2].memsz = UINT64_MAX, ERR_RANGE, "segment 3", "p_memsz (at most)");
    REFUSED(elf.loads[2].memsz = 0x1FF, ERR_INVALID, "segment 3", "p_filesz (at most p_memsz)");
    REFUSED(elf.loads[0].memsz = 0x2001, ERR_INVALID, "segment 1", "p_memsz (executable");
}

static void empty_segments_count_for_nothing(void **state)
{
    (void)state;
    elf.loads[1] = (struct elf_segment){.type = ELF_PT_LOAD};
    assert_int_equal(parse(), OK);
    assert_int_equal(image.segment_count, 2);
}

static void refuses_too_many_segments(void **state)
{
    (void)state;
    static uint8_t file[sizeof(elf) + 9 * sizeof(struct elf_segment)];
    elf.header.phoff = sizeof(elf);
    elf.header.phnum = 9;
    for (unsigned count = 7; count <= 8; count++) {
        memcpy(file, &elf, sizeof(elf));
        struct elf_segment *g = (void *)(file + sizeof(elf));
        memcpy(g, &elf.note_segment, sizeof(*g));
        memcpy(g + 1, &elf.loads[0], sizeof(*g));
        for (unsigned i = 2; i < 9; i++) {
            memcpy(&g[i], &elf.loads[1], sizeof(*g));
            g[i].type = i <= count ? ELF_PT_LOAD : 0;
            g[i].vaddr = 0x5000 + i * PAGE_SIZE;
        }
        enum err e = image_parse(file, sizeof(file), 0, &image, &why);
        assert_int_equal(e, count == 7 ? OK : ERR_RANGE);
        assert_true(image.layout.count <= LAYOUT_REGIONS_MAX);
    }
    assert_string_equal(why.where, "segment 8");
    assert_int_equal(why.limit, 7);
}

/* Whatever a parsed image says, it keeps the rules of abi/image.h. */
static void keeps_the_rules(const struct image *m, size_t bytes)
{
    const struct layout *l = &m->layout;
    uint32_t end = 0;
    assert_true(l->pages <= TOKLAT_MEMORY_MAX / PAGE_SIZE && l->count <= LAYOUT_REGIONS_MAX);
    for (unsigned i = 0; i < l->count; i++) {
        const struct region *r = &l->regions[i];
        assert_true(r->first_page >= MAX(end, 1u) && r->end_page > r->first_page);
        assert_true((r->perm & (PERM_W | PERM_X)) != (PERM_W | PERM_X));
        end = r->end_page;
    }
    assert_int_equal(end, l->pages);
    assert_null(layout_region(l, 0));
    assert_null(layout_region(l, 2));
    assert_null(layout_region(l, l->pages - m->stack_bytes / PAGE_SIZE - 1));
    assert_int_equal(layout_region(l, m->entry / PAGE_SIZE)->perm, PERM_X);
    for (unsigned i = 0; i < m->segment_count; i++) {
        const struct image_segment *g = &m->segments[i];
        assert_true(g->offset <= bytes && g->file_bytes <= bytes - g->offset);
        assert_true(g->file_bytes <= (g->end_page - g->first_page) * PAGE_SIZE);
    }
}

/* The file in memory that ends where it ends, so that the sanitizer sees every step beyond. */
static void try_file(const void *from, size_t bytes)
{
    uint8_t *file = malloc(bytes);
    memcpy(file, from, bytes);
    if (image_parse(file, bytes, 0, &image, &why) == OK) {
        keeps_the_rules(&image, bytes);
        space_init(&space, &image.layout, 1);
        enum err e = image_load(&image, &space);
        assert_true(e == OK || e == ERR_NO_MEMORY);
        space_destroy(&space);
    } else {
        assert_non_null(why.where);
        assert_non_null(why.what);
    }
    free(file);
}

static void survives_every_byte(void **state)
{
    (void)state;
    static const uint8_t values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
    uint8_t *bytes = (uint8_t *)&elf;
    for (size_t at = 0; at < offsetof(struct elf_file, pad); at++) {
        uint8_t old = bytes[at];
        for (unsigned i = 0; i < 8 + ARRAY_SIZE(values); i++) {
            bytes[at] = i < 8 ? (uint8_t)(old ^ 1u << i) : values[i - 8];
            try_file(&elf, sizeof(elf));
        }
        bytes[at] = old;
    }
}

static void survives_every_length(void **state)
{
    (void)state;
    for (size_t n = 1; n < 1024; n++) {
        try_file(&elf, n);
    }
    for (size_t n = 1024; n <= sizeof(elf); n += 97) {
        try_file(&elf, n);
    }
}

static void survives_random_changes(void **state)
{
    (void)state;
    srand(3);
    for (unsigned round = 0; round < 20000; round++) {
        elf_make(&elf);
        uint8_t *bytes = (uint8_t *)&elf;
        for (int i = rand() % 6; i >= 0; i--) {
            bytes[(size_t)rand() % offsetof(struct elf_file, pad)] = (uint8_t)rand();
        }
        try_file(&elf, sizeof(elf));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sound_image_is_laid_out, fresh),
        cmocka_unit_test_setup(flags_reach_the_layout, fresh),
        cmocka_unit_test_setup(sound_image_is_loaded, fresh),
        cmocka_unit_test_setup(out_of_frames_at_each_step, fresh),
        cmocka_unit_test_setup(memory_may_be_given, fresh),
        cmocka_unit_test_setup(memory_to_the_page, fresh),
        cmocka_unit_test_setup(refuses_bad_headers, fresh),
        cmocka_unit_test_setup(a_guest_for_an_older_minor_version_runs, fresh),
        cmocka_unit_test_setup(refuses_bad_notes, fresh),
        cmocka_unit_test_setup(refuses_bad_segments, fresh),
        cmocka_unit_test_setup(empty_segments_count_for_nothing, fresh),
        cmocka_unit_test_setup(refuses_too_many_segments, fresh),
        cmocka_unit_test_setup(survives_every_byte, fresh),
        cmocka_unit_test_setup(survives_every_length, fresh),
        cmocka_unit_test_setup(survives_random_changes, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
