/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest images: checked, then loaded.
 *
 * Nothing in the file is trusted. Everything is copied out before it is looked at, because an
 * archive aligns its files to 4 bytes only. Sums of what the file says are never formed before
 * both sides are known to be small.
 */
#include "mm/image.h"
#include "abi/hypercall.h"
#include "abi/system_page.h"
#include "core/base/string.h"
#include "mm/elf.h"
#include "mm/table.h"

#define NOTE_ALIGN 4ull
#define SEGMENTS_MAX 16 /* program headers of any type */
#define LOADS_MAX ARRAY_SIZE(((struct image *)0)->segments)

struct parse {
    const uint8_t *file;
    size_t bytes;
    struct image *out;
    struct refusal *why;
    struct elf_header header;
    struct toklat_image_note note;
    bool has_note;
    uint64_t memory_bytes;
    uint64_t top; /* end of what segments and zero pages may use */
};

static enum err refuse(struct parse *p, enum err e, const char *where, const char *what,
                       uint64_t value, uint64_t limit)
{
    *p->why = (struct refusal){where, what, value, limit};
    return e;
}

static const char *segment_name(unsigned i)
{
    static const char *const names[SEGMENTS_MAX] = {
        "segment 0",  "segment 1",  "segment 2",  "segment 3", "segment 4",  "segment 5",
        "segment 6",  "segment 7",  "segment 8",  "segment 9", "segment 10", "segment 11",
        "segment 12", "segment 13", "segment 14", "segment 15"};
    return names[i];
}

/* Whether [offset, offset + n) lies in the first `bytes`. */
static bool is_inside(uint64_t offset, uint64_t n, uint64_t bytes)
{
    return offset <= bytes && n <= bytes - offset;
}

#define FIELD(name) offsetof(struct elf_header, name), sizeof(((struct elf_header *)0)->name)

/* What is the same in all images' headers. */
static const struct {
    const char *what;
    uint8_t offset, bytes, e;
    uint32_t wanted;
} fields[] = {
    {"magic", FIELD(magic), ERR_INVALID, ELF_MAGIC},
    {"ei_class", FIELD(class), ERR_UNSUPPORTED, ELF_CLASS_64},
    {"ei_data", FIELD(data), ERR_UNSUPPORTED, ELF_DATA_LITTLE},
    {"ei_version", FIELD(ident_version), ERR_UNSUPPORTED, ELF_VERSION},
    {"e_type", FIELD(type), ERR_UNSUPPORTED, ELF_TYPE_EXEC},
    {"e_machine", FIELD(machine), ERR_UNSUPPORTED, ELF_MACHINE_AARCH64},
    {"e_version", FIELD(version), ERR_UNSUPPORTED, ELF_VERSION},
    {"e_flags", FIELD(flags), ERR_UNSUPPORTED, 0},
    {"e_ehsize", FIELD(ehsize), ERR_INVALID, sizeof(struct elf_header)},
    {"e_phentsize", FIELD(phentsize), ERR_INVALID, sizeof(struct elf_segment)},
};

static enum err check_header(struct parse *p)
{
    struct elf_header *h = &p->header;
    if (p->bytes < sizeof(*h)) {
        return refuse(p, ERR_INVALID, "header", "file size", p->bytes, sizeof(*h));
    }
    memcpy(h, p->file, sizeof(*h));
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        uint64_t value = 0; /* of a little-endian machine, as the file is */
        memcpy(&value, (const uint8_t *)h + fields[i].offset, fields[i].bytes);
        if (value != fields[i].wanted) {
            return refuse(p, (enum err)fields[i].e, "header", fields[i].what, value,
                          fields[i].wanted);
        }
    }
    if (h->phnum == 0 || h->phnum > SEGMENTS_MAX) {
        return refuse(p, ERR_RANGE, "header", "e_phnum", h->phnum, SEGMENTS_MAX);
    }
    if (!is_inside(h->phoff, h->phnum * sizeof(struct elf_segment), p->bytes)) {
        return refuse(p, ERR_RANGE, "header", "e_phoff", h->phoff, p->bytes);
    }
    return OK;
}

static struct elf_segment segment_at(const struct parse *p, unsigned i)
{
    struct elf_segment segment;
    memcpy(&segment, p->file + p->header.phoff + i * sizeof(segment), sizeof(segment));
    return segment;
}

static enum err check_in_file(struct parse *p, const struct elf_segment *g, const char *where)
{
    if (g->offset > p->bytes) {
        return refuse(p, ERR_RANGE, where, "p_offset", g->offset, p->bytes);
    }
    if (g->filesz > p->bytes - g->offset) {
        return refuse(p, ERR_RANGE, where, "p_filesz", g->filesz, p->bytes - g->offset);
    }
    return OK;
}

/* Notes. */

static enum err take_note(struct parse *p, const struct elf_note *n, uint64_t at, const char *where)
{
    if (n->type != TOKLAT_NOTE_IMAGE) {
        return refuse(p, ERR_UNSUPPORTED, where, "note type", n->type, TOKLAT_NOTE_IMAGE);
    }
    if (n->descsz != sizeof(p->note)) {
        return refuse(p, ERR_INVALID, where, "note size", n->descsz, sizeof(p->note));
    }
    if (p->has_note) {
        return refuse(p, ERR_INVALID, where, "second note named Toklat", at, 1);
    }
    memcpy(&p->note, p->file + at, sizeof(p->note));
    p->has_note = true;
    return OK;
}

/* Looks for Toklat's note among those of a PT_NOTE segment, which lies inside the file. */
static enum err scan_notes(struct parse *p, const struct elf_segment *g, const char *where)
{
    uint64_t at = g->offset, end = g->offset + g->filesz;
    while (end - at >= sizeof(struct elf_note)) {
        struct elf_note n;
        memcpy(&n, p->file + at, sizeof(n));
        at += sizeof(n);
        uint64_t name_bytes = ALIGN_UP((uint64_t)n.namesz, NOTE_ALIGN);
        uint64_t desc_bytes = ALIGN_UP((uint64_t)n.descsz, NOTE_ALIGN);
        if (name_bytes > end - at) {
            return refuse(p, ERR_RANGE, where, "n_namesz", n.namesz, end - at);
        }
        bool ours = n.namesz == sizeof(TOKLAT_NOTE_NAME) &&
                    memcmp(p->file + at, TOKLAT_NOTE_NAME, sizeof(TOKLAT_NOTE_NAME)) == 0;
        at += name_bytes;
        if (desc_bytes > end - at) {
            return refuse(p, ERR_RANGE, where, "n_descsz", n.descsz, end - at);
        }
        enum err e = ours ? take_note(p, &n, at, where) : OK;
        if (e != OK) {
            return e;
        }
        at += desc_bytes;
    }
    return OK;
}

static enum err find_note(struct parse *p)
{
    for (unsigned i = 0; i < p->header.phnum; i++) {
        struct elf_segment g = segment_at(p, i);
        if (g.type == ELF_PT_INTERP) {
            return refuse(p, ERR_UNSUPPORTED, segment_name(i), "p_type", g.type, ELF_PT_NOTE);
        }
        if (g.type != ELF_PT_NOTE) {
            continue;
        }
        enum err e = check_in_file(p, &g, segment_name(i));
        if (e == OK) {
            e = scan_notes(p, &g, segment_name(i));
        }
        if (e != OK) {
            return e;
        }
    }
    return p->has_note ? OK : refuse(p, ERR_INVALID, "file", "notes named Toklat", 0, 1);
}

static enum err check_memory(struct parse *p, const char *where)
{
    const uint64_t least = TOKLAT_IMAGE_BASE + 3 * PAGE_SIZE; /* a segment, the guard, a stack */
    uint64_t memory = p->memory_bytes, stack = p->note.stack_bytes;
    if (!IS_ALIGNED(memory, PAGE_SIZE)) {
        return refuse(p, ERR_INVALID, where, "memory_bytes (multiple of)", memory, PAGE_SIZE);
    }
    if (memory > TOKLAT_MEMORY_MAX) {
        return refuse(p, ERR_RANGE, where, "memory_bytes (at most)", memory, TOKLAT_MEMORY_MAX);
    }
    if (memory < least) {
        return refuse(p, ERR_RANGE, where, "memory_bytes (at least)", memory, least);
    }
    if (!IS_ALIGNED(stack, PAGE_SIZE)) {
        return refuse(p, ERR_INVALID, "note", "stack_bytes (multiple of)", stack, PAGE_SIZE);
    }
    if (stack < PAGE_SIZE) {
        return refuse(p, ERR_RANGE, "note", "stack_bytes (at least)", stack, PAGE_SIZE);
    }
    uint64_t most = memory - TOKLAT_IMAGE_BASE - 2 * PAGE_SIZE;
    if (stack > most) {
        return refuse(p, ERR_RANGE, "note", "stack_bytes (at most)", stack, most);
    }
    p->top = memory - stack - PAGE_SIZE;
    return OK;
}

static enum err check_note(struct parse *p, uint64_t memory_bytes)
{
    const struct toklat_image_note *n = &p->note;
    if (n->abi_version >> 16 != TOKLAT_ABI_MAJOR || (n->abi_version & 0xFFFF) > TOKLAT_ABI_MINOR) {
        return refuse(p, ERR_UNSUPPORTED, "note", "abi_version", n->abi_version,
                      TOKLAT_ABI_VERSION);
    }
    if (n->flags & ~TOKLAT_IMAGE_FLAGS) {
        return refuse(p, ERR_UNSUPPORTED, "note", "flags", n->flags, TOKLAT_IMAGE_FLAGS);
    }
    p->memory_bytes = memory_bytes ? memory_bytes : n->memory_bytes;
    return check_memory(p, memory_bytes ? "deployment" : "note");
}

/* Segments. */

static enum err check_permissions(struct parse *p, const struct elf_segment *g, const char *where)
{
    uint32_t flags = g->flags;
    if (flags & ~(ELF_PF_R | ELF_PF_W | ELF_PF_X) || !(flags & ELF_PF_R)) {
        return refuse(p, ERR_INVALID, where, "p_flags", flags, ELF_PF_R | ELF_PF_W | ELF_PF_X);
    }
    if ((flags & ELF_PF_W) && (flags & ELF_PF_X)) {
        return refuse(p, ERR_INVALID, where, "p_flags (writable and executable)", flags,
                      ELF_PF_R | ELF_PF_X);
    }
    return OK;
}

static enum err check_place(struct parse *p, const struct elf_segment *g, const char *where)
{
    const struct image *out = p->out;
    uint64_t after = TOKLAT_IMAGE_BASE;
    if (out->segment_count > 0) {
        after = (uint64_t)out->segments[out->segment_count - 1].end_page << PAGE_SHIFT;
    }
    if (!IS_ALIGNED(g->vaddr, PAGE_SIZE)) {
        return refuse(p, ERR_INVALID, where, "p_vaddr (multiple of)", g->vaddr, PAGE_SIZE);
    }
    if (g->vaddr < after) {
        return refuse(p, ERR_RANGE, where, "p_vaddr (at least)", g->vaddr, after);
    }
    if (g->vaddr >= p->top) {
        return refuse(p, ERR_RANGE, where, "p_vaddr (below)", g->vaddr, p->top);
    }
    if (g->memsz > p->top - g->vaddr) {
        return refuse(p, ERR_RANGE, where, "p_memsz (at most)", g->memsz, p->top - g->vaddr);
    }
    if (g->filesz > g->memsz) {
        return refuse(p, ERR_INVALID, where, "p_filesz (at most p_memsz)", g->filesz, g->memsz);
    }
    uint64_t backed = ALIGN_UP(g->filesz, PAGE_SIZE);
    if ((g->flags & ELF_PF_X) && g->memsz > backed) { /* text comes from the file alone */
        return refuse(p, ERR_INVALID, where, "p_memsz (executable, at most)", g->memsz, backed);
    }
    return OK;
}

static enum err add_segment(struct parse *p, const struct elf_segment *g, const char *where)
{
    struct image *out = p->out;
    enum err e = check_permissions(p, g, where);
    if (e == OK) {
        e = check_in_file(p, g, where);
    }
    if (e == OK) {
        e = check_place(p, g, where);
    }
    if (e != OK) {
        return e;
    }
    if (out->segment_count == LOADS_MAX) {
        return refuse(p, ERR_RANGE, where, "segments to load (at most)", LOADS_MAX + 1, LOADS_MAX);
    }
    out->segments[out->segment_count++] = (struct image_segment){
        .offset = g->offset,
        .file_bytes = g->filesz,
        .first_page = (uint32_t)(g->vaddr >> PAGE_SHIFT),
        .end_page = (uint32_t)(ALIGN_UP(g->vaddr + g->memsz, PAGE_SIZE) >> PAGE_SHIFT),
        .perm = (g->flags & ELF_PF_W ? PERM_W : 0) | (g->flags & ELF_PF_X ? PERM_X : 0),
    };
    return OK;
}

static enum err take_segments(struct parse *p)
{
    for (unsigned i = 0; i < p->header.phnum; i++) {
        struct elf_segment g = segment_at(p, i);
        if (g.type != ELF_PT_LOAD || (g.memsz == 0 && g.filesz == 0)) {
            continue;
        }
        enum err e = add_segment(p, &g, segment_name(i));
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

/* The entry is an instruction that the file holds. */
static enum err check_entry(struct parse *p)
{
    uint64_t entry = p->header.entry;
    for (unsigned i = 0; i < p->out->segment_count; i++) {
        const struct image_segment *g = &p->out->segments[i];
        uint64_t start = (uint64_t)g->first_page << PAGE_SHIFT;
        if ((g->perm & PERM_X) && entry >= start && entry - start < g->file_bytes &&
            IS_ALIGNED(entry, 4)) {
            p->out->entry = entry;
            return OK;
        }
    }
    return refuse(p, ERR_RANGE, "header", "e_entry (in an executable segment)", entry, p->top);
}

/* Layout. */

static void add_region(struct layout *l, uint64_t first_page, uint64_t end_page, unsigned perm)
{
    if (first_page < end_page) {
        l->regions[l->count++] = (struct region){(uint32_t)first_page, (uint32_t)end_page, perm};
    }
}

static void lay_out(struct parse *p)
{
    struct image *out = p->out;
    struct layout *l = &out->layout;
    const uint64_t system = TOKLAT_SYSTEM_PAGE / PAGE_SIZE;
    add_region(l, system, system + 1, PERM_W);
    uint64_t end = 0;
    for (unsigned i = 0; i < out->segment_count; i++) {
        const struct image_segment *g = &out->segments[i];
        add_region(l, g->first_page, g->end_page, g->perm);
        end = g->end_page;
    }
    uint64_t guard = p->top >> PAGE_SHIFT;
    l->pages = (uint32_t)(p->memory_bytes >> PAGE_SHIFT);
    add_region(l, end, guard, PERM_W);
    add_region(l, guard + 1, l->pages, PERM_W);
    l->own_mmu = out->flags & TOKLAT_IMAGE_MMU;
    l->large = out->flags & TOKLAT_IMAGE_LARGE;
}

enum err image_parse(const void *file, size_t bytes, uint64_t memory_bytes, struct image *out,
                     struct refusal *why)
{
    struct parse p = {.file = file, .bytes = bytes, .out = out, .why = why};
    *out = (struct image){.file = file};
    enum err e = check_header(&p);
    if (e == OK) {
        e = find_note(&p);
    }
    if (e == OK) {
        e = check_note(&p, memory_bytes);
    }
    if (e == OK) {
        e = take_segments(&p);
    }
    if (e == OK) {
        e = check_entry(&p);
    }
    if (e == OK) {
        out->stack_bytes = p.note.stack_bytes;
        out->flags = p.note.flags;
        lay_out(&p);
    }
    return e;
}

/* One page with `n` bytes of the file at its start, and zero after them. */
static enum err load_page(struct space *s, uint32_t page, const uint8_t *from, size_t n,
                          unsigned perm)
{
    pa_t frame;
    enum err e = frame_alloc(FRAME_PRIVATE, s->owner, &frame);
    if (e != OK) {
        return e;
    }
    uint8_t *to = arch_ptr(frame);
    memcpy(to, from, n);
    memset(to + n, 0, PAGE_SIZE - n);
    if (perm & PERM_X) {
        icache_sync(to, PAGE_SIZE);
    }
    if (s->layout->own_mmu) {
        dcache_clean_poc(to, PAGE_SIZE);
    }
    e = space_map(s, page, frame, perm);
    if (e != OK) {
        (void)frame_unref(frame);
    }
    return e;
}

static enum err load_segment(const struct image *image, const struct image_segment *g,
                             struct space *s)
{
    const uint8_t *from = image->file + g->offset;
    uint32_t page = g->first_page;
    for (uint64_t done = 0; done < g->file_bytes; done += PAGE_SIZE, page++) {
        size_t n = (size_t)MIN(g->file_bytes - done, PAGE_SIZE);
        enum err e = load_page(s, page, from + done, n, g->perm);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

enum err image_load(const struct image *image, struct space *s)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        enum err e = load_segment(image, &image->segments[i], s);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}
