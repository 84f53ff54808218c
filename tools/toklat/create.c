/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toklat store create: an empty store. The superblock is written last, when all that it names is on
 * the device.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/crc32c.h"
#include "tools/toklat/image.h"
#include "tools/toklat/store.h"
#include "tools/toklat/store_format.h"
#include "tools/toklat/toklat.h"

#define CHECKPOINT_FIRST 16u
#define FIRST_SEGMENT_ALIGNMENT 2048ull
#define ZERO_SECTORS 2048u

static const char usage[] =
    "Usage: toklat store create FILE [--size 16G] [--vms 1048576] [--segment 4M] [--force]\n"
    "\n"
    "Makes FILE an empty store. FILE is made sparse; a block device is used as it is.\n"
    "\n"
    "  --size N       bytes, with K, M, G or T; by default 16G, or the whole device\n"
    "  --vms N        VMs that it has slots for, 1 to 16777214\n"
    "  --segment N    bytes of a segment, a power of two from 1M to 64M\n"
    "  --uuid U       its identity, 32 hexadecimal digits; by default random\n"
    "  --force        FILE's present content is lost\n"
    "  --no-progress  no bar\n"
    "\n"
    "SOURCE_DATE_EPOCH is the time of its making, if set.\n";

struct wish {
    const char *path, *uuid;
    uint64_t bytes, vms, segment_bytes;
    bool sized, force;
};

static bool uuid_parse(const char *text, uint8_t *uuid)
{
    unsigned digits = 0;
    memset(uuid, 0, 16);
    for (; *text; text++) {
        static const char hex[] = "0123456789abcdef";
        const char *digit = strchr(hex, *text | 0x20);
        if (*text == '-') {
            continue;
        }
        if (!digit || digits == 32) {
            return false;
        }
        uuid[digits / 2] = (uint8_t)(uuid[digits / 2] << 4 | (digit - hex));
        digits++;
    }
    return digits == 32;
}

static uint64_t made_ns(void)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    uint64_t seconds;
    if (epoch && parse_number(epoch, 0, UINT64_MAX / NS_PER_S, &seconds)) {
        return seconds * NS_PER_S;
    }
    return time_now_ns();
}

/* Where everything is. */
static bool lay_out(const struct wish *w, struct store_super *s, struct why *why)
{
    uint64_t sectors = w->bytes / STORE_SECTOR_BYTES;
    *s = (struct store_super){.magic = STORE_SUPER_MAGIC, .version = STORE_VERSION};
    s->vms = (uint32_t)w->vms;
    s->segment_sectors = (uint32_t)(w->segment_bytes / STORE_SECTOR_BYTES);
    s->checkpoint_sectors = (uint32_t)ALIGN_UP(store_checkpoint_sectors(w->vms), 8ull);
    s->checkpoint[0] = CHECKPOINT_FIRST;
    s->checkpoint[1] = s->checkpoint[0] + s->checkpoint_sectors;
    s->first_segment = ALIGN_UP(s->checkpoint[1] + s->checkpoint_sectors, FIRST_SEGMENT_ALIGNMENT);
    uint64_t least = s->first_segment + (uint64_t)STORE_SEGMENTS_MIN * s->segment_sectors;
    if (sectors < least || sectors > 1ull << 32) {
        return refuse(why, "size %ju bytes, limit %ju to %ju", (uintmax_t)w->bytes,
                      (uintmax_t)least * STORE_SECTOR_BYTES, (uintmax_t)STORE_SECTOR_BYTES << 32);
    }
    uint64_t segments = (sectors - s->first_segment) / s->segment_sectors;
    if (segments > STORE_SEGMENTS_MAX) {
        return refuse(why, "%ju segments of %ju bytes, limit %u: choose a larger --segment",
                      (uintmax_t)segments, (uintmax_t)w->segment_bytes, STORE_SEGMENTS_MAX);
    }
    s->segments = (uint32_t)segments;
    s->sectors = s->first_segment + segments * s->segment_sectors;
    s->created_ns = made_ns();
    if (!w->uuid) {
        return getrandom(s->uuid, sizeof(s->uuid), 0) == sizeof(s->uuid) ||
               refuse(why, "no random numbers: %s", strerror(errno));
    }
    return uuid_parse(w->uuid, s->uuid) || refuse(why, "uuid %s: not 32 digits", w->uuid);
}

/* The index of a checkpoint: zeroes, and its checksum. A new file has them already. */
static bool write_index(struct image *im, const struct store_super *s, int i, bool zeroed,
                        uint32_t *crc, struct progress *bar)
{
    static const char zeroes[ZERO_SECTORS * STORE_SECTOR_BYTES];
    uint64_t bytes = store_slots(s) * (uint64_t)sizeof(struct store_index);
    uint32_t sectors = s->checkpoint_sectors - 1;
    *crc = 0;
    for (uint32_t done = 0; done < sectors && !cancelled(); done += ZERO_SECTORS) {
        uint32_t n = MIN(sectors - done, ZERO_SECTORS);
        size_t part = (size_t)MIN(bytes, (uint64_t)n * STORE_SECTOR_BYTES);
        *crc = crc32c(*crc, zeroes, part);
        bytes -= part;
        if (!zeroed && !image_write(im, s->checkpoint[i] + 1 + done, zeroes, n)) {
            return false;
        }
        progress_show(bar, (uint64_t)i * sectors + done);
    }
    return true;
}

static bool write_checkpoint(struct image *im, const struct store_super *s, int i, bool zeroed,
                             struct progress *bar)
{
    struct store_checkpoint c = {.magic = STORE_CHECKPOINT_MAGIC, .version = STORE_VERSION};
    memcpy(c.uuid, s->uuid, sizeof(c.uuid));
    c.sequence = (uint64_t)i + 1;
    c.batch = 1;
    c.wall_ns = s->created_ns;
    c.entries = store_slots(s);
    c.clean = 1;
    c.next_segment = 1;
    if (!write_index(im, s, i, zeroed, &c.entries_crc, bar)) {
        return false;
    }
    c.crc = structure_crc(&c, sizeof(c));
    return image_write(im, s->checkpoint[i], &c, 1);
}

static bool write_store(struct image *im, struct store_super *s, bool zeroed)
{
    struct progress bar;
    bool well = true;
    progress_begin(&bar, "checkpoints", 2ull * s->checkpoint_sectors);
    for (int i = 0; i < 2 && well; i++) {
        well = write_checkpoint(im, s, i, zeroed, &bar);
    }
    progress_end(&bar);
    s->crc = structure_crc(s, sizeof(*s));
    return well && !cancelled() && im->flush(im) && image_write(im, STORE_SUPER_SECTOR, s, 1) &&
           image_write(im, STORE_SUPER_COPY_SECTOR, s, 1) && im->flush(im);
}

/* Whether the present content may go. */
static bool may_overwrite(struct image_file *f, bool force)
{
    struct store_super old = {0};
    if (force || f->image.bytes == 0) {
        return true;
    }
    bool store =
        image_read(&f->image, STORE_SUPER_SECTOR, &old, 1) && old.magic == STORE_SUPER_MAGIC;
    complain("%s: %s; --force overwrites it", f->path, store ? "a store already" : "not empty");
    return false;
}

/* The old superblocks go first, so that what is half made is no store. */
static bool prepare(struct image_file *f, uint64_t bytes)
{
    static const char zeroes[STORE_SECTOR_BYTES];
    if (f->regular) {
        f->image.bytes = bytes;
        return ftruncate(f->fd, 0) == 0 && ftruncate(f->fd, (off_t)bytes) == 0;
    }
    return image_write(&f->image, STORE_SUPER_SECTOR, zeroes, 1) &&
           image_write(&f->image, STORE_SUPER_COPY_SECTOR, zeroes, 1) && f->image.flush(&f->image);
}

static int create(struct image_file *f, struct wish *w)
{
    struct store_super s;
    struct why why;
    if (!may_overwrite(f, w->force)) {
        return EXIT_OPERATIONAL;
    }
    if (!f->regular && w->sized && w->bytes > f->image.bytes) {
        complain("%s: size %ju bytes, limit %ju, the device", f->path, (uintmax_t)w->bytes,
                 (uintmax_t)f->image.bytes);
        return EXIT_OPERATIONAL;
    }
    w->bytes = f->regular || w->sized ? w->bytes : f->image.bytes;
    if (!lay_out(w, &s, &why)) {
        complain("%s: %s", f->path, why.text);
        return EXIT_USAGE;
    }
    if (!prepare(f, w->bytes) || !write_store(&f->image, &s, f->regular)) {
        if (cancelled()) {
            complain("%s: cancelled: no store", f->path);
            return EXIT_CANCELLED;
        }
        complain("%s: cannot be written: %s", f->path, strerror(errno));
        return EXIT_OPERATIONAL;
    }
    printf("%s: %u VMs, %u segments of %ju KiB\n", f->path, s.vms, s.segments,
           (uintmax_t)s.segment_sectors / 2);
    return EXIT_CLEAN;
}

static const struct option options[] = {
    {"size", required_argument, NULL, 's'},    {"vms", required_argument, NULL, 'v'},
    {"segment", required_argument, NULL, 'g'}, {"uuid", required_argument, NULL, 'u'},
    {"force", no_argument, NULL, 'f'},         {"no-progress", no_argument, NULL, 'p'},
    {"help", no_argument, NULL, 'h'},          {0},
};

/* The options; false: `code` is what to exit with. */
static bool understand(int argc, char **argv, struct wish *w, int *code)
{
    uint8_t uuid[16];
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        bool well = true;
        switch (c) {
        case 's':
            w->sized = well = parse_size(optarg, &w->bytes);
            break;
        case 'v':
            well = parse_number(optarg, 1, STORE_VMS_MAX, &w->vms);
            break;
        case 'g':
            well = parse_size(optarg, &w->segment_bytes) &&
                   w->segment_bytes >= STORE_SEGMENT_SECTORS_MIN * STORE_SECTOR_BYTES &&
                   w->segment_bytes <= STORE_SEGMENT_SECTORS_MAX * STORE_SECTOR_BYTES &&
                   (w->segment_bytes & (w->segment_bytes - 1)) == 0;
            break;
        case 'u':
            w->uuid = optarg;
            well = uuid_parse(optarg, uuid);
            break;
        case 'f':
            w->force = true;
            break;
        case 'p':
            progress_wanted = false;
            break;
        default:
            *code = usage_exit(c, usage);
            return false;
        }
        if (!well) {
            *code = usage_error(usage, "not a value for this option", optarg);
            return false;
        }
    }
    if (optind + 1 != argc) {
        *code = usage_exit('?', usage);
        return false;
    }
    w->path = argv[optind];
    return true;
}

int store_create_command(int argc, char **argv)
{
    struct wish w = {.bytes = 16ull << 30, .vms = 1u << 20, .segment_bytes = 4u << 20};
    struct image_file f;
    int code;
    if (!understand(argc, argv, &w, &code)) {
        return code;
    }
    if (!image_file_open(&f, w.path, IMAGE_CREATE)) {
        return EXIT_OPERATIONAL;
    }
    code = create(&f, &w);
    image_file_close(&f);
    return code;
}
