/* SPDX-License-Identifier: BSD-2-Clause */
// sources: mm/record.c mm/record_read.c mm/codec.c mm/frame_init.c mm/buddy.c
// sources: mm/space.c mm/space_fault.c mm/table.c mm/guest.c mm/frame.c arch/host/memory.c
// sources: arch/host/stage2.c arch/host/cpu.c arch/host/checksum.c core/base/crc32c.c
// sources: core/base/log.c core/base/fmt.c
/*
 * Anything as a record: with a checksum that fits, and what the store checks of a head, it is read
 * into a clone and as a template. Nothing is read beyond it, and no frame is lost. What was
 * accepted is written again, and read again the same.
 *
 *   input = how (bit 0: only the first page; bit 1: only a part is at hand; bit 2: page checksums
 *           are set right; bit 3: registers), pages, hot pages, room of the head, then the table
 *           and the pages' bytes
 */
#include <stdlib.h>
#include <string.h>

#include "arch/host/host.h"
#include "core/base/log.h"
#include "mm/record.h"
#include "mm/table.h"

#define INPUT_HEAD 4u
#define MOST (64 * 1024u)
#define ROOM MIB(1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct layout layout = {
    .pages = 1100,
    .count = 4,
    .regions = {{1, 2, PERM_W}, {3, 5, PERM_X}, {6, 1024, PERM_W}, {1025, 1100, PERM_W}},
};
static const uint8_t uuid[16] = "sixteen letters";
static struct space template;
static uint64_t tables;

static void start_machine(void)
{
    struct frame_range ram = {PA(HOST_RAM_BASE), MIB(4)};
    host_memory_init(MIB(4));
    CHECK(frame_init(&ram, 1, NULL, 0) == OK);
    space_init(&template, &layout, 1);
    for (uint64_t page = 6; page < 12; page++) {
        CHECK(guest_write(&template, IPA(page << PAGE_SHIFT), &page, sizeof(page)) == OK);
    }
    space_freeze(&template, FRAME_OWNER_TEMPLATE);
    tables = frame_count(FRAME_STAGE2);
}

static void nothing_is_left(struct space *s)
{
    space_destroy(s);
    CHECK(frame_count(FRAME_PRIVATE) == 0 && frame_count(FRAME_STAGE2) == tables);
    CHECK(s->private_pages == 0 && s->stored_pages == 0);
}

static void right_checksums(struct store_record *r, size_t bytes)
{
    struct store_page *p = (struct store_page *)(uintptr_t)record_table(r);
    size_t at = r->head_bytes;
    for (uint32_t i = 0; i < r->pages && at + STORE_PAGE_BYTES(p[i].code) <= bytes; i++) {
        p[i].crc = checksum(0, (uint8_t *)r + at, STORE_PAGE_BYTES(p[i].code));
        at += STORE_PAGE_BYTES(p[i].code);
    }
}

/* A head that is sound, or NULL; in memory of exactly `bytes`. */
static struct store_record *make(const uint8_t *data, size_t size, size_t *bytes)
{
    size_t fixed = sizeof(struct store_record) + (data[0] & 8 ? sizeof(struct store_extra) : 0);
    size_t n = MIN(size - INPUT_HEAD, (size_t)MOST);
    *bytes = ALIGN_UP(fixed + n, (size_t)STORE_SECTOR_BYTES);
    struct store_record *r = calloc(1, *bytes);
    CHECK(r);
    memcpy((uint8_t *)r + fixed, data + INPUT_HEAD, n);
    r->magic = STORE_RECORD_MAGIC;
    r->version = STORE_VERSION;
    memcpy(r->uuid, uuid, sizeof(uuid));
    r->flags = data[0] & 8 ? STORE_RECORD_EXTRA : 0;
    r->pages = data[1];
    r->hot_pages = data[2];
    r->head_bytes = (uint32_t)(fixed + (data[1] + data[3]) * sizeof(struct store_page));
    r->hot_bytes = r->head_bytes;
    r->sectors = (uint32_t)(*bytes / STORE_SECTOR_BYTES);
    if (r->head_bytes > *bytes) {
        free(r);
        return NULL;
    }
    if (data[0] & 4) {
        right_checksums(r, *bytes);
    }
    r->crc = checksum(0, r, r->head_bytes);
    if (!record_head_is_sound(r, *bytes, uuid)) {
        CHECK(r->hot_pages > r->pages);
        free(r);
        return NULL;
    }
    (void)record_is_whole(r, *bytes, 0, uuid);
    return r;
}

static pte_t entry_of(const struct space *s, uint32_t page)
{
    pte_t root = s->root[ROOT_INDEX(page)];
    return root_is_table(root) ? root_table(root)[TABLE_INDEX(page)] : 0;
}

/* What was accepted is written and read again. */
static void round_trip(struct space *s)
{
    static uint64_t room[ROOM / sizeof(uint64_t)];
    struct store_record *r = (void *)room;
    struct space again;
    memset(r, 0, sizeof(*r));
    memcpy(r->uuid, uuid, sizeof(uuid));
    r->magic = STORE_RECORD_MAGIC;
    r->version = STORE_VERSION;
    CHECK(record_write(s, &template, 1, r, sizeof(room)) == OK);
    size_t bytes = r->sectors * (size_t)STORE_SECTOR_BYTES;
    CHECK(record_is_whole(r, bytes, 0, uuid));
    space_clone(&again, &template, 3);
    enum err e = record_read(&again, &template, r, bytes, false);
    CHECK(e == OK || e == ERR_NO_MEMORY);
    for (uint32_t page = 1; e == OK && page < layout.pages; page++) {
        pte_t pte = entry_of(&again, page), was = entry_of(s, page);
        if (pte_is_valid(pte) && pte_is_valid(was)) {
            CHECK(memcmp(arch_ptr(pte_pa(pte)), arch_ptr(pte_pa(was)), PAGE_SIZE) == 0);
        } else {
            CHECK(!pte_is_valid(pte));
        }
    }
    space_destroy(&again);
}

/* All pages that are away are fetched, from a copy of what a read would bring. */
static void fetch_all(struct space *s, const struct store_record *r, size_t bytes, bool only)
{
    for (uint32_t page = 0; page < layout.pages && s->stored_pages > 0; page++) {
        uint32_t offset, n;
        if (!pte_is_stored(entry_of(s, page))) {
            continue;
        }
        CHECK(space_fault(s, IPA((uint64_t)page << PAGE_SHIFT), ACCESS_READ) == ERR_AWAY);
        record_locate(s, page, &offset, &n);
        CHECK(offset + n <= bytes);
        uint8_t *data = malloc(n + 1);
        CHECK(data);
        memcpy(data, (const uint8_t *)r + offset, n);
        enum err e = record_fetch(s, &template, data, offset, n, page, only);
        CHECK(e == OK || e == ERR_INVALID || e == ERR_NO_MEMORY);
        free(data);
    }
}

static void try_clone(const struct store_record *r, size_t bytes, uint8_t how)
{
    struct space s;
    size_t part = how & 2 ? ALIGN_UP(r->head_bytes, STORE_SECTOR_BYTES) : bytes;
    struct store_record *at_hand = malloc(part);
    CHECK(at_hand);
    memcpy(at_hand, r, part);
    space_clone(&s, &template, 2);
    enum err e = record_read(&s, &template, at_hand, part, how & 1);
    CHECK(e == OK || e == ERR_INVALID || e == ERR_NO_MEMORY);
    free(at_hand);
    if (e == OK) {
        fetch_all(&s, r, bytes, how & 1);
    }
    if (e == OK && s.stored_pages == 0) {
        round_trip(&s);
    }
    nothing_is_left(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    if (!started) {
        start_machine();
        started = true;
    }
    if (size < INPUT_HEAD) {
        return 0;
    }
    size_t bytes;
    struct store_record *r = make(data, size, &bytes);
    if (r) {
        struct space s;
        try_clone(r, bytes, data[0]);
        space_init(&s, &layout, 4);
        enum err e = record_read_template(&s, r, bytes);
        CHECK(e == OK || e == ERR_INVALID || e == ERR_NO_MEMORY);
        nothing_is_left(&s);
        free(r);
    }
    return 0;
}
