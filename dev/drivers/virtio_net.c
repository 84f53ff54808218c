/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network device over virtio-mmio, without offloads.
 *
 * Each queue owns a block of buffers of 2 KiB, one for each descriptor: header and frame together.
 * Frames are copied: what is sent belongs to its VM, and what is received goes to one. Receive
 * interrupts are off while a batch is polled; transmit interrupts are always off, and buffers that
 * were sent are taken back when none is left.
 *
 * Memory is coherent with the device ("dma-coherent" in the device tree, as QEMU's virtio-mmio
 * always is): no cache maintenance. Context: one CPU at a time, the one that owns the uplink.
 *
 * Invariant: nothing that the device writes is used as an index or a length before it is checked;
 * what makes no sense is counted in `refused`.
 */
#include "dev/drivers/virtio_net.h"

#include "arch/memory.h"
#include "core/base/string.h"
#include "dev/drivers/mmio.h"
#include "dev/drivers/virtio_mmio.h"
#include "mm/frame.h"

#define DEVICES_MAX 4
#define DEVICE_ID_NET 1
#define VIRTIO_NET_F_MAC (1ull << 5)

#define QUEUE_RX 0
#define QUEUE_TX 1
#define QUEUE_SIZE_MAX 256
#define BUFFER_BYTES 2048u
#define BUFFERS_IN_PAGE (PAGE_SIZE / BUFFER_BYTES)
#define HEADER_BYTES ((uint32_t)sizeof(struct virtio_net_hdr))
#define FRAME_BYTES_MIN 14u

/* The available and the used ring share a page, the descriptors have their own. */
#define USED_OFFSET 1024u
_Static_assert(VIRTQ_AVAIL_BYTES(QUEUE_SIZE_MAX) <= USED_OFFSET, "avail fits");
_Static_assert(USED_OFFSET + VIRTQ_USED_BYTES(QUEUE_SIZE_MAX) <= PAGE_SIZE, "used fits");
_Static_assert(VIRTQ_DESC_BYTES(QUEUE_SIZE_MAX) <= PAGE_SIZE, "descriptors fit");

struct queue {
    struct virtq virtq;
    pa_t desc, rings, buffers; /* 0: not allocated */
    unsigned order;            /* of `buffers` */
};

struct virtio_net {
    struct uplink uplink;
    uintptr_t base;
    struct queue rx, tx;
    bool unflushed; /* frames were queued that the device was not told of */
};

static struct virtio_net devices[DEVICES_MAX];
static unsigned device_count;

static struct virtio_net *of(struct uplink *u)
{
    return container_of(u, struct virtio_net, uplink);
}

static pa_t buffer_pa(const struct queue *q, uint16_t id)
{
    return PA(q->buffers.v + (uint64_t)id * BUFFER_BYTES);
}

static uint8_t *buffer(const struct queue *q, uint16_t id)
{
    return arch_ptr(buffer_pa(q, id));
}

/* Offers the next free receive buffer to the device. */
static void post(struct queue *q)
{
    if (q->virtq.free_count > 0) {
        pa_t pa = buffer_pa(q, q->virtq.free_head);
        (void)virtq_add(&q->virtq, pa.v, BUFFER_BYTES, true); /* cannot be full */
    }
}

/* Takes back what was sent. */
static void reclaim(struct virtio_net *d)
{
    uint32_t len;
    for (unsigned i = 0; i < d->tx.virtq.size && virtq_has_used(&d->tx.virtq); i++) {
        if (virtq_take(&d->tx.virtq, &len) < 0) {
            d->uplink.refused++;
        }
    }
}

static enum err send(struct uplink *u, const uint8_t *frame, size_t bytes)
{
    struct virtio_net *d = of(u);
    struct virtq *q = &d->tx.virtq;
    if (bytes < FRAME_BYTES_MIN || bytes > BUFFER_BYTES - HEADER_BYTES) {
        u->tx_dropped++;
        return ERR_INVALID;
    }
    if (q->free_count == 0) {
        reclaim(d);
    }
    if (q->free_count == 0) {
        u->tx_dropped++;
        return ERR_BUSY;
    }
    uint16_t id = q->free_head;
    uint8_t *p = buffer(&d->tx, id);
    memset(p, 0, HEADER_BYTES);
    memcpy(p + HEADER_BYTES, frame, bytes);
    uint32_t len = HEADER_BYTES + (uint32_t)bytes;
    (void)virtq_add(q, buffer_pa(&d->tx, id).v, len, false); /* cannot be full */
    d->unflushed = true;
    u->tx_frames++;
    return OK;
}

static void flush(struct uplink *u)
{
    struct virtio_net *d = of(u);
    if (d->unflushed && virtq_wants_notify(&d->tx.virtq)) {
        virtio_mmio_notify(d->base, QUEUE_TX);
    }
    d->unflushed = false;
}

/* Takes one used receive buffer, hands its frame on, and offers the buffer again. */
static void receive_one(struct virtio_net *d, uplink_receive_fn receive)
{
    uint32_t len;
    int id = virtq_take(&d->rx.virtq, &len);
    if (id < 0) {
        d->uplink.refused++;
        return;
    }
    if (len >= HEADER_BYTES + FRAME_BYTES_MIN && len <= BUFFER_BYTES) {
        d->uplink.rx_frames++;
        receive(buffer(&d->rx, (uint16_t)id) + HEADER_BYTES, len - HEADER_BYTES);
    } else {
        d->uplink.refused++;
    }
    post(&d->rx);
}

/* Whether the receive ring is empty, with interrupts on again if so. */
static bool drained(struct virtq *q)
{
    if (virtq_has_used(q)) {
        return false;
    }
    virtq_interrupts(q, true);
    if (!virtq_has_used(q)) {
        return true;
    }
    virtq_interrupts(q, false); /* something came in between, perhaps without an interrupt */
    return false;
}

static unsigned poll(struct uplink *u, unsigned budget, uplink_receive_fn receive)
{
    struct virtio_net *d = of(u);
    struct virtq *q = &d->rx.virtq;
    unsigned taken = 0;
    u->polls++;
    virtq_interrupts(q, false);
    while (taken < budget && !drained(q)) {
        receive_one(d, receive);
        taken++;
    }
    if (taken > 0 && virtq_wants_notify(q)) {
        virtio_mmio_notify(d->base, QUEUE_RX);
    }
    return taken;
}

static void ack(struct uplink *u)
{
    virtio_mmio_ack(of(u)->base);
}

static const struct uplink_ops virtio_net_ops = {
    .send = send, .flush = flush, .poll = poll, .ack = ack};

BOOT static void queue_free(struct queue *q)
{
    uint64_t pages = q->buffers.v ? 1ull << q->order : 0;
    for (uint64_t i = 0; i < pages; i++) {
        frame_unref(PA(q->buffers.v + i * PAGE_SIZE));
    }
    if (q->desc.v) {
        frame_unref(q->desc);
    }
    if (q->rings.v) {
        frame_unref(q->rings);
    }
}

/* Takes the memory of a queue of `size`; what was taken before a failure stays in `q`. */
BOOT static enum err queue_alloc(struct queue *q, uint16_t size)
{
    q->order = 0;
    while (BUFFERS_IN_PAGE << q->order < size) {
        q->order++;
    }
    enum err e = frame_alloc(FRAME_EL2, FRAME_OWNER_NONE, &q->desc);
    if (e == OK) {
        e = frame_alloc(FRAME_EL2, FRAME_OWNER_NONE, &q->rings);
    }
    if (e == OK) {
        e = frame_alloc_block(FRAME_EL2, FRAME_OWNER_NONE, q->order, &q->buffers);
    }
    return e;
}

BOOT static enum err queue_start(struct virtio_net *d, struct queue *q, uint32_t index)
{
    uint16_t size = virtio_mmio_queue_size(d->base, index, QUEUE_SIZE_MAX);
    if (size == 0) {
        return ERR_UNSUPPORTED;
    }
    enum err e = queue_alloc(q, size);
    if (e != OK) {
        return e;
    }
    uint8_t *rings = arch_ptr(q->rings);
    page_zero(arch_ptr(q->desc));
    page_zero(rings);
    virtq_init(&q->virtq, size, arch_ptr(q->desc), rings, rings + USED_OFFSET);
    virtio_mmio_queue_start(d->base, index, size, q->desc, q->rings, PA(q->rings.v + USED_OFFSET));
    return OK;
}

BOOT static enum err start(struct virtio_net *d)
{
    uint64_t features;
    enum err e = virtio_mmio_negotiate(d->base, VIRTIO_F_VERSION_1, VIRTIO_NET_F_MAC, &features);
    if (e == OK) {
        e = queue_start(d, &d->rx, QUEUE_RX);
    }
    if (e == OK) {
        e = queue_start(d, &d->tx, QUEUE_TX);
    }
    if (e != OK) {
        return e;
    }
    for (unsigned i = 0; i < 6 && features & VIRTIO_NET_F_MAC; i++) {
        d->uplink.mac[i] = mmio_read8(d->base + VIRTIO_MMIO_CONFIG + i);
    }
    virtq_interrupts(&d->tx.virtq, false);
    for (unsigned i = 0; i < d->rx.virtq.size; i++) {
        post(&d->rx);
    }
    virtio_mmio_start(d->base);
    if (virtq_wants_notify(&d->rx.virtq)) {
        virtio_mmio_notify(d->base, QUEUE_RX);
    }
    return OK;
}

BOOT enum err virtio_net_probe(const struct device *device, struct uplink **out)
{
    uintptr_t base = device->base;
    enum err e = virtio_mmio_find(base, DEVICE_ID_NET);
    if (e != OK) {
        return e;
    }
    if (device_count == DEVICES_MAX) {
        return ERR_NO_MEMORY;
    }
    struct virtio_net *d = &devices[device_count];
    *d = (struct virtio_net){
        .uplink = {.ops = &virtio_net_ops, .name = "virtio-net", .irq = device->irq}, .base = base};
    e = start(d);
    if (e == OK) {
        device_count++;
        *out = &d->uplink;
        return OK;
    }
    if (virtio_mmio_stop(base) == OK) { /* otherwise it may still write: the memory is lost */
        queue_free(&d->rx);
        queue_free(&d->tx);
    }
    return e;
}
