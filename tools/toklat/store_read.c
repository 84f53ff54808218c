/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Superblock and checkpoints, and records by their place.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "tools/toklat/store_read.h"
#include "tools/toklat/toklat.h"

#define CHUNK_SECTORS 2048u

void finding(struct findings *f, enum severity severity, const char *format, ...)
{
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (severity == FINDING_ERROR) {
        f->errors++;
    } else {
        f->notes++;
    }
    f->say(f, severity, text);
}

/* A superblock with our magic and a version that is not known. With a crc that fits, or without,
 * when `sure` is not asked for. */
static bool newer(const struct store_super *super, bool sure)
{
    return super->magic == STORE_SUPER_MAGIC && super->version > STORE_VERSION &&
           (!sure || structure_crc(super, sizeof(*super)) == super->crc);
}

/* The one of the two that counts; both sound ones say the same but for `boots`. */
static enum store_result read_super(struct store *s)
{
    static const uint64_t at[2] = {STORE_SUPER_SECTOR, STORE_SUPER_COPY_SECTOR};
    struct store_super copy[2] = {0};
    struct why why[2] = {{"cannot be read"}, {"cannot be read"}};
    bool sound[2], maybe_newer = false;
    int best = -1;
    for (int i = 0; i < 2; i++) {
        bool read = image_read(s->image, at[i], &copy[i], 1);
        if (newer(&copy[i], true)) {
            s->version = copy[i].version;
            return STORE_NEWER;
        }
        maybe_newer = maybe_newer || newer(&copy[i], false);
        sound[i] = read && super_sound(&copy[i], &why[i]);
        if (sound[i] && (best < 0 || copy[i].boots > copy[best].boots)) {
            best = i;
        }
    }
    if (best < 0) {
        s->version = copy[0].version > STORE_VERSION ? copy[0].version : copy[1].version;
        finding(s->findings, FINDING_ERROR, "superblock: sector 0: %s; sector 8: %s", why[0].text,
                why[1].text);
        return maybe_newer ? STORE_NEWER : STORE_NOT_ONE;
    }
    for (int i = 0; i < 2; i++) {
        if (!sound[i]) {
            finding(s->findings, FINDING_ERROR, "superblock at sector %u: %s", (unsigned)at[i],
                    why[i].text);
        }
    }
    s->super = copy[best];
    return STORE_OPEN;
}

static void check_super(struct store *s)
{
    uint64_t sectors = s->image->bytes / STORE_SECTOR_BYTES;
    if (sectors < s->super.sectors) {
        finding(s->findings, FINDING_ERROR, "truncated: %ju sectors, the superblock says %ju",
                (uintmax_t)sectors, (uintmax_t)s->super.sectors);
    }
}

/* The index of checkpoint `i` into s->index. */
static bool read_index(struct store *s, int i, struct why *why)
{
    const struct store_checkpoint *c = &s->checkpoint[i].head;
    size_t bytes = c->entries * sizeof(struct store_index);
    uint32_t sectors = (uint32_t)((bytes + STORE_SECTOR_BYTES - 1) / STORE_SECTOR_BYTES);
    uint64_t sector = s->super.checkpoint[i] + 1;
    char *to = (char *)s->index;
    for (uint32_t done = 0; done < sectors; done += CHUNK_SECTORS) {
        uint32_t n = MIN(sectors - done, CHUNK_SECTORS);
        if (!image_read(s->image, sector + done, to + (size_t)done * STORE_SECTOR_BYTES, n)) {
            return refuse(why, "index at sector %ju cannot be read", (uintmax_t)(sector + done));
        }
    }
    uint32_t crc = crc32c(0, s->index, bytes);
    if (crc != c->entries_crc) {
        return refuse(why, "entries_crc 0x%08x, computed 0x%08x", c->entries_crc, crc);
    }
    return true;
}

/* Checkpoint `i`, its index too. */
static void read_checkpoint(struct store *s, int i)
{
    struct store_read_checkpoint *c = &s->checkpoint[i];
    struct why why = {"cannot be read"};
    c->sound = image_read(s->image, s->super.checkpoint[i], &c->head, 1) &&
               checkpoint_sound(&s->super, &c->head, &why) && read_index(s, i, &why);
    if (!c->sound) {
        finding(s->findings, FINDING_NOTE, "checkpoint[%d] at sector %ju: %s", i,
                (uintmax_t)s->super.checkpoint[i], why.text);
    }
}

static void read_checkpoints(struct store *s)
{
    struct why why;
    for (int i = 0; i < 2; i++) {
        read_checkpoint(s, i);
    }
    const struct store_read_checkpoint *c = s->checkpoint;
    s->newest = c[1].sound && (!c[0].sound || c[1].head.sequence > c[0].head.sequence) ? 1 : 0;
    if (!c[s->newest].sound) {
        s->newest = -1;
        finding(s->findings, FINDING_ERROR, "no checkpoint is sound: all segments are read");
    } else if (s->newest == 0 && !read_index(s, 0, &why)) { /* that of 1 was read over it */
        s->checkpoint[0].sound = false;
        s->newest = -1;
    }
}

/* Index entries that cannot be: forgotten. */
static void check_index(struct store *s)
{
    struct why why;
    for (uint32_t i = 0; i < store_slots(&s->super); i++) {
        if (!place_sound(&s->super, &s->index[i].place, &why)) {
            finding(s->findings, FINDING_ERROR, "slot %u: index: %s", i + 1, why.text);
            s->index[i] = (struct store_index){0};
        }
    }
}

void store_index_again(struct store *s)
{
    struct why why;
    uint32_t slots = store_slots(&s->super);
    if (s->newest >= 0 && read_index(s, s->newest, &why)) {
        check_index(s);
    } else {
        memset(s->index, 0, slots * sizeof(*s->index));
    }
    memset(s->sequence, 0, slots * sizeof(*s->sequence));
}

static bool take_memory(struct store *s)
{
    size_t slots = store_slots(&s->super);
    /* Read in whole sectors. */
    s->index = calloc(1, ALIGN_UP(slots * sizeof(*s->index), STORE_SECTOR_BYTES));
    s->sequence = calloc(slots, sizeof(*s->sequence));
    return s->index && s->sequence;
}

enum store_result store_open(struct store *s, struct image *im, struct findings *f)
{
    *s = (struct store){.image = im, .findings = f, .newest = -1};
    enum store_result result = read_super(s);
    if (result != STORE_OPEN) {
        return result;
    }
    check_super(s);
    if (!take_memory(s)) {
        return STORE_NO_MEMORY;
    }
    read_checkpoints(s);
    if (s->newest >= 0) {
        check_index(s);
        store_log_read(s);
    } else {
        store_full_read(s);
    }
    return cancelled() ? STORE_CANCELLED : STORE_OPEN;
}

void store_close(struct store *s)
{
    free(s->index);
    free(s->sequence);
    free(s->record);
    s->index = NULL;
    s->sequence = NULL;
    s->record = NULL;
}

void *store_buffer(struct store *s)
{
    if (!s->record) {
        s->record = malloc(STORE_RECORD_BYTES_MAX);
    }
    return s->record;
}

static const struct store_record *read_record(struct store *s, uint32_t slot,
                                              const struct store_place *p, uint32_t sectors,
                                              struct why *why)
{
    struct store_record *r = store_buffer(s);
    if (!r || !image_read(s->image, p->sector, r, sectors)) {
        refuse(why, "%u sectors cannot be read", sectors);
        return NULL;
    }
    if (!head_sound(&s->super, slot, r, (size_t)sectors * STORE_SECTOR_BYTES, why)) {
        return NULL;
    }
    return head_fits(r, p, why) ? r : NULL;
}

const struct store_record *store_record_head(struct store *s, uint32_t slot,
                                             const struct store_place *p, struct why *why)
{
    return read_record(s, slot, p, MIN(p->sectors, STORE_HEAD_SECTORS_MAX), why);
}

const struct store_record *store_record_whole(struct store *s, uint32_t slot,
                                              const struct store_place *p, struct why *why)
{
    const struct store_record *r = read_record(s, slot, p, p->sectors, why);
    return r && pages_sound(r, why) ? r : NULL;
}
