// SPDX-License-Identifier: BSD-2-Clause
/*
 * A model of a virtio device.
 */
#include "tests/unit/fake_virtio.h"

#include <stdlib.h>
#include <string.h>

#include "abi/virtq.h"
#include "arch/memory.h"
#include "mm/frame.h"

#define BLOCKS_MAX 16

struct fake_virtio fake_virtio;

/* Blocks that the driver holds: freed with the last of their frames. */
static struct {
    uint8_t *memory;
    size_t bytes;
    unsigned frames;
} blocks[BLOCKS_MAX];

void fake_virtio_init(void)
{
    fake_virtio = (struct fake_virtio){
        .magic = 0x74726976,
        .version = 2,
        .device_id = 1,
        .offered = 1ull << 32 | 1ull << 5 | 0x8003, /* some that nobody wants */
        .queue = {{.max = 1024}, {.max = 256}},
        .config = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
        .allocations_left = 1000,
    };
}

void fake_virtio_free(void)
{
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        free(blocks[i].memory);
        blocks[i].memory = NULL;
    }
}

static uint32_t *feature_word(uint64_t *features, uint32_t sel)
{
    return (uint32_t *)(void *)features + (sel & 1);
}

static uint32_t *queue_register(uintptr_t offset)
{
    struct fake_queue *q = &fake_virtio.queue[fake_virtio.queue_sel & 1];
    switch (offset) {
    case 0x034:
        return &q->max;
    case 0x038:
        return &q->size;
    case 0x044:
        return &q->ready;
    case 0x080:
    case 0x084:
        return (uint32_t *)(void *)&q->desc + (offset & 4) / 4;
    case 0x090:
    case 0x094:
        return (uint32_t *)(void *)&q->avail + (offset & 4) / 4;
    case 0x0A0:
    case 0x0A4:
        return (uint32_t *)(void *)&q->used + (offset & 4) / 4;
    default:
        if (offset < 0x100 || offset - 0x100 > sizeof(fake_virtio.config) - 4) {
            abort(); /* the driver has no business there */
        }
        return (uint32_t *)(void *)(fake_virtio.config + offset - 0x100);
    }
}

static uint32_t *plain_register(uintptr_t offset)
{
    switch (offset) {
    case 0x000:
        return &fake_virtio.magic;
    case 0x004:
        return &fake_virtio.version;
    case 0x008:
        return &fake_virtio.device_id;
    case 0x010:
        return feature_word(&fake_virtio.offered, fake_virtio.offered_sel);
    case 0x014:
        return &fake_virtio.offered_sel;
    case 0x020:
        return feature_word(&fake_virtio.accepted, fake_virtio.accepted_sel);
    case 0x024:
        return &fake_virtio.accepted_sel;
    case 0x030:
        return &fake_virtio.queue_sel;
    case 0x060:
        return &fake_virtio.interrupt_status;
    case 0x070:
        return &fake_virtio.status;
    default:
        return queue_register(offset);
    }
}

uint32_t fake_virtio_read32(uintptr_t at)
{
    return *plain_register(at - FAKE_VIRTIO_BASE);
}

uint8_t fake_virtio_read8(uintptr_t at)
{
    return fake_virtio.config[at - FAKE_VIRTIO_BASE - 0x100];
}

static void write_status(uint32_t v)
{
    if (v == 0 && fake_virtio.stuck_after_start && fake_virtio.queue[0].ready) {
        return;
    }
    if (v == 0) {
        fake_virtio.queue[0].ready = fake_virtio.queue[1].ready = 0;
    }
    fake_virtio.status = fake_virtio.refuses_features ? v & ~8u : v;
}

void fake_virtio_write32(uintptr_t at, uint32_t v)
{
    switch (at - FAKE_VIRTIO_BASE) {
    case 0x050:
        fake_virtio.notified[v]++;
        break;
    case 0x064:
        fake_virtio.interrupt_status &= ~v;
        break;
    case 0x070:
        write_status(v);
        break;
    default:
        *plain_register(at - FAKE_VIRTIO_BASE) = v;
        break;
    }
}

static struct virtq_avail *avail_of(unsigned queue)
{
    return (struct virtq_avail *)(uintptr_t)fake_virtio.queue[queue].avail;
}

static struct virtq_used *used_of(unsigned queue)
{
    return (struct virtq_used *)(uintptr_t)fake_virtio.queue[queue].used;
}

unsigned fake_virtio_posted(unsigned queue)
{
    return (uint16_t)(avail_of(queue)->idx - fake_virtio.queue[queue].taken);
}

bool fake_virtio_interrupts(unsigned queue)
{
    return !(avail_of(queue)->flags & VIRTQ_AVAIL_F_NO_INTERRUPT);
}

void fake_virtio_want_notify(unsigned queue, bool on)
{
    used_of(queue)->flags = on ? 0 : VIRTQ_USED_F_NO_NOTIFY;
}

void fake_virtio_use(unsigned queue, uint32_t id, uint32_t len)
{
    struct virtq_used *used = used_of(queue);
    used->ring[used->idx & (fake_virtio.queue[queue].size - 1)] =
        (struct virtq_used_elem){.id = id, .len = len};
    used->idx++;
}

void fake_virtio_leap(unsigned queue, uint16_t entries)
{
    used_of(queue)->idx = (uint16_t)(used_of(queue)->idx + entries);
}

uint16_t fake_virtio_next(unsigned queue)
{
    struct fake_queue *q = &fake_virtio.queue[queue];
    return avail_of(queue)->ring[q->taken++ & (q->size - 1)];
}

struct virtq_desc *fake_virtio_desc(unsigned queue, uint16_t id)
{
    return (struct virtq_desc *)(uintptr_t)fake_virtio.queue[queue].desc + id;
}

/* Takes the next available descriptor. */
static struct virtq_desc *next_desc(unsigned queue, uint16_t *id)
{
    *id = fake_virtio_next(queue);
    return fake_virtio_desc(queue, *id);
}

bool fake_virtio_receive(const void *frame, size_t bytes)
{
    static const struct virtio_net_hdr header = {.num_buffers = 1};
    uint16_t id;
    if (fake_virtio_posted(0) == 0) {
        return false;
    }
    struct virtq_desc *d = next_desc(0, &id);
    uint8_t *p = (uint8_t *)(uintptr_t)d->addr;
    if (!(d->flags & VIRTQ_DESC_F_WRITE) || d->len < sizeof(header) + bytes) {
        abort();
    }
    memcpy(p, &header, sizeof(header));
    memcpy(p + sizeof(header), frame, bytes);
    fake_virtio_use(0, id, (uint32_t)(sizeof(header) + bytes));
    return true;
}

unsigned fake_virtio_transmit(void)
{
    unsigned count = 0;
    uint16_t id;
    while (fake_virtio_posted(1) > 0) {
        struct virtq_desc *d = next_desc(1, &id);
        if (d->flags != 0 || d->len > sizeof(fake_virtio.sent)) {
            abort();
        }
        memcpy(fake_virtio.sent, (void *)(uintptr_t)d->addr, d->len);
        fake_virtio.sent_bytes = d->len;
        fake_virtio_use(1, id, 0);
        count++;
    }
    return count;
}

/* What the driver takes from below. */

void *arch_ptr(pa_t pa)
{
    return (void *)(uintptr_t)pa.v;
}

void page_zero(void *page)
{
    memset(page, 0, PAGE_SIZE);
}

enum err frame_alloc_block(enum frame_kind kind, uint32_t owner, unsigned order, pa_t *out)
{
    (void)owner;
    if (kind != FRAME_EL2 || order > FRAME_ORDER_MAX) {
        abort();
    }
    if (fake_virtio.allocations_left == 0) {
        return ERR_NO_MEMORY;
    }
    fake_virtio.allocations_left--;
    unsigned i = 0;
    while (i < BLOCKS_MAX - 1 && blocks[i].memory) {
        i++;
    }
    blocks[i].memory = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);
    blocks[i].bytes = PAGE_SIZE << order;
    blocks[i].frames = 1u << order;
    memset(blocks[i].memory, 0xCC, PAGE_SIZE << order);
    fake_virtio.frames_live += blocks[i].frames;
    *out = PA((uintptr_t)blocks[i].memory);
    return OK;
}

enum err frame_alloc(enum frame_kind kind, uint32_t owner, pa_t *out)
{
    return frame_alloc_block(kind, owner, 0, out);
}

bool frame_unref(pa_t pa)
{
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        uintptr_t at = (uintptr_t)pa.v - (uintptr_t)blocks[i].memory;
        if (blocks[i].memory && at < blocks[i].bytes) {
            fake_virtio.frames_live--;
            if (--blocks[i].frames == 0) {
                free(blocks[i].memory);
                blocks[i].memory = NULL;
            }
            return true;
        }
    }
    abort();
}
