/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueue, device side (virtio 1.2, section 2.7), over a guest's memory.
 *
 * The driver is hostile: indices are masked after every read, chains are followed for at most
 * `size` descriptors, lengths are summed with a limit, and every access goes through the space.
 */
#ifndef DEV_VIRTUAL_VRING_H
#define DEV_VIRTUAL_VRING_H

#include "abi/virtq.h"
#include "core/base/error.h"
#include "mm/space.h"

struct vring {
    ipa_t desc;
    ipa_t avail;
    ipa_t used;
    uint16_t size; /* 0: not set up */
    uint16_t next_avail;
    uint16_t next_used;
    uint16_t reserved;
};

/* Checks and sets a ring up. ERR_INVALID: size no power of two, above TOKLAT_QUEUE_SIZE_MAX, or
 * alignment; ERR_RANGE: outside memory. Indices start at 0; size 0 takes the ring away. A refused
 * ring leaves `r` as it was. */
enum err vring_setup(struct vring *r, const struct space *s, uint64_t size, ipa_t desc, ipa_t avail,
                     ipa_t used) MUST_USE;

/*
 * Errors of all that follow: ERR_INVALID: the ring is broken (an index, a descriptor, a flag, or
 * an address that the guest does not have; nothing is taken); ERR_NO_MEMORY: a page of the guest
 * has no frame and none is free, ERR_AWAY: it is in the store (nothing is taken, may be repeated).
 */

/* A chain that was taken. */
struct vring_chain {
    uint16_t head;
    uint16_t left;    /* chains that are available after it */
    bool wants_event; /* the driver wants to be told when it is returned: NO_INTERRUPT is clear */
};

/* Takes the next chain, all of it device-readable, and copies it to `buf`; `*n` bytes. ERR_RANGE:
 * it holds more than `max` bytes; it is taken and must be returned all the same. ERR_NOT_FOUND:
 * nothing is available. */
enum err vring_pop_read(struct vring *r, struct space *s, void *buf, size_t max,
                        struct vring_chain *chain, size_t *n) MUST_USE;

/* Takes the next chain, device-writable, and copies `header` and then `body` into it. ERR_RANGE:
 * it is too small; it is taken and must be returned all the same. ERR_NOT_FOUND: none available. */
enum err vring_pop_write(struct vring *r, struct space *s, const void *header, size_t header_bytes,
                         const void *body, size_t body_bytes, struct vring_chain *chain) MUST_USE;

/* Puts the chain back that was taken last, as when it cannot be returned for want of a frame. */
void vring_unpop(struct vring *r);

/* Returns a chain with `len` bytes written. Visible to the driver at once. */
enum err vring_push(struct vring *r, struct space *s, uint16_t head, uint32_t len) MUST_USE;

#endif
