/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal. Invariant: [first, next) holds whole entries, next - first <= size, and all three
 * are multiples of 8. An entry's time is in ticks until it is read.
 */
#include "core/journal.h"
#include "arch/memory.h"
#include "arch/time.h"
#include "core/base/string.h"
#include "core/move.h"
#include "mm/frame.h"

/* Of all frames; and the least and the most that it has, as orders of frames. */
#define SHARE 1024
#define ORDER_MIN 2u
#define ORDER_MAX 6u

#define TEXT_MAX 255u
#define HEAD sizeof(struct toklat_journal_entry)

static struct lock lock;
static uint8_t *ring;
static uint64_t size, first, next; /* size: a power of two */
static bool awaited;               /* the supervisor has read all there is */
static bool news;
static uint32_t created, last_created; /* since the last entry of that kind */

BOOT void journal_init(void)
{
    unsigned order = ORDER_MIN;
    pa_t pa;
    while (order < ORDER_MAX && 1ull << order < frame_total() / SHARE) {
        order++;
    }
    if (frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, order, &pa) == OK) {
        ring = arch_ptr(pa);
        size = PAGE_SIZE << order;
    }
    first = next = 0;
    awaited = news = false;
    created = 0;
}

static void copy_in(uint64_t at, const void *from, size_t n)
{
    size_t offset = at & (size - 1);
    size_t part = MIN(n, (size_t)(size - offset));
    memcpy(ring + offset, from, part);
    memcpy(ring, (const uint8_t *)from + part, n - part);
}

static void copy_out(void *to, uint64_t at, size_t n)
{
    size_t offset = at & (size - 1);
    size_t part = MIN(n, (size_t)(size - offset));
    memcpy(to, ring + offset, part);
    memcpy((uint8_t *)to + part, ring, n - part);
}

/* A head may wrap, between two of its words; its first has what is looked at here. */
static const struct toklat_journal_entry *entry_at(uint64_t at)
{
    return (const void *)(ring + (at & (size - 1)));
}

static void put_head(const struct toklat_journal_entry *e)
{
    const uint64_t *words = (const void *)e;
    for (unsigned i = 0; i < HEAD / 8; i++) {
        *(uint64_t *)(void *)(ring + ((next + i * 8) & (size - 1))) = words[i];
    }
}

void journal_add(enum toklat_journal kind, uint32_t vm, int64_t value, const char *text, size_t n)
{
    n = MIN(n, (size_t)TEXT_MAX);
    struct toklat_journal_entry e = {
        .bytes = (uint16_t)ALIGN_UP(HEAD + n, 8u),
        .kind = (uint8_t)kind,
        .text_bytes = (uint8_t)n,
        .vm = vm,
        .value = value,
    };
    if (!ring) {
        return;
    }
    lock_take(&lock);
    e.time_ns = counter_now(); /* under the lock: in order */
    while (next + e.bytes - first > size) {
        first += entry_at(first)->bytes;
    }
    put_head(&e);
    if (n) {
        copy_in(next + HEAD, text, n);
    }
    next += e.bytes;
    bool wakes = awaited;
    awaited = false;
    news |= wakes;
    lock_release(&lock);
    if (wakes) {
        move_poke();
    }
}

/* Who awaits an entry is told. */
static __attribute__((noinline)) void announce(void)
{
    lock_take(&lock);
    awaited = false;
    news = true;
    lock_release(&lock);
    move_poke();
}

void journal_created(uint32_t vm)
{
    created++;
    last_created = vm;
    if (unlikely(__atomic_load_n(&awaited, __ATOMIC_RELAXED))) {
        announce();
    }
}

void journal_tell_created(void)
{
    uint32_t count = created;
    created = 0;
    if (count) {
        journal_note(TOKLAT_JOURNAL_CREATED, last_created, count);
    }
}

void journal_log(const char *text, size_t n)
{
    static const char prefix[] = "toklat: ";
    size_t skip = sizeof(prefix) - 1;
    if (n > skip && memcmp(text, prefix, skip) == 0) { /* and no more than its line */
        journal_add(TOKLAT_JOURNAL_LOG, 0, 0, text + skip, n - skip - (text[n - 1] == '\n'));
    }
}

bool journal_has_news(void)
{
    if (likely(!__atomic_load_n(&news, __ATOMIC_RELAXED))) {
        return false;
    }
    lock_take(&lock);
    news = false;
    lock_release(&lock);
    return true;
}

/* The entry at `*cursor`, into `entry`; its bytes, or 0: there is none, and the next is awaited. */
static size_t take(uint64_t *cursor, uint8_t entry[TOKLAT_JOURNAL_ENTRY_MAX])
{
    size_t bytes = 0;
    lock_take(&lock);
    if (*cursor < first || *cursor > next) {
        *cursor = first;
    }
    if (*cursor < next) {
        bytes = entry_at(*cursor)->bytes;
        if (bytes < HEAD || bytes > TOKLAT_JOURNAL_ENTRY_MAX || bytes > next - *cursor) {
            *cursor = first; /* no entry begins where the reader says */
            bytes = entry_at(first)->bytes;
        }
        copy_out(entry, *cursor, bytes);
        struct toklat_journal_entry *e = (void *)entry;
        e->time_ns = ns_from_ticks(e->time_ns);
    } else {
        awaited = true;
    }
    lock_release(&lock);
    return bytes;
}

enum err journal_read(struct space *to, ipa_t ipa, uint64_t bytes, uint64_t *cursor, uint64_t *done)
{
    uint8_t entry[TOKLAT_JOURNAL_ENTRY_MAX] __attribute__((aligned(8)));
    size_t n;
    *done = 0;
    if (!ring) {
        return OK;
    }
    if (!IS_ALIGNED(*cursor, 8u)) { /* any other place is no entry's */
        return ERR_INVALID;
    }
    if (bytes < TOKLAT_JOURNAL_ENTRY_MAX) {
        return ERR_RANGE;
    }
    while ((n = take(cursor, entry)) != 0 && *done + n <= bytes) {
        enum err e = guest_write(to, IPA(ipa.v + *done), entry, n);
        if (e != OK) {
            return *done ? OK : e;
        }
        *done += n;
        *cursor += n;
    }
    return OK;
}

uint64_t journal_first(void)
{
    return __atomic_load_n(&first, __ATOMIC_RELAXED);
}

uint64_t journal_next(void)
{
    return __atomic_load_n(&next, __ATOMIC_RELAXED);
}

const struct lock *journal_lock(void)
{
    return &lock;
}
