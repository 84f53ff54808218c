/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueue, layout and driver side (virtio 1.2, section 2.7).
 *
 * One implementation for the physical virtio drivers in EL2 and for the guest runtime. The device
 * side, which must survive a hostile driver, is dev/virtual/vring.c. The driver trusts the memory
 * of the ring, but not what the device writes: an out-of-range id in the used ring is refused.
 *
 * Two ways of use. virtq_add and virtq_take: every buffer is one descriptor, and a used one is free
 * at once. virtq_push, virtq_offer, virtq_pop and virtq_free: chains of descriptors; their owner
 * notes which heads are in flight and how long, for only that tells whether the device may have
 * used what it says it has.
 */
#ifndef ABI_VIRTQ_H
#define ABI_VIRTQ_H

#include <stdbool.h>
#include <stdint.h>

#define VIRTQ_DESC_F_NEXT 1
#define VIRTQ_DESC_F_WRITE 2
#define VIRTQ_DESC_F_INDIRECT 4
#define VIRTQ_AVAIL_F_NO_INTERRUPT 1
#define VIRTQ_USED_F_NO_NOTIFY 1

struct virtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

struct virtq_avail {
    uint16_t flags;
    uint16_t idx;
    uint16_t ring[];
};

struct virtq_used_elem {
    uint32_t id;
    uint32_t len;
};

struct virtq_used {
    uint16_t flags;
    uint16_t idx;
    struct virtq_used_elem ring[];
};

/* virtio 1.2, section 5.1.6: the header before every frame, in both directions. */
struct virtio_net_hdr {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t hdr_len;
    uint16_t gso_size;
    uint16_t csum_start;
    uint16_t csum_offset;
    uint16_t num_buffers;
};

_Static_assert(sizeof(struct virtio_net_hdr) == 12, "virtio 1.2, 5.1.6");

/* Bytes and alignment of the three parts (section 2.7). */
#define VIRTQ_DESC_BYTES(size) (16u * (size))
#define VIRTQ_AVAIL_BYTES(size) (4u + 2u * (size))
#define VIRTQ_USED_BYTES(size) (4u + 8u * (size))
#define VIRTQ_DESC_ALIGN 16
#define VIRTQ_AVAIL_ALIGN 2
#define VIRTQ_USED_ALIGN 4

/* Driver's view of a queue. `size` is a power of two. */
struct virtq {
    struct virtq_desc *desc;
    volatile struct virtq_avail *avail;
    volatile struct virtq_used *used;
    uint16_t size;
    uint16_t free_head; /* of the list of free descriptors, linked by desc.next */
    uint16_t free_count;
    uint16_t last_used; /* used entries taken so far */
};

/* Orders accesses to normal memory shared with the device, which observes the outer shareable
 * domain; the partner is the device's own ordering (virtio 1.2, section 2.7.13). */
static inline void virtq_barrier(void)
{
#ifdef __aarch64__
    __asm__ volatile("dmb osh" ::: "memory");
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Takes three zeroed parts of a ring of `size` entries. */
static inline void virtq_init(struct virtq *q, uint16_t size, void *desc, void *avail, void *used)
{
    q->desc = desc;
    q->avail = avail;
    q->used = used;
    q->size = size;
    q->free_head = 0;
    q->free_count = size;
    q->last_used = 0;
    for (uint16_t i = 0; i < size; i++) {
        q->desc[i].next = (uint16_t)(i + 1);
    }
}

/* Fills the descriptor q->free_head, of which there is one: it is the next of a chain, whose parts
 * all but the last have VIRTQ_DESC_F_NEXT, those that the device reads before those that it writes.
 * The chain's head is q->free_head before its first part. */
static inline void virtq_push(struct virtq *q, uint64_t addr, uint32_t len, uint16_t flags)
{
    struct virtq_desc *d = &q->desc[q->free_head];
    q->free_head = d->next; /* the part that follows: the free are linked as a chain is */
    q->free_count--;
    d->addr = addr;
    d->len = len;
    d->flags = flags;
}

/* Offers a chain to the device, which sees it at once; it is told by a notification or doorbell
 * when virtq_wants_notify() says so. */
static inline void virtq_offer(struct virtq *q, uint16_t head)
{
    uint16_t idx = q->avail->idx;
    q->avail->ring[idx & (q->size - 1)] = head;
    virtq_barrier(); /* the entry is there before the index that shows it */
    q->avail->idx = (uint16_t)(idx + 1);
}

/* Offers one buffer to the device as virtq_offer does; returns its descriptor, or -1 when the ring
 * is full. */
static inline int virtq_add(struct virtq *q, uint64_t addr, uint32_t len, bool device_writes)
{
    if (q->free_count == 0) {
        return -1;
    }
    uint16_t id = q->free_head;
    virtq_push(q, addr, len, device_writes ? VIRTQ_DESC_F_WRITE : 0);
    virtq_offer(q, id);
    return id;
}

/* Takes the next entry of the used ring; returns its head and its written length, or -1 when there
 * is none or it is out of range. The caller checks that the head is in flight. */
static inline int virtq_pop(struct virtq *q, uint32_t *len)
{
    if (q->used->idx == q->last_used) {
        return -1;
    }
    virtq_barrier(); /* the index is read before the entry that it shows */
    volatile struct virtq_used_elem *e = &q->used->ring[q->last_used & (q->size - 1)];
    uint32_t id = e->id;
    *len = e->len;
    q->last_used++;
    return id < q->size ? (int)id : -1;
}

/* Frees the chain of `count` descriptors that begins with `head`. */
static inline void virtq_free(struct virtq *q, uint16_t head, uint16_t count)
{
    uint16_t last = head;
    for (uint16_t i = 1; i < count; i++) {
        last = q->desc[last].next;
    }
    q->desc[last].next = q->free_head;
    q->free_head = head;
    q->free_count = (uint16_t)(q->free_count + count);
}

/* Takes one buffer back from the device; returns its descriptor and its written length, or -1. */
static inline int virtq_take(struct virtq *q, uint32_t *len)
{
    int id = virtq_pop(q, len);
    if (id >= 0) {
        virtq_free(q, (uint16_t)id, 1);
    }
    return id;
}

static inline bool virtq_has_used(const struct virtq *q)
{
    return q->used->idx != q->last_used;
}

/* Whether the device asked to be notified; call after virtq_add (section 2.7.10). */
static inline bool virtq_wants_notify(const struct virtq *q)
{
    virtq_barrier(); /* the new index is visible before the device's flags are read */
    return !(q->used->flags & VIRTQ_USED_F_NO_NOTIFY);
}

/* Asks the device for interrupts or for none. When turning them on, look at the ring again after
 * this call: what the device used before it saw the flag raised none. */
static inline void virtq_interrupts(struct virtq *q, bool on)
{
    q->avail->flags = on ? 0 : VIRTQ_AVAIL_F_NO_INTERRUPT;
    virtq_barrier();
}

#endif
