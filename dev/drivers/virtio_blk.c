/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block device over virtio-mmio: many requests in flight, each a chain of a header, the pieces, and
 * a status byte. Header and status are in a slot, one for each descriptor, that of the chain's
 * head.
 *
 * Memory is coherent with the device, as for dev/drivers/virtio_net.c. Context: one CPU at a time,
 * the one that owns the store. A request's `done` may submit, but not poll.
 *
 * Invariant: a request in flight is noted in its slot, and is done once: when the device says so,
 * or when the device is given up. That happens as soon as it says that it finished what it does not
 * have; it is reset first, so that it does not write any more to memory that is given back.
 */
#include "dev/drivers/virtio_blk.h"

#include "arch/memory.h"
#include "core/base/log.h"
#include "dev/drivers/block_request.h"
#include "dev/drivers/mmio.h"
#include "dev/drivers/virtio_mmio.h"
#include "mm/frame.h"

#define DEVICES_MAX 4
#define DEVICE_ID_BLOCK 2
#define QUEUE 0
#define QUEUE_SIZE_MAX 256
#define PIECES_MAX 126u
#define LOGICAL_BLOCK_MAX 4096u

#define VIRTIO_BLK_F_SIZE_MAX (1ull << 1)
#define VIRTIO_BLK_F_SEG_MAX (1ull << 2)
#define VIRTIO_BLK_F_RO (1ull << 5)
#define VIRTIO_BLK_F_BLK_SIZE (1ull << 6)
#define VIRTIO_BLK_F_FLUSH (1ull << 9)
#define OPTIONAL                                                                                   \
    (VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_RO | VIRTIO_BLK_F_BLK_SIZE |      \
     VIRTIO_BLK_F_FLUSH)

/* The device's own registers (section 5.2.4). */
#define CONFIG_CAPACITY 0
#define CONFIG_SIZE_MAX 8
#define CONFIG_SEG_MAX 12
#define CONFIG_BLK_SIZE 20

/* A request (section 5.2.6). */
#define TYPE_IN 0u
#define TYPE_OUT 1u
#define TYPE_FLUSH 4u
#define STATUS_OK 0
#define STATUS_UNSUPP 2
#define STATUS_UNWRITTEN 0xFF

struct slot {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
    volatile uint8_t status;
    uint16_t descriptors;          /* of the chain */
    struct block_request *request; /* NULL: none of this head is in flight */
};

#define HEADER_BYTES offsetof(struct slot, status)
_Static_assert(HEADER_BYTES == 16, "virtio 1.2, 5.2.6");

/* One block of frames: descriptors, rings, slots. */
#define MEMORY_ORDER 2
#define AVAIL_OFFSET PAGE_SIZE
#define USED_OFFSET (AVAIL_OFFSET + 1024)
#define SLOTS_OFFSET (2 * PAGE_SIZE)
_Static_assert(VIRTQ_DESC_BYTES(QUEUE_SIZE_MAX) <= AVAIL_OFFSET, "descriptors fit");
_Static_assert(AVAIL_OFFSET + VIRTQ_AVAIL_BYTES(QUEUE_SIZE_MAX) <= USED_OFFSET, "avail fits");
_Static_assert(USED_OFFSET + VIRTQ_USED_BYTES(QUEUE_SIZE_MAX) <= SLOTS_OFFSET, "used fits");
_Static_assert(SLOTS_OFFSET + QUEUE_SIZE_MAX * sizeof(struct slot) <= PAGE_SIZE << MEMORY_ORDER,
               "slots fit");

struct virtio_blk {
    struct block_device device;
    uintptr_t base;
    struct virtq virtq;
    pa_t memory;
    struct slot *slots;
    uint32_t segment_bytes; /* most that one descriptor may have */
    bool flushes;           /* it has a cache, and empties it on request */
    bool unkicked;          /* requests were queued that the device was not told of */
    bool given_up;
    struct block_request *instant; /* a flush that needs no request, until the next poll */
};

static struct virtio_blk devices[DEVICES_MAX];
static unsigned device_count;

static struct virtio_blk *of(struct block_device *b)
{
    return container_of(b, struct virtio_blk, device);
}

/* --- requests ----------------------------------------------------------------------------- */

/* Checks a request; says how many sectors and descriptors of data it comes to. */
static enum err check(const struct virtio_blk *d, const struct block_request *r, uint64_t *sectors,
                      uint64_t *segments)
{
    *segments = 0;
    enum err e = d->given_up ? ERR_IO : block_request_check(&d->device, r, sectors);
    for (unsigned i = 0; e == OK && r->op != BLOCK_FLUSH && i < r->piece_count; i++) {
        *segments += (r->pieces[i].bytes - 1) / d->segment_bytes + 1;
    }
    return *segments > d->device.pieces_max ? ERR_RANGE : e;
}

static void push_piece(struct virtio_blk *d, struct block_piece p, uint16_t flags)
{
    for (uint32_t at = 0, bytes; at < p.bytes; at += bytes) {
        bytes = MIN(p.bytes - at, d->segment_bytes);
        virtq_push(&d->virtq, p.pa.v + at, bytes, flags);
    }
}

/* Queues a request that was checked, and for which there are descriptors. */
static void queue(struct virtio_blk *d, struct block_request *r)
{
    static const uint32_t types[] = {
        [BLOCK_READ] = TYPE_IN, [BLOCK_WRITE] = TYPE_OUT, [BLOCK_FLUSH] = TYPE_FLUSH};
    struct virtq *q = &d->virtq;
    uint16_t head = q->free_head, before = q->free_count;
    struct slot *s = &d->slots[head];
    uint64_t pa = d->memory.v + SLOTS_OFFSET + head * sizeof(*s);
    bool flush = r->op == BLOCK_FLUSH;
    uint16_t flags = VIRTQ_DESC_F_NEXT | (r->op == BLOCK_READ ? VIRTQ_DESC_F_WRITE : 0);
    s->type = types[r->op];
    s->sector = flush ? 0 : d->device.first + r->sector;
    s->status = STATUS_UNWRITTEN;
    s->request = r;
    virtq_push(q, pa, HEADER_BYTES, VIRTQ_DESC_F_NEXT);
    for (unsigned i = 0; !flush && i < r->piece_count; i++) {
        push_piece(d, r->pieces[i], flags);
    }
    virtq_push(q, pa + offsetof(struct slot, status), 1, VIRTQ_DESC_F_WRITE);
    s->descriptors = (uint16_t)(before - q->free_count);
    virtq_offer(q, head);
    d->unkicked = true;
}

static enum err submit(struct block_device *b, struct block_request *r)
{
    struct virtio_blk *d = of(b);
    bool instant = r->op == BLOCK_FLUSH && !d->flushes;
    uint64_t sectors, segments;
    enum err e = check(d, r, &sectors, &segments);
    if (e != OK) {
        return e;
    }
    if (instant ? d->instant != NULL : segments + 2 > d->virtq.free_count) {
        return ERR_BUSY;
    }
    if (instant) {
        d->instant = r;
    } else {
        queue(d, r);
    }
    block_request_begin(b, r, sectors);
    return OK;
}

static void kick(struct block_device *b)
{
    struct virtio_blk *d = of(b);
    if (d->unkicked && virtq_wants_notify(&d->virtq)) {
        virtio_mmio_notify(d->base, QUEUE);
    }
    d->unkicked = false;
}

/* --- answers ------------------------------------------------------------------------------ */

static void finish_slot(struct virtio_blk *d, uint16_t head, enum err e)
{
    struct slot *s = &d->slots[head];
    struct block_request *r = s->request;
    s->request = NULL;
    virtq_free(&d->virtq, head, s->descriptors);
    block_request_end(&d->device, r, e);
}

/* Takes one answer; false: it is nonsense. A status that was not written is: the device may still
 * have the request. */
static bool take_one(struct virtio_blk *d)
{
    uint32_t len;
    int head = virtq_pop(&d->virtq, &len);
    if (head < 0 || !d->slots[head].request) {
        return false;
    }
    uint8_t status = d->slots[head].status;
    if (status == STATUS_UNWRITTEN) {
        return false;
    }
    enum err failure = status == STATUS_UNSUPP ? ERR_UNSUPPORTED : ERR_IO;
    finish_slot(d, (uint16_t)head, status == STATUS_OK ? OK : failure);
    return true;
}

/* Ends all that is in flight, and the device. One that does not confirm its reset may still write:
 * what it has is never given back. */
static unsigned give_up(struct virtio_blk *d)
{
    unsigned count = 0;
    d->given_up = true;
    enum err e = virtio_mmio_stop(d->base);
    log_error("%s: answered nonsense, given up; reset: %s", d->device.name, err_name(e));
    for (uint16_t i = 0; e == OK && i < d->virtq.size; i++) {
        if (d->slots[i].request) {
            finish_slot(d, i, ERR_IO);
            count++;
        }
    }
    return count;
}

static unsigned poll(struct block_device *b)
{
    struct virtio_blk *d = of(b);
    struct block_request *instant = d->instant;
    unsigned taken = 0;
    if (instant) {
        d->instant = NULL;
        block_request_end(b, instant, OK);
        taken++;
    }
    if (d->given_up) {
        return taken;
    }
    /* What is used from here on raises an interrupt of its own. */
    uint16_t used = (uint16_t)(d->virtq.used->idx - d->virtq.last_used);
    bool sane = true;
    for (; sane && used > 0; used--) {
        sane = take_one(d);
        taken += sane;
    }
    return sane ? taken : taken + give_up(d);
}

/* --- start -------------------------------------------------------------------------------- */

BOOT static uint32_t config(const struct virtio_blk *d, unsigned offset)
{
    return mmio_read32(d->base + VIRTIO_MMIO_CONFIG + offset);
}

/* Learns what the device is from its registers. */
BOOT static enum err learn(struct virtio_blk *d, uint64_t features, uint16_t queue_size)
{
    struct block_device *b = &d->device;
    uint32_t segments = features & VIRTIO_BLK_F_SEG_MAX ? config(d, CONFIG_SEG_MAX) : 1;
    uint32_t bytes = features & VIRTIO_BLK_F_SIZE_MAX ? config(d, CONFIG_SIZE_MAX) : UINT32_MAX;
    uint32_t logical =
        features & VIRTIO_BLK_F_BLK_SIZE ? config(d, CONFIG_BLK_SIZE) : BLOCK_SECTOR_BYTES;
    d->flushes = features & VIRTIO_BLK_F_FLUSH;
    d->segment_bytes = ALIGN_DOWN(bytes, BLOCK_SECTOR_BYTES);
    b->read_only = features & VIRTIO_BLK_F_RO;
    b->sectors = (uint64_t)config(d, CONFIG_CAPACITY + 4) << 32 | config(d, CONFIG_CAPACITY);
    if (queue_size < 3 || logical == 0 || logical % BLOCK_SECTOR_BYTES != 0 ||
        logical > LOGICAL_BLOCK_MAX || d->segment_bytes == 0) {
        return ERR_UNSUPPORTED;
    }
    b->pieces_max = MIN(MIN(MAX(segments, 1u), PIECES_MAX), queue_size - 2u);
    return OK;
}

BOOT static void start_queue(struct virtio_blk *d, uint16_t size)
{
    uint8_t *p = arch_ptr(d->memory);
    for (uint64_t i = 0; i < 1u << MEMORY_ORDER; i++) {
        page_zero(p + i * PAGE_SIZE);
    }
    d->slots = (void *)(p + SLOTS_OFFSET);
    virtq_init(&d->virtq, size, p, p + AVAIL_OFFSET, p + USED_OFFSET);
    virtio_mmio_queue_start(d->base, QUEUE, size, d->memory, PA(d->memory.v + AVAIL_OFFSET),
                            PA(d->memory.v + USED_OFFSET));
    virtio_mmio_start(d->base);
}

BOOT static enum err start(struct virtio_blk *d)
{
    uint64_t features;
    enum err e = virtio_mmio_negotiate(d->base, VIRTIO_F_VERSION_1, OPTIONAL, &features);
    if (e != OK) {
        return e;
    }
    uint16_t size = virtio_mmio_queue_size(d->base, QUEUE, QUEUE_SIZE_MAX);
    e = learn(d, features, size);
    if (e == OK) {
        e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, MEMORY_ORDER, &d->memory);
    }
    if (e == OK) {
        start_queue(d, size);
    }
    return e;
}

static void ack(struct block_device *b)
{
    virtio_mmio_ack(of(b)->base);
}

BOOT enum err virtio_blk_probe(const struct device *device, struct block_device **out)
{
    uintptr_t base = device->base;
    enum err e = virtio_mmio_find(base, DEVICE_ID_BLOCK);
    if (e != OK) {
        return e;
    }
    if (device_count == DEVICES_MAX) {
        return ERR_NO_MEMORY;
    }
    struct virtio_blk *d = &devices[device_count];
    *d = (struct virtio_blk){
        .device = {.submit = submit, .kick = kick, .poll = poll, .ack = ack, .name = "virtio-blk"},
        .base = base,
    };
    e = start(d);
    if (e == OK) {
        device_count++;
        *out = &d->device;
    } else if (virtio_mmio_stop(base) != OK) {
        e = ERR_IO; /* no harm: it was given no memory */
    }
    return e;
}
