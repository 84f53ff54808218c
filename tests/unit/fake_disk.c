// SPDX-License-Identifier: BSD-2-Clause
/*
 * A model of a virtio block device.
 */
#include "tests/unit/fake_disk.h"

#include <stdlib.h>
#include <string.h>

#include "abi/virtq.h"

#define TYPE_IN 0
#define TYPE_OUT 1
#define TYPE_FLUSH 4

struct fake_disk fake_disk;

void fake_disk_config(unsigned offset, uint32_t v)
{
    memcpy(fake_virtio.config + offset, &v, sizeof(v));
}

void fake_disk_init(void)
{
    fake_virtio_init();
    fake_disk = (struct fake_disk){0};
    for (unsigned i = 0; i < sizeof(fake_disk.disk); i++) {
        fake_disk.disk[i] = (uint8_t)(i / 512 + i);
    }
    fake_virtio.device_id = 2;
    /* Some of these nobody wants. */
    fake_virtio.offered = 1ull << 32 | FAKE_DISK_SEG_MAX | FAKE_DISK_BLK_SIZE | FAKE_DISK_FLUSH |
                          1ull << 11 | 1ull << 12 | 1ull << 28;
    fake_virtio.queue[0].max = 256;
    memset(fake_virtio.config, 0, sizeof(fake_virtio.config));
    fake_disk_config(0, FAKE_DISK_SECTORS);
    fake_disk_config(8, 1234); /* not offered: means nothing */
    fake_disk_config(12, 254);
    fake_disk_config(20, 512);
}

static void demand(bool condition)
{
    if (!condition) {
        abort();
    }
}

static struct virtq_desc *follow(const struct virtq_desc *d)
{
    demand(d->flags & VIRTQ_DESC_F_NEXT && d->next < fake_virtio.queue[0].size);
    return fake_virtio_desc(0, d->next);
}

/* Moves the data of one segment; returns how many bytes. */
static uint32_t move(uint32_t type, uint64_t at, const struct virtq_desc *d)
{
    void *p = (void *)(uintptr_t)d->addr;
    demand(type != TYPE_FLUSH && at + d->len <= sizeof(fake_disk.disk));
    demand(d->flags == (VIRTQ_DESC_F_NEXT | (type == TYPE_IN ? VIRTQ_DESC_F_WRITE : 0)));
    if (fake_disk.status == 0 && type == TYPE_IN) {
        memcpy(p, fake_disk.disk + at, d->len);
    } else if (fake_disk.status == 0) {
        memcpy(fake_disk.disk + at, p, d->len);
    }
    if (d->len > fake_disk.most_bytes) {
        fake_disk.most_bytes = d->len;
    }
    return d->len;
}

uint16_t fake_disk_do(void)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    unsigned segments = 0;
    uint16_t head = fake_virtio_next(0);
    struct virtq_desc *d = fake_virtio_desc(0, head);
    demand(d->flags == VIRTQ_DESC_F_NEXT && d->len == sizeof(header));
    memcpy(&header, (void *)(uintptr_t)d->addr, sizeof(header));
    demand(header.type == TYPE_IN || header.type == TYPE_OUT || header.type == TYPE_FLUSH);
    demand(header.reserved == 0 && (header.type != TYPE_FLUSH || header.sector == 0));
    uint64_t at = header.sector * 512;
    for (d = follow(d); d->flags & VIRTQ_DESC_F_NEXT; d = follow(d)) {
        at += move(header.type, at, d);
        segments++;
    }
    demand((segments == 0) == (header.type == TYPE_FLUSH));
    demand(d->flags == VIRTQ_DESC_F_WRITE && d->len == 1);
    if (fake_disk.status != 0xFF) {
        *(uint8_t *)(uintptr_t)d->addr = fake_disk.status;
    }
    fake_disk.flushes += header.type == TYPE_FLUSH;
    if (segments > fake_disk.most_segments) {
        fake_disk.most_segments = segments;
    }
    return head;
}

uint16_t fake_disk_serve(void)
{
    uint16_t head = fake_disk_do();
    fake_virtio_use(0, head, 1);
    return head;
}

unsigned fake_disk_serve_all(void)
{
    unsigned count = 0;
    for (; fake_virtio_posted(0) > 0; count++) {
        fake_disk_serve();
    }
    return count;
}
